#include "clients.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef POLLRDHUP /* Linux alone says it where there is something to be read, too */
#define POLLRDHUP 0
#endif

Client *clients_add(Clients *clients, int socket, double deadline) {
    Client *client = malloc(sizeof *client);
    if (!client) return NULL;
    pthread_mutex_lock(&clients->mutex);
    *client = (Client){socket, deadline, clients->first};
    clients->first = client;
    pthread_mutex_unlock(&clients->mutex);
    return client;
}

void clients_remove(Clients *clients, Client *client) {
    pthread_mutex_lock(&clients->mutex);
    Client **link = &clients->first;
    while (*link && *link != client)
        link = &(*link)->next;
    if (*link) *link = client->next;
    pthread_mutex_unlock(&clients->mutex);
    free(client);
}

void clients_set_deadline(Clients *clients, Client *client, double deadline) {
    if (!client) return;
    pthread_mutex_lock(&clients->mutex);
    client->deadline = deadline;
    pthread_mutex_unlock(&clients->mutex);
}

void clients_sweep(Clients *clients, double now) {
    pthread_mutex_lock(&clients->mutex);
    for (Client *client = clients->first; client; client = client->next)
        if (client->deadline > 0 && client->deadline < now) shutdown(client->socket, SHUT_RDWR);
    pthread_mutex_unlock(&clients->mutex);
}

bool client_is_gone(int socket) {
    struct pollfd look = {.fd = socket, .events = POLLIN | POLLRDHUP};
    char byte;
    if (poll(&look, 1, 0) <= 0) return false;
    if (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) return true;
    return look.revents & POLLIN && recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}
