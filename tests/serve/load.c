/* load.c — many clients of `metal-llm serve` at once, good and bad.
 *
 *   load HOST PORT CLIENTS SECONDS SEED
 *
 * Each client asks again and again, and some of the time vanishes in the middle of a stream, stalls
 * before the end of its request, or sends rubbish. Every answer has to be whole, or an error that
 * is the client's own. Prints what was done, or what was wrong: then it fails. The server must have
 * a chat template and a --timeout of at most STALLED seconds. */
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STALLED = 5, PATIENCE = 60, CLIENTS_MOST = 1024, REPLY_MOST = 1 << 20 };

typedef struct Client {
    pthread_t thread;
    uint64_t random;
    char *reply; /* [REPLY_MOST], with a NUL past its end */
    size_t size;
    int status; /* of HTTP; 0: the server closed without a word */
} Client;

static struct addrinfo *server;
static double deadline;
static atomic_bool failed;
static atomic_ullong done[16];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* SplitMix64. */
static uint32_t draw(Client *client, uint32_t below) {
    uint64_t z = client->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % below);
}

static void fail(const Client *client, const char *what) {
    if (atomic_exchange(&failed, true)) return;
    printf("%s; status %d, %zu bytes: %.300s … %.200s\n", what, client->status, client->size,
           client->reply, client->reply + (client->size > 200 ? client->size - 200 : 0));
}

/* --- one connection for each request --- */

