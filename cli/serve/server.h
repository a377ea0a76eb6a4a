/* server.h — what all requests share, and one request with its reply. */
#ifndef METAL_LLM_SERVE_SERVER_H
#define METAL_LLM_SERVE_SERVER_H

#include "../options.h"
#include "body.h"
#include "clients.h"
#include "metrics.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <time.h>

typedef struct ServerOptions {
    const char *host, *port; /* where it listens */
    const char *alias;       /* what the model is called, NULL: by its own name */
    OptionTexts hosts;       /* names that it is reached under, beside addresses and localhost */
    OptionTexts origins;     /* of web pages that may use it */
    uint32_t parallel;       /* texts generated at the same time */
    uint32_t queue;          /* requests that may wait for that */
    uint32_t timeout;        /* seconds that a client may take to send a request */
    uint32_t grace;          /* seconds that answers may still take when it is to stop */
    uint32_t body_most;      /* MB of a request */
    bool logs_requests;
} ServerOptions;

typedef struct Server {
    ServerOptions options;
    char *api_key;              /* NULL: none is wanted */
    char *model;                /* its name in replies; set before `llm` is */
    time_t opened;              /* likewise */
    LLMOptions pipeline;        /* that it is opened with */
    _Atomic(LLMPipeline *) llm; /* NULL while it is loaded */
    atomic_bool stopping;       /* nothing new is taken */
    atomic_bool ending;         /* what is still going on ends now */
    atomic_uint admitted;       /* requests that generate, or wait for it */
    atomic_ullong answers;      /* so far, for their names */
    Clients clients;
    Metrics metrics;
} Server;

typedef struct Exchange Exchange;

typedef enum RouteFlags {
    ROUTE_OPEN = 1,     /* without a key */
    ROUTE_LOADING = 2,  /* also while the model is loaded */
    ROUTE_ADMITTED = 4, /* it generates, so there can be too many of them */
} RouteFlags;

typedef enum Method { METHOD_GET = 1, METHOD_POST = 2 } Method;

typedef struct Route {
    const char *method, *path;
    void (*answer)(Exchange *exchange);
    unsigned flags;
} Route;

struct Exchange {
    Server *server;
    struct MHD_Connection *connection;
    struct Client *client;
    const Route *route; /* NULL: there is no such */
    unsigned methods;   /* of its path */
    char *bytes;        /* [size] of the body, and a NUL */
    size_t size, capacity;
    Body body;
    Problem problem; /* if it is set, it is the reply */
    bool admitted;
    /* The reply. */
    char policy[320]; /* what a page may do; "": nothing */
    unsigned status;
    struct MHD_Response *response;
    struct Stream *stream; /* a reply that grows; NULL: it is whole */
};

extern const Route routes[];
/* NULL where there is none; *methods says by which the path can be asked for, 0: by none. */
const Route *route_find(const char *method, const char *path, unsigned *methods);

/* Whether a request may be answered at all: its Host, its Origin, its key, what it says of its
 * body. Else its problem is set. */
bool guard_check(Exchange *exchange, const char *method);
/* The headers that let a web page of a listed origin read the reply. */
void guard_add_headers(Exchange *exchange);

/* Replies. The JSON is taken over; NULL stands for one that memory was out for. */
void reply_json(Exchange *exchange, unsigned status, cJSON *json);
void reply_text(Exchange *exchange, unsigned status, const char *type, const char *text);
/* A file of this folder, which is built in. */
void reply_file(Exchange *exchange, const char *type, const char *name);
void reply_problem(Exchange *exchange);

/* The MHD side: start, stop taking connections, and end. NULL and `error` on failure. */
struct MHD_Daemon *http_start(Server *server, int socket, LLMError *error);

/* The routes. */
void answer_health(Exchange *exchange);
void answer_models(Exchange *exchange);
void answer_metrics(Exchange *exchange);
void answer_tokenize(Exchange *exchange);
void answer_detokenize(Exchange *exchange);
void answer_tokenizer_info(Exchange *exchange);
void answer_apply_template(Exchange *exchange);
void answer_completions(Exchange *exchange);
void answer_embeddings(Exchange *exchange);
void answer_openapi(Exchange *exchange);
void answer_chat(Exchange *exchange);
void answer_page(Exchange *exchange);
void answer_inspect(Exchange *exchange);
void answer_inspect_facts(Exchange *exchange);
void answer_inspect_kernels(Exchange *exchange);

#endif
