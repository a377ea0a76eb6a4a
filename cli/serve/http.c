/* http.c — requests as libmicrohttpd hands them over, a thread for each connection. */
#include "../units.h"
#include "server.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS_MOST = 1024,
    HEADERS_MOST = 32 << 10, /* bytes of a request without its body */
};

/* --- the beginning of a request --- */

static bool check_route(Exchange *exchange, const char *method, const char *path) {
    if (exchange->route || !strcmp(method, "OPTIONS")) return true;
    if (exchange->methods)
        return problem_set(&exchange->problem, 405, "method_not_allowed", NULL,
                           "%s does not take %s", path, method);
    return problem_set(&exchange->problem, 404, "not_found", NULL, "there is no %s", path);
}

static bool check_size(Exchange *exchange) {
    const char *given = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_CONTENT_LENGTH);
    size_t most = (size_t)exchange->server->options.body_most << 20;
    if (!given || strtoull(given, NULL, 10) <= most) return true;
    return problem_set(&exchange->problem, 413, "body_too_large", NULL,
                       "the body has %s bytes, more than %zu", given, most);
}

static bool check_state(Exchange *exchange) {
    Server *server = exchange->server;
    bool loading = exchange->route && exchange->route->flags & ROUTE_LOADING;
    if (server->stopping) return problem_stopping(&exchange->problem);
    if (server->llm || loading || !exchange->route) return true;
    return problem_set(&exchange->problem, 503, "loading", NULL, "the model is being loaded");
}

/* False if its body is not even read. */
static bool begin(Exchange *exchange, const char *method, const char *path) {
    bool whole = check_size(exchange);
    exchange->route = route_find(method, path, &exchange->methods);
    if (guard_check(exchange, method) && check_route(exchange, method, path)) check_state(exchange);
    return whole;
}

static Exchange *exchange_new(Server *server, struct MHD_Connection *connection) {
    Exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->server = server;
    exchange->connection = connection;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    exchange->client = info ? info->socket_context : NULL;
    return exchange;
}

/* --- its body --- */

static void take_bytes(Exchange *exchange, const char *bytes, size_t size) {
    size_t most = (size_t)exchange->server->options.body_most << 20;
    if (exchange->problem.status) return; /* it is read, and nothing more */
    if (size > most - exchange->size) {
        problem_set(&exchange->problem, 413, "body_too_large", NULL,
                    "the body has more than %zu bytes", most);
        return;
    }
    if (exchange->size + size + 1 > exchange->capacity) {
        size_t capacity = 2 * (exchange->size + size + 1);
        char *larger = realloc(exchange->bytes, capacity);
        if (!larger) {
            problem_memory(&exchange->problem);
            return;
        }
        exchange->bytes = larger;
        exchange->capacity = capacity;
    }
    memcpy(exchange->bytes + exchange->size, bytes, size);
    exchange->bytes[exchange->size += size] = 0;
}

/* --- its answer --- */

static bool admit(Exchange *exchange) {
    Server *server = exchange->server;
    uint32_t most = server->options.parallel + server->options.queue;
    exchange->admitted = true;
    if (atomic_fetch_add(&server->admitted, 1) < most) return true;
    return problem_set(&exchange->problem, 429, "rate_limit_exceeded", NULL,
                       "%u requests are at work or waiting, as many as may be: try again later",
                       most);
}

static void make_answer(Exchange *exchange, const char *method) {
    const Route *route = exchange->route;
    if (exchange->problem.status) return;
    if (!strcmp(method, "OPTIONS")) {
        exchange->status = 204;
        exchange->response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        return;
    }
    if (!strcmp(route->method, "POST") &&
        !body_read(&exchange->body, exchange->bytes ? exchange->bytes : "", exchange->size,
                   &exchange->problem))
        return;
    if (!(route->flags & ROUTE_ADMITTED) || admit(exchange)) route->answer(exchange);
}

static enum MHD_Result reply(Exchange *exchange) {
    if (exchange->problem.status) reply_problem(exchange);
    if (!exchange->response) return MHD_NO; /* memory is out: the connection is closed */
    guard_add_headers(exchange);
    if (exchange->server->stopping)
        MHD_add_response_header(exchange->response, "Connection", "close");
    enum MHD_Result queued =
        MHD_queue_response(exchange->connection, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    atomic_fetch_add(&exchange->server->metrics.replies[exchange->status / 100], 1);
    return queued;
}

static enum MHD_Result answer(Exchange *exchange, const char *method, const char *path) {
    Server *server = exchange->server;
    clients_set_deadline(&server->clients, exchange->client, 0);
    make_answer(exchange, method);
    enum MHD_Result result = reply(exchange);
    if (server->options.logs_requests)
        fprintf(stderr, "%s %s %u\n", method, exchange->route ? path : "-", exchange->status);
    return result;
}

/* --- what libmicrohttpd calls --- */

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes,
                              size_t *size, void **state) {
    (void)version;
    Exchange *exchange = *state;
    if (!exchange) {
        *state = exchange = exchange_new(user, connection);
        if (!exchange) return MHD_NO;
        return begin(exchange, method, path) ? MHD_YES : reply(exchange);
    }
    if (*size) {
        take_bytes(exchange, bytes, *size);
        *size = 0;
        return MHD_YES;
    }
    return answer(exchange, method, path);
}

static void completed(void *user, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode reason) {
    (void)connection, (void)reason;
    Server *server = user;
    Exchange *exchange = *state;
    if (!exchange) return;
    stream_free(exchange->stream); /* its thread has come to its end then */
    if (exchange->admitted) atomic_fetch_sub(&server->admitted, 1);
    clients_set_deadline(&server->clients, exchange->client,
                         clock_seconds() + server->options.timeout);
    body_free(&exchange->body);
    free(exchange->bytes);
    free(exchange);
    *state = NULL;
}

static void connected(void *user, struct MHD_Connection *connection, void **client,
                      enum MHD_ConnectionNotificationCode code) {
    Server *server = user;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        double deadline = clock_seconds() + server->options.timeout;
        *client = info ? clients_add(&server->clients, info->connect_fd, deadline) : NULL;
    } else if (*client) {
        clients_remove(&server->clients, *client);
        *client = NULL;
    }
}

struct MHD_Daemon *http_start(Server *server, int socket, LLMError *error) {
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, socket,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_MOST, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)server->options.timeout,
        MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_NOTIFY_CONNECTION, connected,
        server, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!daemon)
        error_set(error, LLM_ERROR_FILE, "the HTTP server cannot be started: %s", strerror(errno));
    return daemon;
}