static int open_connection(void) {
    struct timeval patience = {.tv_sec = PATIENCE};
    int fd = socket(server->ai_family, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd >= 0 && !connect(fd, server->ai_addr, server->ai_addrlen)) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static void send_all(int fd, const char *bytes, size_t size) {
    ssize_t sent = 0;
    for (; size && sent >= 0; bytes += sent, size -= (size_t)sent)
        if ((sent = send(fd, bytes, size, MSG_NOSIGNAL)) < 0) break;
}

static size_t write_request(char *text, size_t room, const char *path, const char *body) {
    return (size_t)snprintf(text, room,
                            "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            path, strlen(body), body);
}

/* What comes until the server closes, or until there are `most` bytes. */
static void read_reply(Client *client, int fd, size_t most) {
    ssize_t got = 1;
    client->size = 0;
    while (client->size < most && got > 0) {
        got = recv(fd, client->reply + client->size, most - client->size, 0);
        if (got > 0) client->size += (size_t)got;
    }
    client->reply[client->size] = 0;
    client->status = 0;
    sscanf(client->reply, "HTTP/1.1 %d ", &client->status);
    if (got < 0 && most > 1 && now() > deadline + PATIENCE) fail(client, "no end comes");
}

static bool ends_with(const Client *client, const char *end) {
    size_t size = strlen(end);
    return client->size >= size && !strcmp(client->reply + client->size - size, end);
}

/* As long as the header says. */
static bool is_whole(const Client *client) {
    const char *body = strstr(client->reply, "\r\n\r\n"), *length;
    length = strstr(client->reply, "\r\nContent-Length: ");
    return body && length && strtoul(length + 18, NULL, 10) == strlen(body + 4);
}

static void post(Client *client, const char *path, const char *body) {
    char text[4096];
    int fd = open_connection();
    client->status = 0, client->size = 0, *client->reply = 0;
    if (fd < 0) {
        fail(client, "no connection");
        return;
    }
    send_all(fd, text, write_request(text, sizeof text, path, body));
    read_reply(client, fd, REPLY_MOST);
    close(fd);
}

/* --- good clients --- */

static const char *completion_body(Client *client, char *body, size_t room, bool streams) {
    snprintf(body, room,
             "{\"prompt\": \"%s %u\", \"max_tokens\": %u, \"n\": %u, \"stream\": %s, "
             "\"ignore_eos\": true, \"seed\": %u}",
             draw(client, 2) ? "Where is the river, and where is the bear?" : "It is",
             draw(client, 20), 1 + draw(client, 24), 1 + draw(client, 2),
             streams ? "true" : "false", draw(client, 1000));
    return body;
}

static void ask(Client *client) {
    char body[1024];
    post(client, "/v1/completions", completion_body(client, body, sizeof body, false));
    bool good = client->status == 200 && strstr(client->reply, "\"finish_reason\"");
    if ((!good && client->status != 429) || !is_whole(client))
        fail(client, "an answer is not whole");
}

static void check_stream(Client *client) {
    bool good = client->status == 200 && strstr(client->reply, "data: [DONE]\n\n") &&
                strstr(client->reply, "\"finish_reason\":\"length\"") &&
                ends_with(client, "\r\n0\r\n\r\n") && !strstr(client->reply, "\"error\"");
    if (!good && !(client->status == 429 && is_whole(client)))
        fail(client, "a stream is not whole");
}

static void stream(Client *client) {
    char body[1024];
    post(client, "/v1/completions", completion_body(client, body, sizeof body, true));
    check_stream(client);
}

static void chat(Client *client) {
    post(client, "/v1/chat/completions",
         "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": 8, "
         "\"ignore_eos\": true, \"stream\": true, \"stream_options\": {\"include_usage\": true}}");
    check_stream(client);
}

static void tokenize(Client *client) {
    post(client, "/tokenize", "{\"prompt\": \"Where is the river?\"}");
    if (client->status != 200 || !is_whole(client)) fail(client, "no tokens");
}

/* --- bad ones --- */

static void vanish(Client *client) {
    char body[1024], text[4096];
    int fd = open_connection();
    completion_body(client, body, sizeof body, draw(client, 2));
    size_t size = write_request(text, sizeof text, "/v1/completions", body);
    send_all(fd, text, draw(client, 3) ? size : draw(client, (uint32_t)size));
    if (draw(client, 2)) usleep(1000 * draw(client, 100));
    struct linger reset = {.l_onoff = 1};
    if (draw(client, 2)) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void stall(Client *client) {
    char body[1024], text[4096];
    double start = now();
    int fd = open_connection();
    completion_body(client, body, sizeof body, false);
    size_t size = write_request(text, sizeof text, "/v1/completions", body);
    send_all(fd, text, draw(client, (uint32_t)size));
    read_reply(client, fd, REPLY_MOST);
    close(fd);
    if (now() - start > 3 * STALLED) fail(client, "who stalls is not cut off");
    if (client->status >= 200 && client->status < 300) fail(client, "half a request is answered");
}

static void send_rubbish(Client *client) {
    char bytes[2048];
    size_t size = 1 + draw(client, sizeof bytes - 1);
    int fd = open_connection();
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)draw(client, 256);
    if (draw(client, 2)) memcpy(bytes, "POST / HTTP/1.1\r\n", size < 17 ? size : 17);
    send_all(fd, bytes, size);
    shutdown(fd, SHUT_WR);
    read_reply(client, fd, REPLY_MOST);
    close(fd);
    if (client->status >= 200 && client->status < 300) fail(client, "rubbish is answered");
}

static void be_wrong(Client *client) {
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "{\"prompt\": 1}",
                                         "{\"prompt\": \"a\", \"n\": -1}",
                                         "{\"prompt\": \"\\u0000\"}",
                                         "{\"prompt\": \"a\", \"nonesuch\": 1}"};
    post(client, "/v1/completions", bodies[draw(client, sizeof bodies / sizeof *bodies)]);
    if ((client->status != 400 && client->status != 429) || !is_whole(client))
        fail(client, "what is wrong is not refused");
}

/* --- all of them --- */

static const struct {
    const char *name;
    void (*act)(Client *client);
    uint32_t share;
} acts[] = {
    {"answers", ask, 20},         {"streams", stream, 25},  {"chats", chat, 15},
    {"tokens", tokenize, 10},     {"vanished", vanish, 15}, {"stalled", stall, 2},
    {"rubbish", send_rubbish, 8}, {"wrong", be_wrong, 5},
};
enum { ACTS = sizeof acts / sizeof *acts };

static void *act(void *user) {
    Client *client = user;
    while (now() < deadline && !failed) {
        uint32_t at = draw(client, 100), i = 0;
        while (i + 1 < ACTS && at >= acts[i].share)
            at -= acts[i++].share;
        acts[i].act(client);
        done[i]++;
    }
    return NULL;
}

int main(int count, char **arguments) {
    static Client clients[CLIENTS_MOST];
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    if (count != 6 || getaddrinfo(arguments[1], arguments[2], &wanted, &server)) return 2;
    int number = atoi(arguments[3]);
    if (number < 1 || number > CLIENTS_MOST) return 2;
    signal(SIGPIPE, SIG_IGN);
    deadline = now() + atof(arguments[4]);
    for (int i = 0; i < number; i++) {
        clients[i].random = strtoull(arguments[5], NULL, 10) * CLIENTS_MOST + (uint64_t)i;
        clients[i].reply = malloc(REPLY_MOST + 1);
        if (!clients[i].reply || pthread_create(&clients[i].thread, NULL, act, &clients[i]))
            return 2;
    }
    for (int i = 0; i < number; i++) {
        pthread_join(clients[i].thread, NULL);
        free(clients[i].reply);
    }
    freeaddrinfo(server);
    if (failed) return 1;
    for (int i = 0; i < ACTS; i++)
        printf("%s%s %llu", i ? ", " : "", acts[i].name, (unsigned long long)done[i]);
    putchar('\n');
    return 0;
}
