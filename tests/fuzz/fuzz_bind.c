/* The binder on any text: it reads it or refuses it, with one line that names a place, and what it
 * writes of what it has read it writes without a fault. A 0 in the text begins what is included. */
#include "bind/bind.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Texts {
    const char *text;
    size_t size;
} Texts;

/* "main" is what stands in front of the first 0; every other name has all that follows. */
static char *load(void *context, const char *name, unsigned skip, size_t *size, char **path) {
    const Texts *texts = context;
    const char *zero = memchr(texts->text, 0, texts->size);
    size_t first = zero ? (size_t)(zero - texts->text) : texts->size;
    bool is_main = !strcmp(name, "main");
    if (skip || (!is_main && !zero)) return NULL;
    const char *begin = is_main ? texts->text : zero + 1;
    *size = is_main ? first : texts->size - first - 1;
    char *text = malloc(*size + 1);
    memcpy(text, begin, *size);
    text[*size] = 0;
    *path = strdup(name);
    return text;
}

static void check_message(const char *error) {
    if (!*error || strchr(error, '\n')) abort();
}

static void write_all(BoundFile *bound) {
    char *text = NULL, error[256] = "";
    const char *name = "main";
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bind_write_source(bound, out);
    bind_write_table(bound, &name, 1, out);
    bind_write_entries(bound, 1, "cpu", out);
    if (!bind_write_constants(bound, 1, out, error)) check_message(error);
    if (!bind_write_strict(bound, out)) check_message(bound->error);
    fclose(out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Texts texts = {(const char *)data, size};
    char error[256] = "";
    size_t expanded_size;
    char *expanded = bind_expand(load, &texts, "main", &expanded_size, error);
    if (!expanded) {
        check_message(error);
        return 0;
    }
    BoundFile bound;
    if (bind_read(&bound, "main", expanded, expanded_size))
        write_all(&bound);
    else
        check_message(bound.error);
    bind_free(&bound);
    free(expanded);
    return 0;
}
