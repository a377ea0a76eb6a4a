#include "text_stream.h"
#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool append(TextStream *stream, const char *bytes, size_t size) {
    if (size == 0) return true;
    if (size > stream->capacity - stream->count) {
        size_t capacity = 2 * stream->capacity + size + 64;
        char *waiting = realloc(stream->waiting, capacity);
        if (!waiting) return error_memory(stream->error, capacity);
        stream->waiting = waiting;
        stream->capacity = capacity;
    }
    memcpy(stream->waiting + stream->count, bytes, size);
    stream->count += size;
    return true;
}

static bool write_first(TextStream *stream, size_t size) {
    if (size == 0) return true;
    if (stream->is_terminal) make_printable(stream->waiting, size, "\n\t");
    if (fwrite(stream->waiting, 1, size, stdout) != size || fflush(stdout))
        return error_set(stream->error, LLM_ERROR_FILE, "the text cannot be written: %s",
                         strerror(errno));
    stream->count -= size;
    memmove(stream->waiting, stream->waiting + size, stream->count);
    return true;
}

TextStream text_stream_begin(LLMError *error) {
    return (TextStream){.error = error, .is_terminal = isatty(STDOUT_FILENO)};
}

bool text_stream_write(TextStream *stream, const char *bytes, size_t size) {
    if (error_is_set(stream->error)) return false;
    if (size == 0) return true;
    if (!append(stream, bytes, size)) return false;
    return stream->held || write_first(stream, utf8_whole(stream->waiting, stream->count));
}

void text_stream_end(TextStream *stream, const char *tail) {
    if (append(stream, tail, strlen(tail))) write_first(stream, stream->count);
    free(stream->waiting);
}
