/* text.c — texts that know where each of their bytes came from. */
#include "jinja.h"
#include "utf8.h"

#include <string.h>

static unsigned char *make_origins(Jinja *jinja, size_t size, Origin origin) {
    unsigned char *origins = jinja_allocate(jinja, size);
    if (origin != FROM_TEMPLATE) memset(origins, origin, size);
    return origins;
}

Text jinja_text(Jinja *jinja, const char *bytes, size_t size, Origin origin) {
    return (Text){.bytes = bytes, .origins = make_origins(jinja, size, origin), .size = size};
}

Text jinja_text_copy(Jinja *jinja, const char *bytes, size_t size, Origin origin) {
    char *copy = jinja_allocate(jinja, size);
    memcpy(copy, bytes, size);
    return jinja_text(jinja, copy, size, origin);
}

Text jinja_literal(Jinja *jinja, const char *string) {
    return jinja_text(jinja, string, strlen(string), FROM_TEMPLATE);
}

bool jinja_text_is(Text text, const char *string) {
    return text.size == strlen(string) && memcmp(text.bytes, string, text.size) == 0;
}

bool jinja_text_equal(Text a, Text b) {
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

int jinja_text_compare(Text a, Text b) {
    int order = memcmp(a.bytes, b.bytes, a.size < b.size ? a.size : b.size);
    if (order == 0) return (a.size > b.size) - (a.size < b.size);
    return order < 0 ? -1 : 1;
}

/* --- building --- */

TextBuilder jinja_builder(Jinja *jinja) {
    return (TextBuilder){jinja, "", (unsigned char *)"", 0, 0, JINJA_MAX_MEMORY};
}

static void reserve(TextBuilder *builder, size_t size) {
    if (size > builder->limit - builder->size)
        jinja_fail(builder->jinja, "the text grows beyond %zu MiB", builder->limit >> 20);
    size_t needed = builder->size + size;
    if (needed <= builder->capacity) return;
    size_t capacity = needed > 2 * builder->capacity ? needed : 2 * builder->capacity;
    char *bytes = jinja_allocate(builder->jinja, capacity);
    unsigned char *origins = jinja_allocate(builder->jinja, capacity);
    if (builder->size) {
        memcpy(bytes, builder->bytes, builder->size);
        memcpy(origins, builder->origins, builder->size);
    }
    builder->bytes = bytes;
    builder->origins = origins;
    builder->capacity = capacity;
}

void jinja_append(TextBuilder *builder, Text text) {
    if (text.size == 0) return;
    reserve(builder, text.size);
    memcpy(builder->bytes + builder->size, text.bytes, text.size);
    memcpy(builder->origins + builder->size, text.origins, text.size);
    builder->size += text.size;
}

void jinja_append_bytes(TextBuilder *builder, const char *bytes, size_t size, Origin origin) {
    if (size == 0) return;
    reserve(builder, size);
    memcpy(builder->bytes + builder->size, bytes, size);
    memset(builder->origins + builder->size, origin, size);
    builder->size += size;
}

void jinja_append_string(TextBuilder *builder, const char *string) {
    jinja_append_bytes(builder, string, strlen(string), FROM_TEMPLATE);
}

Text jinja_built(const TextBuilder *builder) {
    return (Text){.bytes = builder->bytes, .origins = builder->origins, .size = builder->size};
}

Text jinja_concatenate(Jinja *jinja, Text a, Text b) {
    TextBuilder builder = jinja_builder(jinja);
    reserve(&builder, a.size + b.size);
    jinja_append(&builder, a);
    jinja_append(&builder, b);
    return jinja_built(&builder);
}

/* --- characters --- */

size_t jinja_character(Text text, size_t at, uint32_t *character) {
    if (at >= text.size) return 0;
    size_t length = utf8_decode(text.bytes + at, text.size - at, character);
    if (length) return length;
    *character = UINT32_MAX;
    return 1;
}

size_t jinja_length(Jinja *jinja, Text text) {
    jinja_charge(jinja, text.size);
    size_t count = 0;
    uint32_t character;
    for (size_t at = 0; at < text.size; count++)
        at += jinja_character(text, at, &character);
    return count;
}

size_t jinja_offset(Jinja *jinja, Text text, size_t characters) {
    size_t at = 0;
    uint32_t character;
    for (size_t i = 0; i < characters && at < text.size; i++)
        at += jinja_character(text, at, &character);
    jinja_charge(jinja, at);
    return at;
}

Text jinja_part(Text text, size_t from, size_t to) {
    return (Text){text.bytes + from, text.origins + from, to - from, text.safe};
}

void jinja_append_character(TextBuilder *builder, uint32_t c, Origin origin) {
    char bytes[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(first[size] | c);
    jinja_append_bytes(builder, bytes, size, origin);
}

bool jinja_is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}
