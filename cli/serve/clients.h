/* clients.h — who is connected, and since when they owe the rest of a request. */
#ifndef METAL_LLM_SERVE_CLIENTS_H
#define METAL_LLM_SERVE_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>

typedef struct Client {
    int socket;
    double deadline; /* when it is cut off, by clock_seconds; 0: it waits for us */
    struct Client *next;
} Client;

typedef struct Clients {
    pthread_mutex_t mutex;
    Client *first;
} Clients;

/* NULL if memory is out. */
Client *clients_add(Clients *clients, int socket, double deadline);
void clients_remove(Clients *clients, Client *client);
void clients_set_deadline(Clients *clients, Client *client, double deadline);
/* Cut off those whose deadline has passed. */
void clients_sweep(Clients *clients, double now);

/* Whether nobody listens any more at the other end of a socket. */
bool client_is_gone(int socket);

#endif
