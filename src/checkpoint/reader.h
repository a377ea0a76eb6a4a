/* reader.h — a cursor over bytes in memory that cannot leave them.
 *
 * A read past the end sets `failed` and yields zeros; every later read fails too, so that a parser
 * checks once after a group of reads. Numbers are little endian, as on every supported machine.
 */
#ifndef METAL_LLM_READER_H
#define METAL_LLM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Reader {
    const unsigned char *data;
    size_t size, position;
    bool failed;
} Reader;

/* Text inside a file: not NUL-terminated. */
typedef struct Text {
    const char *data;
    size_t size;
} Text;

/* The two arguments of "%.*s", cut to what fits a message. */
#define TEXT_ARGUMENTS(text) (int)((text).size < 80 ? (text).size : 80), (text).data

static inline size_t reader_left(const Reader *reader) {
    return reader->failed ? 0 : reader->size - reader->position;
}

/* The next `size` bytes, or NULL. */
static inline const void *reader_take(Reader *reader, uint64_t size) {
    if (reader->failed || size > reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const unsigned char *taken = reader->data + reader->position;
    reader->position += (size_t)size;
    return taken;
}

static inline uint8_t reader_u8(Reader *reader) {
    const uint8_t *byte = reader_take(reader, 1);
    return byte ? *byte : 0;
}

static inline uint16_t reader_u16(Reader *reader) {
    uint16_t value = 0;
    const void *bytes = reader_take(reader, sizeof value);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t reader_u32(Reader *reader) {
    uint32_t value = 0;
    const void *bytes = reader_take(reader, sizeof value);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t reader_u64(Reader *reader) {
    uint64_t value = 0;
    const void *bytes = reader_take(reader, sizeof value);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}

/* A 64-bit length and so many bytes; empty where they are not all there. */
static inline Text reader_text(Reader *reader) {
    uint64_t size = reader_u64(reader);
    const char *data = reader_take(reader, size);
    return data ? (Text){data, (size_t)size} : (Text){"", 0};
}

static inline bool text_is(Text text, const char *string) {
    return text.size == strlen(string) && memcmp(text.data, string, text.size) == 0;
}

/* Order of two texts, byte by byte, as strcmp. */
static inline int text_compare(Text a, Text b) {
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
