/* text_stream.h — text that comes token by token, to standard output.
 *
 * A token may end in the middle of a UTF-8 character: such bytes wait for the rest of it.
 * Everything else is written at once, unless it is held until the end. On a terminal, control
 * characters but newline and tab become
 * '?'.
 */
#ifndef METAL_LLM_TEXT_STREAM_H
#define METAL_LLM_TEXT_STREAM_H

#include "error.h"

typedef struct TextStream {
    LLMError *error;  /* a failed write is recorded here */
    bool is_terminal; /* standard output is */
    bool held;        /* all of it waits for the end */
    char *waiting;
    size_t count, capacity;
} TextStream;

/* To be released with text_stream_end. */
TextStream text_stream_begin(LLMError *error);
/* False after an error. */
bool text_stream_write(TextStream *stream, const char *bytes, size_t size);
/* Write what still waits, whatever it is, and `tail` after it. */
void text_stream_end(TextStream *stream, const char *tail);

#endif
