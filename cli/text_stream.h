/* text_stream.h — text that comes token by token, to standard output.
 *
 * A token may end in the middle of a UTF-8 character, and may begin a stop text: such bytes wait
 * until it is known what they are. Everything else is written at once.
 * On a terminal, control characters but newline and tab become '?'.
 */
#ifndef METAL_LLM_TEXT_STREAM_H
#define METAL_LLM_TEXT_STREAM_H

#include "error.h"

typedef struct TextStream {
    const char *const *stops; /* texts before which the stream ends */
    size_t stop_count;
    LLMError *error;  /* a failed write is recorded here */
    bool is_terminal; /* standard output is */
    bool stopped;     /* a stop text has come */
    char *waiting;
    size_t count, capacity;
} TextStream;

/* Without stop texts, which may be added; to be released with text_stream_end. */
TextStream text_stream_begin(LLMError *error);
/* False when the stream has ended: after a stop text, which is not written, or an error. */
bool text_stream_write(TextStream *stream, const char *bytes, size_t size);
/* Write what still waits, whatever it is, and `tail` behind it. */
void text_stream_end(TextStream *stream, const char *tail);

#endif
