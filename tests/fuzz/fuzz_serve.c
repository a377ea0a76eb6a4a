/* fuzz_serve.c — libFuzzer target for what strangers send to `metal-llm serve`.
 *
 * The input is what goes over the wire; if it begins with a slash, its first line is a path and the
 * rest the body of a request that is otherwise as it should be. The server answers on its own
 * threads, and must have come to an end with it when the connection is closed. */
#include "../../cli/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Server server = {
    .options = {.host = "127.0.0.1", .parallel = 2, .queue = 2, .timeout = 10, .body_most = 1}};
static struct sockaddr_un address; /* a port could not be used as often */
static socklen_t address_size = sizeof address;

static void require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* The system chooses the address. */
static int listen_anywhere(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    address.sun_family = AF_UNIX;
    require(fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) &&
                !listen(fd, 16) && !getsockname(fd, (struct sockaddr *)&address, &address_size),
            "no socket to listen at");
    return fd;
}

/* From the repository's root. */
int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    LLMError error = {0};
    LLMOptions options = llm_options();
    options.device = LLM_CPU;
    options.threads = 1;
    options.sessions = server.options.parallel;
    options.context = 64;
    options.chat_template = "chatml";
    server.model = "tales";
    server.llm = llm_pipeline_open("models/tales.gguf", &options, &error);
    require(server.llm, error.message);
    pthread_mutex_init(&server.clients.mutex, NULL);
    require(http_start(&server, listen_anywhere(), &error), error.message);
    return 0;
}

static void send_all(int fd, const void *bytes, size_t size) {
    const char *at = bytes;
    for (ssize_t sent; size; at += sent, size -= (size_t)sent)
        if ((sent = send(fd, at, size, MSG_NOSIGNAL)) <= 0) return;
}

static void send_request(int fd, const uint8_t *data, size_t size) {
    const uint8_t *line = memchr(data, '\n', size), *end = data + size;
    char head[512];
    if (!size || *data != '/' || !line || line - data > 200) {
        send_all(fd, data, size);
        return;
    }
    int length = snprintf(head, sizeof head,
                          "POST %.*s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                          "application/json\r\nContent-Length: %zu\r\n\r\n",
                          (int)(line - data), (const char *)data, (size_t)(end - line - 1));
    send_all(fd, head, (size_t)length);
    send_all(fd, line + 1, (size_t)(end - line - 1));
}

/* Who has sent all is taken to have left, so nothing is generated for long. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char reply[4096], first[16] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    require(!connect(fd, (struct sockaddr *)&address, address_size), "no connection");
    send_request(fd, data, size);
    shutdown(fd, SHUT_WR);
    for (ssize_t got; (got = recv(fd, reply, sizeof reply, 0)) > 0;)
        if (!*first) memcpy(first, reply, got < 15 ? (size_t)got : 15);
    close(fd);
    require(!*first || !memcmp(first, "HTTP/1.", strnlen(first, 7)), "a reply that is no HTTP");
    require(!strstr(first, " 500"), "an error of the server's own");
    return 0;
}
