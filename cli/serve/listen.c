#include "listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 511 };

static unsigned port_of(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size)) return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static int listen_on(const struct addrinfo *address) {
    int fd = socket(address->ai_family, address->ai_socktype, 0), on = 1;
    if (fd < 0) return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, BACKLOG)) return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int listen_at(const char *host, const char *port, unsigned *chosen, LLMError *error) {
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int reason = getaddrinfo(host, port, &wanted, &found);
    if (reason) {
        error_set(error, LLM_ERROR_ARGUMENT, "%s:%s is no address to listen at: %s", host, port,
                  gai_strerror(reason));
        return -1;
    }
    int fd = listen_on(found);
    reason = errno;
    freeaddrinfo(found);
    if (fd >= 0)
        *chosen = port_of(fd);
    else if (reason == EADDRINUSE)
        error_set(error, LLM_ERROR_FILE,
                  "port %s of %s is in use by another program: choose one with --port", port, host);
    else
        error_set(error, LLM_ERROR_FILE, "%s:%s cannot be listened at: %s", host, port,
                  strerror(reason));
    return fd;
}
