/* stream.h — a reply that grows while it is sent, as server-sent events.
 *
 * A thread of its own makes it; the connection's thread waits for its bytes. */
#ifndef METAL_LLM_SERVE_STREAM_H
#define METAL_LLM_SERVE_STREAM_H

#include "problem.h"

#include <microhttpd.h>

typedef struct Stream Stream;

/* `work` makes the events on a thread of its own, `release` frees its state in the end; that is the
 * caller's if there is no stream: NULL if memory or threads are out. While nothing comes for
 * `ping` seconds, a comment keeps the connection open. */
Stream *stream_start(void (*work)(void *state, Stream *stream), void (*release)(void *state),
                     void *state, unsigned ping);
/* NULL if memory is out. */
struct MHD_Response *stream_response(Stream *stream);
/* For `work`: an event with this as its data. False if nobody wants it any more. */
bool stream_send(Stream *stream, const char *data);
bool stream_is_wanted(Stream *stream);
/* Nothing more is wanted; waits for the thread. NULL is fine. */
void stream_free(Stream *stream);

#endif
