#include "text_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes at the end of the text that begin a UTF-8 character without completing it. */
static size_t unfinished_character(const char *text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];
        if (byte < 0x80) return 0;
        if (byte < 0xC0) continue; /* inside a character: its first byte lies further back */
        size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF8 ? 4 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

/* Bytes at the end of the text that begin a stop text. */
static size_t begun_stop(const TextStream *stream) {
    size_t most = 0;
    for (size_t i = 0; i < stream->stop_count; i++)
        for (size_t n = strlen(stream->stops[i]) - 1; n > most; n--)
            if (n <= stream->count &&
                !memcmp(stream->waiting + stream->count - n, stream->stops[i], n))
                most = n;
    return most;
}

/* Bytes before the first stop text, or `count` if there is none. */
static size_t before_stop(TextStream *stream) {
    size_t first = stream->count;
    for (size_t i = 0; i < stream->stop_count; i++) {
        const char *found =
            memmem(stream->waiting, stream->count, stream->stops[i], strlen(stream->stops[i]));
        if (!found) continue;
        stream->stopped = true;
        if ((size_t)(found - stream->waiting) < first) first = (size_t)(found - stream->waiting);
    }
    return first;
}

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
    if (stream->stopped || error_is_set(stream->error)) return false;
    if (size == 0) return true;
    if (!append(stream, bytes, size)) return false;
    size_t ready = before_stop(stream);
    if (stream->stopped) {
        stream->count = ready;
        return false;
    }
    ready -= begun_stop(stream);
    return write_first(stream, ready - unfinished_character(stream->waiting, ready));
}

void text_stream_end(TextStream *stream, const char *tail) {
    if (append(stream, tail, strlen(tail))) write_first(stream, stream->count);
    free(stream->waiting);
}
