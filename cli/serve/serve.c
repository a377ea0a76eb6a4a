/* serve.c — `metal-llm serve`: a model served through OpenAI's HTTP API. */
#include "../input.h"
#include "../model.h"
#include "../units.h"
#include "listen.h"
#include "server.h"
#include "utf8.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { LAST_WORDS = 5 }; /* seconds */

typedef struct Service {
    Server server;
    const char *path;
    const char *shape, *type; /* of random weights, instead */
    const char *key_file;
    unsigned port;
    LLMError error; /* of the thread that opens the model */
} Service;

/* --- the model --- */

/* Its own name, or else its file's. */
static char *model_name(const Server *server, const LLMPipeline *llm, const char *path) {
    const char *name = server->options.alias, *slash = path ? strrchr(path, '/') : NULL;
    if (!name && *llm_info(llm)->name) name = llm_info(llm)->name;
    if (!name) name = slash ? slash + 1 : path ? path : "default";
    char *copy = strdup(name);
    if (copy) utf8_repair(copy, strlen(copy));
    return copy;
}

static void print_address(const Service *service) {
    const char *host = service->server.options.host;
    bool bracket = strchr(host, ':');
    printf("%s is served at http://%s%s%s:%u\n", service->server.model, bracket ? "[" : "", host,
           bracket ? "]" : "", service->port);
    fflush(stdout);
}

static void *load(void *user) {
    Service *service = user;
    Server *server = &service->server;
    LLMPipeline *llm = service->shape
                           ? model_open_shape(service->shape, service->type,
                                              &service->server.pipeline, &service->error)
                           : model_open(service->path, &service->server.pipeline, &service->error);
    if (llm)
        server->model = model_name(server, llm, service->shape ? service->shape : service->path);
    if (llm && !server->model) error_memory(&service->error, 64);
    if (!llm || service->error.status) {
        kill(getpid(), SIGTERM); /* there is nothing to wait for */
        return NULL;
    }
    server->opened = time(NULL);
    server->llm = llm;
    print_address(service);
    return NULL;
}

/* --- from start to end --- */

static volatile sig_atomic_t ends_wanted;

static void want_end(int signal) {
    (void)signal;
    ends_wanted++;
}

/* Threads that are begun from now on leave the signals to this one, which gets them in wait_for
 * alone. */
static void catch_ends(sigset_t *open) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, open);
    sigdelset(open, SIGTERM);
    sigdelset(open, SIGINT);
    struct sigaction action = {.sa_handler = want_end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Whether there have been so many of them, after at most so long. */
static bool wait_for(int ends, double seconds, const sigset_t *open) {
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    if (ends_wanted < ends) pselect(0, NULL, NULL, NULL, &time, open);
    return ends_wanted >= ends;
}

/* What has begun may end; a second signal makes it short. */
static void let_finish(Server *server, const sigset_t *open) {
    double until = clock_seconds() + server->options.grace;
    while (server->admitted && clock_seconds() < until && !wait_for(2, 0.05, open))
        continue;
    server->ending = true; /* which is still told to those who wait */
    until = clock_seconds() + LAST_WORDS;
    while (server->admitted && clock_seconds() < until && !wait_for(3, 0.05, open))
        continue;
}

/* Until an end is wanted, clients that are late are cut off. */
static void run_daemon(Service *service, int socket, LLMError *error) {
    Server *server = &service->server;
    sigset_t open;
    catch_ends(&open);
    struct MHD_Daemon *daemon = http_start(server, socket, error);
    pthread_t loader;
    if (!daemon) return;
    if (pthread_create(&loader, NULL, load, service)) {
        error_memory(error, 64);
    } else {
        while (!wait_for(1, 1, &open))
            clients_sweep(&server->clients, clock_seconds());
        server->stopping = true;
        int listening = MHD_quiesce_daemon(daemon);
        if (listening >= 0) close(listening);
        let_finish(server, &open);
        if (!server->llm && !service->error.status) _exit(EXIT_SUCCESS); /* still loading */
        pthread_join(loader, NULL);
    }
    MHD_stop_daemon(daemon);
    if (service->error.status) *error = service->error;
}

/* --- the verb --- */

/* The first line of a file, or of the environment. */
static char *read_key(const char *path, LLMError *error) {
    const char *given = getenv("METAL_LLM_API_KEY");
    if (!path && !(given && *given)) return NULL;
    Bytes bytes = path ? read_bytes(path, error) : copy_bytes(given, error);
    size_t size = 0;
    while (size < bytes.size && !strchr("\r\n", bytes.data[size]))
        size++;
    if (!error_is_set(error) && !size)
        error_set(error, LLM_ERROR_ARGUMENT, "%s has no API key in its first line",
                  path ? path : "METAL_LLM_API_KEY");
    char *key = size ? strndup(bytes.data, size) : NULL;
    if (size && !key) error_memory(error, size + 1);
    free(bytes.data);
    return key;
}

static int serve(Service *service) {
    Server *server = &service->server;
    LLMError error = {0};
    server->api_key = read_key(service->key_file, &error);
    int socket = error.status ? -1
                              : listen_at(server->options.host, server->options.port,
                                          &service->port, &error);
    pthread_mutex_init(&server->clients.mutex, NULL);
    if (socket >= 0) run_daemon(service, socket, &error);
    llm_pipeline_close(server->llm);
    pthread_mutex_destroy(&server->clients.mutex);
    free(server->api_key);
    free(server->model);
    return exit_status(&error);
}

int verb_serve(Arguments *arguments) {
    static Service service = {.type = "f16",
                              .server.options = {.host = "127.0.0.1",
                                                 .port = "8080",
                                                 .parallel = 8,
                                                 .queue = 64,
                                                 .timeout = 30,
                                                 .grace = 10,
                                                 .body_most = 16}};
    ServerOptions *server = &service.server.options;
    LLMOptions *pipeline = &service.server.pipeline;
    *pipeline = llm_options();
    const Option options[] = {
        option_text("host", "HOST", &server->host,
                    "where to listen; 0.0.0.0: reached from other machines (default: 127.0.0.1)"),
        option_text("port", "PORT", &server->port, "0: the system chooses (default: 8080)"),
        option_text("alias", "NAME", &server->alias, "what the model is called in replies"),
        option_chat_template(&pipeline->chat_template),
        option_text("api-key", "FILE", &service.key_file,
                    "a file with the key of all clients (default: $METAL_LLM_API_KEY, or none)"),
        option_texts("allow-host", "NAME", &server->hosts,
                     "a name that the server is reached under; may be given several times"),
        option_texts("cors", "ORIGIN", &server->origins,
                     "let web pages of this origin use the server, * all; may be given several "
                     "times"),
        option_uint32("sessions", "N", &server->parallel, 1, 1024,
                      "texts that are generated at the same time"),
        option_uint32("parallel", "N", &server->parallel, 1, 1024, "the same, as others call it"),
        option_uint32("queue", "N", &server->queue, 0, 100000,
                      "requests that may wait; 429 beyond them"),
        option_uint32("timeout", "S", &server->timeout, 2, 3600,
                      "seconds that a client may take to send a request"),
        option_uint32("grace", "S", &server->grace, 0, 86400,
                      "seconds that answers may still take after SIGTERM"),
        option_uint32("body-limit", "MB", &server->body_most, 1, 1024, "size of a request"),
        option_shape(&service.shape),
        option_shape_type(&service.type),
        option_flag("log", &server->logs_requests,
                    "print method, path and status of each request to standard error"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), pipeline, &status)) return status;
    pipeline->sessions = server->parallel;
    service.path = arguments->model;
    return serve(&service);
}
