#include "error.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_kept(char c, const char *kept) {
    return c && strchr(kept, c);
}

/* U+0080 to U+009F are control characters, too: a terminal takes U+009B for an escape and '['. */
static bool is_control(uint32_t character) {
    return character < ' ' || (character >= 0x7F && character < 0xA0);
}

void make_printable(char *text, size_t size, const char *kept) {
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t length = utf8_decode(text + at, size - at, &character);
        bool shown = length && (!is_control(character) || is_kept(text[at], kept));
        if (length == 0) length = 1; /* no UTF-8: in another encoding it could be one of them */
        if (!shown) memset(text + at, '?', length);
        at += length;
    }
}

/* Copy a message that may be too long: what is cut out is its middle, since a long path stands
 * before the reason. */
static void copy_shortened(char *out, size_t size, const char *message) {
    static const char gap[] = "...";
    size_t length = strlen(message), head = size / 3;
    if (length < size) {
        memcpy(out, message, length + 1);
        return;
    }
    while (((unsigned char)message[head] & 0xC0) == 0x80) /* inside a character */
        head--;
    const char *tail = message + length - (size - 1 - strlen(gap) - head);
    while (((unsigned char)*tail & 0xC0) == 0x80)
        tail++;
    snprintf(out, size, "%.*s%s%s", (int)head, message, gap, tail);
}

bool error_set(LLMError *error, LLMStatus status, const char *format, ...) {
    char message[8192]; /* with a path or two of PATH_MAX */
    if (!error || error->status != LLM_OK) return false;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    make_printable(message, strlen(message), "");
    copy_shortened(error->message, sizeof error->message, message);
    return false;
}

void *error_memory(LLMError *error, size_t bytes) {
    error_set(error, LLM_ERROR_MEMORY,
              "out of memory: could not allocate %.1f MiB; use a smaller model, context or batch",
              (double)bytes / (1 << 20));
    return NULL;
}
