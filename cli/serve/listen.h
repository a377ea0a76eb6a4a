/* listen.h — the address that a server is reached at. */
#ifndef METAL_LLM_SERVE_LISTEN_H
#define METAL_LLM_SERVE_LISTEN_H

#include "error.h"

/* A socket that listens there; *chosen receives its port, which the system chooses for "0". −1 and
 * `error` on failure. */
int listen_at(const char *host, const char *port, unsigned *chosen, LLMError *error);

#endif
