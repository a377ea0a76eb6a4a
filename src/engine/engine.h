/* engine.h — one thread owns the device; requests come to it from any thread.
 *
 * A request is rows that begin side by side: texts to be continued, or one to be scored. It waits
 * until there are rows for it, its prompts are taken in pieces between the steps of the others, and
 * then all rows that are there are decoded in one pass. Requests come and go between two steps.
 * Tokens arrive at the thread that asked, which decides what becomes of them.
 */
#ifndef METAL_LLM_ENGINE_H
#define METAL_LLM_ENGINE_H

#include "grammar/matcher.h"
#include "inspect.h"
#include "measure.h"
#include "prefill.h"
#include "row_text.h"

#include <pthread.h>

typedef enum Stage {
    STAGE_WAITING,  /* for rows, or for memory */
    STAGE_PROMPT,   /* pieces of it are still to come */
    STAGE_DECODING, /* a token of each row with each step */
} Stage;

/* A token of a row. */
typedef struct Arrival {
    uint32_t row;
    size_t step; /* 0: after the prompt */
    bool whole;  /* the row's JSON has come to its end */
    WaitingToken token;
} Arrival;

typedef struct RequestRow {
    size_t prompt;     /* tokens */
    size_t kept;       /* by its client in the end: set before engine_finish */
    atomic_bool ended; /* nothing more is wanted of it */
} RequestRow;

struct Request {
    /* What is asked for, by the client before engine_submit. */
    LLMPipeline *llm;
    const LLMTokens *texts; /* [rows], none empty, within the context */
    uint32_t rows;
    size_t count;                    /* tokens wanted of each */
    const LLMGeneration *generation; /* NULL: the one text is scored */
    LLMWaitCallback on_wait;         /* NULL: none */
    void *user;                      /* handed to it */
    float *logits, *nats, *states;   /* its arrays, each may be NULL */
    const Grammar *grammar;          /* of what is generated; NULL: any text */
    const TokenTrie *trie;           /* its vocabulary's, with a grammar */
    const LLMTokens *written;        /* [rows] what each has of its text by that already */
    Inspection *inspection;          /* it is looked into, and not scored; NULL: it is not */
    Measurement *measurement;        /* nor this, if a step of it is measured */
    bool keeps;                      /* what was computed stays for those that begin alike */
    /* What came of it, for the client after engine_finish. */
    size_t computed, cached; /* tokens of the prompts */
    bool unwanted;           /* its on_wait has said so */
    /* Between the two, under a mutex of their own: so many clients as there may be do not wait for
     * each other. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool over; /* nothing arrives any more */
    bool gone; /* its rows are another's */
    LLMError error;
    Arrival *arrivals;             /* [arrived] */
    size_t arrived, handed, dealt; /* so many the client has got, and is done with */
    size_t arrival_capacity;
    /* The engine's, under its mutex. */
    bool leaving; /* the client has all it wants */
    struct Request *next;
    /* The engine thread's alone, but for `ended`. */
    Stage stage;
    RequestRow *row; /* [rows] */
    LLMTokens *text; /* [rows] prompts, and what has arrived */
    RowSampling sampling;
    Prefill prefill;
    size_t scored;      /* positions */
    float *bias;        /* [V], NULL: none */
    Matcher **matchers; /* [rows], NULL: no grammar */
    uint32_t *allowed;  /* bits of a row's tokens */
    uint32_t first;
    size_t queued, collected; /* steps */
    size_t roomy;             /* steps before this one have room in the KV cache */
    bool frozen;              /* its rows take no part in the steps of the others */
};

/* Hand it over. False and `error` on failure; else engine_finish is due. */
bool engine_submit(Request *request, LLMError *error);
/* Wait for the next token, and say that the one before has been dealt with. False if none comes any
 * more, with `error` set if that is because of one, or if the request is unwanted now. */
bool engine_next(Request *request, Arrival *arrival, LLMError *error);
/* Nothing more is wanted of a row. */
void engine_end_row(Request *request, uint32_t row);
/* Give back its rows; what it holds is released. False and `error` if it ended by one. */
bool engine_finish(Request *request, LLMError *error);

/* For those who close a pipeline: whoever is at work is told so; end the thread, if there is one.
 */
void engine_wake(LLMPipeline *llm);
void engine_free(LLMPipeline *llm);

#endif
