/* metal_llm.h — run GPT-2-family language models. The only header a user needs.
 *
 *     LLMError error = {0};
 *     LLMPipeline *llm = llm_pipeline_open("gpt2.gguf", NULL, &error);
 *     LLMTokens tokens = llm_encode(llm, "The meaning of life is", 0, &error);
 *     llm_generate(llm, &tokens, 50, NULL, &error);
 *     char *text = llm_decode(llm, &tokens, &error);
 *     puts(error.status ? error.message : text);
 *
 * Errors are values. Every function takes an LLMError; when it is already set, the function does
 * nothing, so a chain of calls needs one check at its end. Any pointer may be NULL: where a value
 * is needed, that is LLM_ERROR_ARGUMENT. The library never prints and never exits. Any thread may
 * call a pipeline: what is asked for at the same time is computed in one batch, as far as there are
 * rows for it (LLMOptions.sessions), and callbacks run on the thread that asked. It is closed by
 * one thread, and belongs to the process that opened it: a forked child may only close it.
 * Different pipelines are independent.
 */
#ifndef METAL_LLM_H
#define METAL_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLM_VERSION "0.2.0"

#ifdef __cplusplus
extern "C" {
#endif

/* --- errors --- */

typedef enum LLMStatus {
    LLM_OK = 0,
    LLM_ERROR_ARGUMENT, /* a wrong option or a NULL where a value is needed */
    LLM_ERROR_FILE,     /* a file is missing or unreadable */
    LLM_ERROR_FORMAT,   /* a file is truncated, corrupt, or not what this library opens */
    LLM_ERROR_MEMORY,   /* host or device memory is exhausted */
    LLM_ERROR_DEVICE,   /* the device is absent or reported a failure */
    LLM_ERROR_CONTEXT,  /* more tokens than the model's context holds */
    LLM_ERROR_NUMERIC,  /* the logits contain NaN: damaged weights, or numbers that overflow */
    LLM_ERROR_BUSY, /* the call came from a callback of the pipeline, or it was closed meanwhile */
} LLMStatus;

/* Zero-initialise. `message` is one line: what is wrong and what to do. */
typedef struct LLMError {
    LLMStatus status;
    char message[512];
} LLMError;
/* The message as a string: some languages see an array in a structure as something else. */
static inline const char *llm_error_message(const LLMError *error) {
    return error ? error->message : "";
}

/* --- open and close --- */

typedef struct LLMPipeline LLMPipeline;

/* What the fields of LLMOptions choose between; LLM_AUTO, in all of them, is the library's choice.
 * One type for all, so that LLM_AUTO is of it in every language. */
typedef enum LLMChoice {
    LLM_AUTO = 0,
    LLM_METAL = 1,  /* devices: Apple's GPU */
    LLM_CUDA,       /* an NVIDIA GPU */
    LLM_CPU,        /* this machine's cores */
    LLM_SIMT,       /* threadgroups on fibers, to test kernels: thousands of times slower */
    LLM_FLASH = 17, /* attention: in one kernel, without the T×S matrix */
    LLM_NAIVE,      /* scores, softmax and mix, a kernel each */
    LLM_PLAIN,      /* like flash, by the kernel that a reader begins with; slower */
    LLM_ON = 33,
    LLM_OFF,
    LLM_F32 = 49,
    LLM_F16,
    LLM_STORED, /* as the file has it */
} LLMChoice;

/* Begin with LLM_OPTIONS or llm_options(): every choice is the library's. Later versions add fields
 * at the end; `size` says which of them the caller knows. */
typedef struct LLMOptions {
    size_t size;         /* sizeof(LLMOptions) */
    LLMChoice device;    /* LLM_METAL, LLM_CUDA, LLM_CPU or LLM_SIMT; LLM_AUTO: the best of the
                            first three that is present */
    LLMChoice attention; /* LLM_FLASH, LLM_NAIVE or LLM_PLAIN; LLM_AUTO: flash */
    LLMChoice fusion;    /* LLM_ON or LLM_OFF: decode with several ideas per kernel; LLM_AUTO: on
                            where a simdgroup has more than one lane */
    LLMChoice cache;     /* KV cache type: LLM_F32, or LLM_F16 at half the memory;
                            LLM_AUTO: f32 */
    LLMChoice weights;   /* of block formats and bf16: LLM_STORED, or LLM_F16, turned into halves
                            when the model is opened, up to six times the memory; LLM_AUTO: f16 on an
                            NVIDIA GPU, where the fused kernels for halves decode several times
                            faster, else as stored */
    LLMChoice integer_products; /* LLM_ON: weights in blocks are multiplied as integers, with
                                   activations rounded to 8 bits: twice as fast on a CPU,
                                   perplexity 0.05 % higher; logits of the same tokens may
                                   differ a little with how many are computed in one batch, since
                                   the last digit of a sum may turn such a rounding over. LLM_OFF:
                                   activations stay float. LLM_AUTO: on for a CPU, and on an NVIDIA
                                   GPU to decode a row from large matrices, whose blocks stay in
                                   memory beside halves then */
    uint32_t threads; /* CPU threads, at most 4096; 0: one per core that the process may use,
                         within a container's quota. Where the system gives fewer, these
                         have to do, and LLMInfo.device says so. The last digits of results
                         depend on whether there is one thread or several */
    uint32_t context; /* tokens the KV cache can grow to per row; 0: the model's, at most 8,192 */
    uint32_t batch;   /* rows generated in one batch, at most 1024; 0: 1 */
    bool profile;     /* time every kernel, see llm_timings */
    bool no_mmap;     /* read the model's file into memory: opening takes longer and as much
                         memory as the file has bytes, but the file may change afterwards.
                         false: it stays mapped, see llm_pipeline_open */
    const char *kernels; /* a folder of .metal files to compile instead of those built in, on
                            Apple and NVIDIA GPUs; NULL: those built in */
    void *metal_device;  /* an id<MTLDevice> to run on, as an app has one; it is retained until the
                            pipeline is closed. NULL: the system's default, where that is Apple's */
    size_t sessions;     /* texts generated at the same time, at most 1024, whoever asked for them:
                            others wait for their turn. As many rows as this or `batch`, the larger */
    size_t cache_memory; /* bytes that the KV cache may take: texts that together would need more
                            wait for each other, one that alone does is refused. 0: as many as all
                            rows have use for */
    const char *chat_template; /* of sessions with messages: "chatml", "llama3", "gemma", or a file
                                  of Jinja, whose path has a dot or a slash; NULL: the model's */
} LLMOptions;

/* Open a model: a GGUF file, a Hugging Face folder, or an llm.c .bin file. The caller closes it.
 * `options` may be NULL. Returns NULL and sets `error` on failure. The file stays mapped, so that
 * programs share its pages; nobody may write to it meanwhile. If it is cut short, or its disk goes
 * away, the next read of what is missing ends the program (SIGBUS): replace a model by renaming
 * another file over it, which harms nobody, or set options.no_mmap. */
LLMPipeline *llm_pipeline_open(const char *path, const LLMOptions *options, LLMError *error);
/* The same of a model without a file, for measuring: one of the shapes "smollm2", "qwen3-0.6b",
 * "llama-1b", "llama-8b" and "llama-70b", filled at random with weights of a type as "f16", or of
 * "q4_K_M", llama.cpp's mixture of two. It has no tokenizer. */
LLMPipeline *llm_pipeline_open_shape(const char *shape, const char *type, const LLMOptions *options,
                                     LLMError *error);
/* Everything that the pipeline owns goes with it, as soon as the calls that are going on have
 * ended, which fail with LLM_ERROR_BUSY, and its sessions are closed. */
void llm_pipeline_close(LLMPipeline *llm);

/* Filled by the library; `size` says how much of it this version of the library knows. */
typedef struct LLMInfo {
    size_t size;
    const char *format;  /* "GGUF", "Hugging Face", "llm.c" */
    const char *name;    /* the model's own name, "" if it has none; any bytes */
    const char *weights; /* type of the large matrices, such as "f32" or "q8_0" */
    const char *device;  /* one line: which device runs it, and its size */
    uint32_t layers, heads, channels, inner, context;
    uint32_t vocabulary; /* ids are below it; in a padded vocabulary some have no text */
    uint64_t parameters;
    uint64_t weight_bytes;  /* of the tensors as the device holds them */
    uint64_t cache_bytes;   /* of the KV cache when all rows are full: it grows with use */
    uint32_t end_of_text;   /* the first of the tokens that end a text, see llm_is_end; UINT32_MAX
                               if the model has none */
    uint32_t begin_of_text; /* the token that llm_encode puts first; UINT32_MAX: none */
    uint32_t head_size;     /* channels of a head */
    uint32_t model_context; /* the most that LLMOptions.context can be; `context` is what it is */
    uint64_t step_bytes;    /* of the weights that each step of decoding reads, all rows at once */
    uint64_t layer_weights; /* numbers in the matrices of all layers */
} LLMInfo;
const LLMInfo *llm_info(const LLMPipeline *llm); /* owned by the pipeline */

/* --- text and tokens --- */

/* A growing list of token ids; zero-initialise, release with llm_tokens_free. */
typedef struct LLMTokens {
    uint32_t *ids;
    size_t count, capacity;
} LLMTokens;
void llm_tokens_free(LLMTokens *tokens);

typedef enum LLMEncodeFlags {
    LLM_NO_BEGIN = 1,   /* without the beginning-of-text token that the model's rules put first */
    LLM_PLAIN_TEXT = 2, /* what looks like a special token is text as any other */
} LLMEncodeFlags;

/* Text (UTF-8 or any bytes, NUL-terminated) to token ids. With `flags` of 0 special tokens in the
 * text are recognised, and the beginning-of-text token is put first where the model wants one
 * (GPT-2 does not). The caller frees the result with llm_tokens_free. */
LLMTokens llm_encode(LLMPipeline *llm, const char *text, uint32_t flags, LLMError *error);
LLMTokens llm_encode_bytes(LLMPipeline *llm, const void *bytes, size_t size, uint32_t flags,
                           LLMError *error);
/* Token ids to text; the result is NUL-terminated and freed with llm_free. The beginning-of-text
 * token is left out where llm_encode puts it. Ids of a padded vocabulary have no text, and add
 * none. */
char *llm_decode(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
void llm_free(void *pointer);
/* The bytes of one token, owned by the pipeline; *size receives their number, which is 0 for an id
 * without text. A token may end in the middle of a UTF-8 character. NULL if the id is not in the
 * vocabulary. */
const char *llm_token_bytes(const LLMPipeline *llm, uint32_t token, size_t *size);
/* Whether a token ends a text: the end-of-text token, or another that the model names as such. */
bool llm_is_end(const LLMPipeline *llm, uint32_t token);

/* --- generation --- */

/* Called once per generated token, in order; return false to stop that row's generation. It may
 * call what does not compute (llm_token_bytes, llm_encode, …); the rest is LLM_ERROR_BUSY. */
typedef bool (*LLMTokenCallback)(void *user, uint32_t row, uint32_t token);

/* Called with the text as it grows, in pieces of whole UTF-8 characters, but at its end; return
 * false to stop that row's generation. The bytes are the library's, and not NUL-terminated. */
typedef bool (*LLMTextCallback)(void *user, uint32_t row, const char *bytes, size_t size);

/* ln p of a token, by the model's own logits: before bias, penalties and temperature. */
typedef struct LLMLogprob {
    uint32_t token;
    float logprob;
} LLMLogprob;
enum { LLM_LOGPROBS_MOST = 20 };

/* Called before on_token with the chosen token's, and after it with those of the likeliest, the
 * likeliest first: `count` in all. A token that ends the text has no on_token; it is told last. */
typedef void (*LLMLogprobsCallback)(void *user, uint32_t row, const LLMLogprob *logprobs,
                                    size_t count);

/* Called about ten times a second while no token comes, because others have the rows or a long
 * prompt is taken; return false to stop all rows. It may call what on_token may call. */
typedef bool (*LLMWaitCallback)(void *user);

/* Why a row has come to its end. */
typedef enum LLMEnd {
    LLM_END_NONE = 0, /* it has not: there was an error */
    LLM_END_COUNT,    /* as many tokens as were wanted */
    LLM_END_TOKEN,    /* a token that ends the text */
    LLM_END_STOP,     /* a stop text */
    LLM_END_CONTEXT,  /* the context is full, and not to be shifted */
    LLM_END_CALLBACK, /* a callback said so */
    LLM_END_JSON,     /* the JSON of json_schema is whole */
} LLMEnd;

/* What is added to the logit of a token: −10000 to 10000, or −INFINITY, which forbids it. A token
 * that has several gets their sum. */
typedef struct LLMLogitBias {
    uint32_t token;
    float bias;
} LLMLogitBias;

/* Begin with LLM_GENERATION or llm_generation(): greedy.
 *
 * The samplers come in this order: logit bias, JSON, penalties, temperature, top-k, typical, top-p,
 * min-p; then one of the tokens that are left is drawn, by their probabilities. The first three
 * also count where the likeliest token is taken. llama.cpp has the same order, but for the
 * temperature, which it puts last: at a temperature of 1 that is no difference. */
typedef struct LLMGeneration {
    size_t size;               /* sizeof(LLMGeneration) */
    uint64_t seed;             /* of the random choices */
    float temperature;         /* 0 takes the likeliest token; at most 10000 */
    float top_p;               /* among the likeliest that make up this probability; 0 and 1: all */
    uint32_t top_k;            /* keep this many of the likeliest; 0: all */
    bool ignore_end;           /* go on after a token that ends the text */
    LLMTokenCallback on_token; /* NULL: none */
    void *user;                /* handed to the callbacks */
    float min_p;     /* among those at least so likely, in parts of the likeliest; 0: all */
    float typical_p; /* among the most typical that make up this probability (Meister et al.
                        2022); 0 and 1: all */
    float repetition_penalty; /* 0.01 to 100: the logits of recent tokens are divided by it where
                                 they are positive, else multiplied; 0 and 1: they are not */
    float presence_penalty;   /* −100 to 100: is taken off the logits of recent tokens */
    float frequency_penalty;  /* −100 to 100: and this, as often as they have come */
    uint32_t penalty_window;  /* recent: this many of the last tokens, the prompt's too; 0: 64;
                                 UINT32_MAX: all */
    const LLMLogitBias *logit_bias; /* [logit_bias_count] */
    size_t logit_bias_count;
    const char *const *stops; /* [stop_count] texts, of which none is empty: the text ends before
                                 the first that it comes to. What may begin one waits until it is
                                 known: on_token and on_text see nothing of it, and a token that it
                                 begins in is not appended; what that has before it is for on_text
                                 alone. In the prompt they are not sought */
    size_t stop_count;
    LLMTextCallback on_text;         /* NULL: none */
    LLMLogprobsCallback on_logprobs; /* NULL: none */
    LLMEnd *ends;                    /* [rows] of the caller, to be filled; NULL: not */
    size_t logprobs;                 /* how many of the likeliest for on_logprobs, at most
                                        LLM_LOGPROBS_MOST */
    const char *json_schema;         /* a JSON Schema, of the part that docs/json.md describes: what
                                        is generated is a JSON text that it allows, whole unless
                                        `ends` says that it was cut. {"type": "object"} allows any
                                        object. NULL: none */
    LLMWaitCallback on_wait;         /* NULL: none */
    size_t shift; /* 0: a text ends where the context is full. Else it goes on without its middle,
                     which the model no longer sees: this many of its first tokens stay, at
                     most a quarter of the context, which SIZE_MAX asks for, and of the others the
                     last. Half a context is left out at a time, and what stays is recomputed.
                     Prompts may be longer than the context, too. Row r draws then from a seed
                     that depends on how far the longest row is */
} LLMGeneration;

/* Continue `tokens` by up to `count` tokens, appended to it; stops early after a token that ends
 * the text (which is not appended), at the end of the context, or when the callback says so. An
 * empty list is begun with the beginning-of-text token, or else with the end-of-text token, which
 * stands at the start of every text that GPT-2 has seen. `generation` may be NULL: greedy. Returns
 * the number of tokens appended. */
size_t llm_generate(LLMPipeline *llm, LLMTokens *tokens, size_t count,
                    const LLMGeneration *generation, LLMError *error);
/* The same for `rows` prompts of different lengths in one batch; rows <= options.batch. Row r draws
 * its random numbers from seed + r. No two rows may share their ids. What all of them begin with is
 * computed once, and its memory shared: several answers to one prompt are as many rows of it. */
size_t llm_generate_batch(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                          const LLMGeneration *generation, LLMError *error);

/* logits[count, vocabulary] of every position of `tokens`, written to the caller's array. */
void llm_logits(LLMPipeline *llm, const LLMTokens *tokens, float *logits, LLMError *error);
/* nats[count − 1]: the surprise in nats of each token but the first, −ln p(token | those
 * before), written to the caller's array. LLM_ERROR_NUMERIC if one is not a finite number. */
void llm_losses(LLMPipeline *llm, const LLMTokens *tokens, float *nats, LLMError *error);
/* states[count, channels]: the residual stream of every token of `tokens` after the last norm,
 * what the output matrix turns into logits; written to the caller's array. LLM_ERROR_NUMERIC if one
 * is not a finite number. Their mean, or the last of them, stands for the text in a search. */
void llm_hidden_states(LLMPipeline *llm, const LLMTokens *tokens, float *states, LLMError *error);

/* --- sessions --- */

/* A text that grows turn by turn. What was computed for it stays in the KV cache while there is
 * room, so that a turn computes only what is new; so does what other sessions began with. A session
 * belongs to one thread at a time; several of a pipeline generate in parallel, in as many threads.
 *
 *     LLMSession *session = llm_session_open(llm, &error);
 *     llm_session_add_text(session, "Once upon a time", 0, &error);
 *     llm_session_generate(session, 50, &generation, &error);
 *     llm_session_add_text(session, " But then", LLM_NO_BEGIN, &error);
 *     llm_session_generate(session, 50, &generation, &error);
 *     llm_session_close(session);
 */
typedef struct LLMSession LLMSession;

/* An empty one; the caller closes it. NULL and `error` on failure. */
LLMSession *llm_session_open(LLMPipeline *llm, LLMError *error);
void llm_session_close(LLMSession *session);

/* Add to the end of the text; nothing is computed yet. Text is encoded as llm_encode does it with
 * these flags, a text at a time: a word that is cut in two has other tokens than a whole one. */
void llm_session_add_tokens(LLMSession *session, const LLMTokens *tokens, LLMError *error);
void llm_session_add_text(LLMSession *session, const char *text, uint32_t flags, LLMError *error);

/* Add a message, and make the session one of messages: `role` is "system", "user", "assistant" …,
 * as the model's chat template has them. What looks like a special token in `content` is text as
 * any other. LLM_ERROR_FORMAT if the model has no template. A session is either of messages or of
 * texts and tokens: the other is LLM_ERROR_ARGUMENT until it is reset. */
void llm_session_add_message(LLMSession *session, const char *role, const char *content,
                             LLMError *error);

/* Continue the text by up to `count` tokens, as llm_generate does. SIZE_MAX: as many as the context
 * holds. In a session of messages what is written becomes a message of the role "assistant"; where
 * they fill the context, with LLMGeneration.shift the oldest are forgotten, but for those before
 * the first of the role "user", until a quarter of it is free. */
size_t llm_session_generate(LLMSession *session, size_t count, const LLMGeneration *generation,
                            LLMError *error);

/* Only the first `count` tokens stay, or in a session of messages, the first `count` messages. */
void llm_session_rewind(LLMSession *session, size_t count, LLMError *error);
/* Take `count` messages out, from `first` on: what follows them is computed again. */
void llm_session_forget(LLMSession *session, size_t first, size_t count, LLMError *error);
/* Nothing stays. */
void llm_session_reset(LLMSession *session, LLMError *error);
/* Another session with the same text, which costs no memory of the KV cache until one of the two
 * goes on. */
LLMSession *llm_session_fork(LLMSession *session, LLMError *error);

/* Write the session to a file, and open one from it. The file has the text's tokens, a few bytes
 * each: keys and values are computed again. One that is damaged, or that a session of another model
 * has written, is LLM_ERROR_FORMAT. */
void llm_session_save(LLMSession *session, const char *path, LLMError *error);
LLMSession *llm_session_load(LLMPipeline *llm, const char *path, LLMError *error);

/* Filled by the library. */
typedef struct LLMSessionInfo {
    size_t size;
    const uint32_t *ids; /* [tokens] the text; of messages, as far as it was generated from */
    size_t tokens;
    size_t messages;
    /* Of the last llm_session_generate: */
    size_t cached;   /* tokens before the first new one that were there already */
    size_t computed; /* and those that were not */
    size_t left_out; /* tokens of the middle that the context was shifted over */
} LLMSessionInfo;
/* Owned by the session, and valid until it changes. */
const LLMSessionInfo *llm_session_info(const LLMSession *session);

/* --- looking inside --- */

/* What a layer's head is called: both count from 0. */
typedef struct LLMHead {
    uint32_t layer, head;
} LLMHead;

/* What is to be seen while the model reads a text of n tokens. Begin with LLM_INSPECTION or
 * llm_inspection(): nothing. Arrays are the caller's, and NULL where they are not wanted; L layers,
 * nh heads and V tokens of the vocabulary are LLMInfo's, m = n − first.
 *
 * The pass runs the kernels that a reader begins with, attention as `attention_scores`,
 * `softmax_inplace` and `attention_mix`: so what is shown is what one reads, and the last digits
 * may differ from those of llm_logits. */
typedef struct LLMInspection {
    size_t size;
    uint32_t first;        /* what comes next is wanted after each position from here on */
    float *logits;         /* [m, V] */
    float *logprobs;       /* [m − 1] ln p of the text's own next token, by all before it */
    float *log_sums;       /* [m] ln Σ exp of the logits: with it a logprob is a logit again */
    LLMLogprob *top;       /* [m, top_count] the likeliest tokens, the likeliest first */
    size_t top_count;      /* at most V */
    LLMLogprob *lens;      /* [L, m, lens_count] the same if the model ended after each layer: the
                              output's norm and matrix on the residual stream (nostalgebraist 2020,
                              the logit lens). The last layer's are those of the model */
    size_t lens_count;     /* at most V */
    uint32_t token;        /* the first position whose attention is wanted; UINT32_MAX: the last */
    uint32_t token_count;  /* and how many from it on; 0: it alone */
    float *attention;      /* [L, nh, token_count, n] how much of each token goes into these: 0 to
                              1, the sum of a row is 1, and what lies after its token or before its
                              window is 0 */
    LLMHead head;          /* whose whole matrix is wanted */
    float *head_attention; /* [n, n] the same of this head: row t is of token t */
    const LLMHead *heads_off; /* [heads_off_count] what these would bring to the projection is 0 */
    size_t heads_off_count;
    const uint32_t *mlps_off; /* [mlps_off_count] layers whose MLP adds nothing to the stream */
    size_t mlps_off_count;
    LLMWaitCallback on_wait; /* NULL: none; if it returns false, that is LLM_ERROR_BUSY */
    void *user;              /* handed to it */
} LLMInspection;

/* Read `tokens` and fill the arrays of `inspection`. Others who use the pipeline wait for one piece
 * of it at a time, of at most 64 tokens, as they do for others' prompts. LLM_ERROR_CONTEXT if the
 * text is longer than the context, LLM_ERROR_NUMERIC if a logit is NaN. */
void llm_inspect(LLMPipeline *llm, const LLMTokens *tokens, const LLMInspection *inspection,
                 LLMError *error);

/* --- measuring --- */

/* What a kernel has cost since llm_timings_reset, if the pipeline was opened with `profile`. */
typedef struct LLMTiming {
    size_t size;
    const char *kernel; /* its name, or "matmul" for the vendor's matrix products */
    uint64_t calls;
    double seconds;
    double bytes; /* read and written at least */
} LLMTiming;
/* Returns their number; *timings is owned by the pipeline and valid until the next call. Go through
 * them with llm_timing, since a later library's are larger. */
size_t llm_timings(LLMPipeline *llm, const LLMTiming **timings);
static inline const LLMTiming *llm_timing(const LLMTiming *timings, size_t index) {
    return (const LLMTiming *)(const void *)((const char *)timings + index * timings->size);
}
void llm_timings_reset(LLMPipeline *llm);

/* A kernel of a pass, and why it is this one. Its texts but `shape` last as long as the program. */
typedef struct LLMPlanStep {
    size_t size;
    const char *step;   /* what it does: "norm", "qkv", "attention" */
    char shape[64];     /* its sizes, by the names of the kernel's parameters: "T=1 K=768 N=2304" */
    const char *kernel; /* its name, or "matmul" for the vendor's matrix products */
    const char *file;   /* of kernels/, or "" */
    const char *why;    /* in a sentence */
    uint64_t calls;     /* in one pass, all layers together */
    double bytes;       /* that they read and write at least */
    double seconds;     /* that they took; 0: nothing was run */
} LLMPlanStep;
typedef struct LLMPlan {
    size_t size;
    LLMPlanStep *steps; /* in the order of their first calls; go through them with llm_plan_step */
    size_t count;
    const char *why; /* of the whole pass */
    uint64_t tokens; /* of a row in one pass: long prompts take several */
    uint32_t *order; /* [calls] which step each call belongs to, one call after the other */
    double *seconds; /* [calls] that each took; 0: nothing was run */
    size_t calls;
} LLMPlan;
/* The kernels of a pass over `tokens` new tokens of each of options.batch rows, and of the sampling
 * after it: on the device that `options` choose, or if `machine` is not NULL on the one that
 * llm_machines has by this name. Nothing is computed. The caller releases the plan with
 * llm_plan_free. Returns NULL and sets `error` on failure. */
LLMPlan *llm_explain(const char *path, const LLMOptions *options, const char *machine,
                     uint32_t tokens, LLMError *error);
/* The kernels of the step that follows `tokens`, and what each of them takes on the pipeline's
 * device. The text is read, then its last token decoded again and again, kernel by kernel: of five
 * times the quickest counts. Apart from each other kernels take longer than in a step of
 * llm_generate, so their sum is more than it takes. Others who use the pipeline wait for a piece of
 * the text or a step at a time. The caller releases the plan with llm_plan_free. Returns NULL and
 * sets `error` on failure; LLM_ERROR_ARGUMENT if there are no tokens. */
LLMPlan *llm_measure(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
/* The names of the machines that llm_explain knows, NULL after the last. */
const char *const *llm_machines(void);
static inline const LLMPlanStep *llm_plan_step(const LLMPlan *plan, size_t index) {
    return (const LLMPlanStep *)(const void *)((const char *)plan->steps +
                                               index * plan->steps->size);
}
void llm_plan_free(LLMPlan *plan);

const char *llm_version(void); /* of the library; LLM_VERSION is that of the header */

/* --- initialisers: LLMOptions options = LLM_OPTIONS; or in Swift var options = llm_options() ---
 */

static inline LLMOptions llm_options(void) {
    static LLMOptions zero;
    LLMOptions options = zero;
    options.size = sizeof options;
    return options;
}
static inline LLMGeneration llm_generation(void) {
    static LLMGeneration zero;
    LLMGeneration generation = zero;
    generation.size = sizeof generation;
    return generation;
}
static inline LLMInspection llm_inspection(void) {
    static LLMInspection zero;
    LLMInspection inspection = zero;
    inspection.size = sizeof inspection;
    inspection.token = UINT32_MAX;
    return inspection;
}
#ifdef __cplusplus
#define LLM_OPTIONS    llm_options()
#define LLM_GENERATION llm_generation()
#define LLM_INSPECTION llm_inspection()
#else
#define LLM_OPTIONS    {.size = sizeof(LLMOptions)}
#define LLM_GENERATION {.size = sizeof(LLMGeneration)}
#define LLM_INSPECTION {.size = sizeof(LLMInspection), .token = UINT32_MAX}
#endif

#ifdef __cplusplus
}
#endif
#endif
