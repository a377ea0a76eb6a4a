#include "normalize.h"

#include "utf8.h"
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool normalizer_changes(const Normalizer *normalizer) {
    return normalizer->nfc || normalizer->mark_spaces || normalizer->prefix != PREFIX_NONE;
}

static bool append(NormalizedText *out, const char *text, size_t size, LLMError *error) {
    if (size > out->capacity - out->size) {
        size_t capacity = 2 * (out->size + size);
        char *data = realloc(out->data, capacity);
        if (!data) return error_memory(error, capacity);
        out->data = data;
        out->capacity = capacity;
    }
    if (size > 0) memcpy(out->data + out->size, text, size);
    out->size += size;
    return true;
}

/* --- normalisation form C --- */

/* The characters of a run of text, decomposed. */
typedef struct Characters {
    utf8proc_int32_t *items;
    size_t count, capacity;
} Characters;

/* The most that one character decomposes to. */
enum { MOST_PARTS = 18 };

static utf8proc_propval_t class_of(utf8proc_int32_t character) {
    return utf8proc_get_property(character)->combining_class;
}

static bool decompose(Characters *characters, uint32_t character, LLMError *error) {
    if (characters->capacity - characters->count < MOST_PARTS) {
        size_t capacity = 2 * characters->capacity + 256;
        utf8proc_int32_t *items = realloc(characters->items, capacity * sizeof *items);
        if (!items) return error_memory(error, capacity * sizeof *items);
        characters->items = items;
        characters->capacity = capacity;
    }
    int boundary = 0;
    characters->count += (size_t)utf8proc_decompose_char((utf8proc_int32_t)character,
                                                         characters->items + characters->count,
                                                         MOST_PARTS, UTF8PROC_DECOMPOSE, &boundary);
    return true;
}

/* Sort marks[count] by their class, those of one class in their order. */
static void sort_marks(utf8proc_int32_t *marks, utf8proc_int32_t *sorted, size_t count) {
    size_t start[257] = {0};
    for (size_t i = 0; i < count; i++)
        start[class_of(marks[i]) + 1]++;
    for (int class = 1; class < 257; class++)
        start[class] += start[class - 1];
    for (size_t i = 0; i < count; i++)
        sorted[start[class_of(marks[i])]++] = marks[i];
    memcpy(marks, sorted, count * sizeof *marks);
}

static bool is_sorted(const utf8proc_int32_t *marks, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (class_of(marks[i - 1]) > class_of(marks[i])) return false;
    return true;
}

/* Order the marks after each character. (utf8proc orders them too, in quadratic time.) */
static bool order_marks(Characters *characters, LLMError *error) {
    utf8proc_int32_t *items = characters->items, *sorted = NULL;
    for (size_t at = 0, end; at < characters->count; at = end) {
        for (end = at; end < characters->count && class_of(items[end]) != 0;)
            end++;
        if (!is_sorted(items + at, end - at)) {
            if (!sorted && !(sorted = malloc(characters->count * sizeof *sorted)))
                return error_memory(error, characters->count * sizeof *sorted);
            sort_marks(items + at, sorted, end - at);
        }
        if (end == at) end++;
    }
    free(sorted);
    return true;
}

static bool compose(Characters *characters, NormalizedText *out, LLMError *error) {
    if (!order_marks(characters, error)) return false;
    utf8proc_ssize_t count = utf8proc_normalize_utf32(
        characters->items, (utf8proc_ssize_t)characters->count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t size = utf8proc_encode_char(characters->items[i], bytes);
        if (!append(out, (const char *)bytes, (size_t)size, error)) return false;
    }
    characters->count = 0;
    return true;
}

/* Characters below U+0300 are in form C and join with nothing before them. */
static bool may_change(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] >= 0xCC) return true;
    return false;
}

static bool to_form_c(const char *text, size_t size, NormalizedText *out, LLMError *error) {
    Characters characters = {0};
    bool done = true;
    for (size_t at = 0, length; done && at < size; at += length) {
        uint32_t character;
        length = utf8_decode(text + at, size - at, &character);
        if (length > 0) {
            done = decompose(&characters, character, error);
            continue;
        }
        length = 1;
        done = compose(&characters, out, error) && append(out, text + at, length, error);
    }
    done = done && compose(&characters, out, error);
    free(characters.items);
    return done;
}

/* --- spaces --- */

static bool mark_spaces(const char *text, size_t size, NormalizedText *out, LLMError *error) {
    while (size > 0) {
        const char *space = memchr(text, ' ', size);
        size_t before = space ? (size_t)(space - text) : size;
        if (!append(out, text, before, error) ||
            (space && !append(out, SPACE_MARK, SPACE_MARK_SIZE, error)))
            return false;
        text += before + (space != NULL);
        size -= before + (space != NULL);
    }
    return true;
}

static bool begins_with_space(const Normalizer *normalizer, const char *text, size_t size) {
    bool marked = normalizer->mark_spaces && size >= SPACE_MARK_SIZE &&
                  memcmp(text, SPACE_MARK, SPACE_MARK_SIZE) == 0;
    return marked || (size > 0 && text[0] == ' ');
}

bool normalize(const Normalizer *normalizer, const char *text, size_t size, NormalizedText *out,
               LLMError *error) {
    NormalizedText composed = {0};
    out->size = 0;
    bool done = true;
    if (normalizer->nfc && may_change(text, size)) {
        done = to_form_c(text, size, &composed, error);
        text = composed.data;
        size = composed.size;
    }
    bool prefix =
        size > 0 &&
        (normalizer->prefix == PREFIX_ALWAYS ||
         (normalizer->prefix == PREFIX_MISSING && !begins_with_space(normalizer, text, size)));
    if (done && prefix)
        done = append(out, normalizer->mark_spaces ? SPACE_MARK : " ",
                      normalizer->mark_spaces ? SPACE_MARK_SIZE : 1, error);
    if (done)
        done = normalizer->mark_spaces ? mark_spaces(text, size, out, error)
                                       : append(out, text, size, error);
    free(composed.data);
    return done;
}
