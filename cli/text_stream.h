/* text_stream.h — text that comes token by token, to standard output.
 *
 * A token may end in the middle of a UTF-8 character, and may begin a stop text: such bytes wait
 * until it is known what they are. Everything else is written at once.
 */
#ifndef METAL_LLM_TEXT_STREAM_H
#define METAL_LLM_TEXT_STREAM_H

#include "error.h"

/* Zero-initialise all but the first three; release with text_stream_end. */
typedef struct TextStream {
    const char *const *stops; /* texts before which the stream ends */
    size_t stop_count;
    LLMError *error; /* a failed write is recorded here */
    bool stopped;    /* a stop text has come */
    char *waiting;
    size_t count, capacity;
} TextStream;

/* False when the stream has ended: after a stop text, which is not written, or an error. */
bool text_stream_write(TextStream *stream, const char *bytes, size_t size);
/* Write what still waits, whatever it is, and a newline. */
void text_stream_end(TextStream *stream);

#endif
