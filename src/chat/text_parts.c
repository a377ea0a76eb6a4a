/* text_parts.c — searching in texts, and taking them apart. */
#include "jinja.h"

#include <string.h>

ptrdiff_t jinja_find(Jinja *jinja, Text text, Text part, size_t from) {
    if (from > text.size) return NOT_FOUND;
    jinja_charge(jinja, text.size - from);
    if (part.size == 0) return (ptrdiff_t)from;
    const char *found = memmem(text.bytes + from, text.size - from, part.bytes, part.size);
    return found ? found - text.bytes : NOT_FOUND;
}

ptrdiff_t jinja_find_last(Jinja *jinja, Text text, Text part) {
    ptrdiff_t last = NOT_FOUND;
    if (part.size == 0) return (ptrdiff_t)text.size;
    for (ptrdiff_t at = 0; (at = jinja_find(jinja, text, part, (size_t)at)) != NOT_FOUND; at++)
        last = at;
    return last;
}

bool jinja_starts_with(Text text, Text prefix) {
    return text.size >= prefix.size && memcmp(text.bytes, prefix.bytes, prefix.size) == 0;
}

bool jinja_ends_with(Text text, Text suffix) {
    return text.size >= suffix.size &&
           memcmp(text.bytes + text.size - suffix.size, suffix.bytes, suffix.size) == 0;
}

/* Whether the character is to be stripped. */
static bool strips(const Text *set, uint32_t wanted) {
    if (!set) return jinja_is_space(wanted);
    uint32_t character;
    for (size_t at = 0, length; (length = jinja_character(*set, at, &character)); at += length)
        if (character == wanted) return true;
    return false;
}

/* The character that ends at `end`: its bytes. */
static size_t character_before(Text text, size_t end, uint32_t *character) {
    for (size_t length = end < 4 ? end : 4; length > 1; length--)
        if (jinja_character(jinja_part(text, 0, end), end - length, character) == length)
            return length;
    jinja_character(text, end - 1, character);
    return 1;
}

Text jinja_strip(Jinja *jinja, Text text, const Text *set, Sides sides) {
    size_t from = 0, to = text.size;
    uint32_t character;
    while (sides & LEFT && from < to) {
        size_t length = jinja_character(text, from, &character);
        if (!strips(set, character)) break;
        from += length;
    }
    while (sides & RIGHT && from < to) {
        size_t length = character_before(text, to, &character);
        if (!strips(set, character)) break;
        to -= length;
    }
    jinja_charge(jinja, (text.size - (to - from)) * (set ? set->size + 1 : 1));
    return jinja_part(text, from, to);
}

/* An empty `old` is found before every character and at the end. */
static Text replace_nothing(Jinja *jinja, Text text, Text new, int64_t count) {
    TextBuilder builder = jinja_builder(jinja);
    uint32_t character;
    size_t at = 0, length;
    for (; count != 0; count -= count > 0) {
        jinja_append(&builder, new);
        if (!(length = jinja_character(text, at, &character))) return jinja_built(&builder);
        jinja_append(&builder, jinja_part(text, at, at + length));
        at += length;
    }
    jinja_append(&builder, jinja_part(text, at, text.size));
    return jinja_built(&builder);
}

Text jinja_replace(Jinja *jinja, Text text, Text old, Text new, int64_t count) {
    if (old.size == 0) return replace_nothing(jinja, text, new, count);
    TextBuilder builder = jinja_builder(jinja);
    size_t at = 0;
    for (ptrdiff_t found; count != 0; count -= count > 0) {
        found = jinja_find(jinja, text, old, at);
        if (found == NOT_FOUND) break;
        jinja_append(&builder, jinja_part(text, at, (size_t)found));
        jinja_append(&builder, new);
        at = (size_t)found + old.size;
    }
    jinja_append(&builder, jinja_part(text, at, text.size));
    return jinja_built(&builder);
}

Text jinja_repeat(Jinja *jinja, Text text, int64_t times) {
    TextBuilder builder = jinja_builder(jinja);
    if (text.size == 0) return text;
    for (int64_t i = 0; i < times; i++)
        jinja_append(&builder, text);
    return jinja_built(&builder);
}
