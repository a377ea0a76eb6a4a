#include "input.h"
#include "tokens.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_stream(FILE *file, Bytes *bytes, LLMError *error) {
    size_t capacity = 0;
    do {
        if (bytes->size == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            char *data = realloc(bytes->data, capacity);
            if (!data) return error_memory(error, capacity);
            bytes->data = data;
        }
        bytes->size += fread(bytes->data + bytes->size, 1, capacity - bytes->size, file);
    } while (!feof(file) && !ferror(file));
    return true;
}

Bytes read_bytes(const char *path, LLMError *error) {
    Bytes bytes = {0};
    if (error_is_set(error)) return bytes;
    bool is_stdin = !strcmp(path, "-");
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file || (read_stream(file, &bytes, error) && ferror(file)))
        error_set(error, error_status(errno), "%s: cannot be read: %s",
                  is_stdin ? "standard input" : path, strerror(errno));
    if (file && !is_stdin) fclose(file);
    if (error_is_set(error)) {
        free(bytes.data);
        bytes = (Bytes){0};
    }
    return bytes;
}

Bytes copy_bytes(const char *text, LLMError *error) {
    Bytes bytes = {strdup(text), strlen(text)};
    if (!bytes.data) error_memory(error, bytes.size + 1);
    return bytes;
}

bool stdin_is_piped(void) {
    struct stat file;
    return fstat(STDIN_FILENO, &file) == 0 &&
           (S_ISFIFO(file.st_mode) || S_ISREG(file.st_mode) || S_ISSOCK(file.st_mode));
}

/* The id that text[*at] begins with, and *at after it. */
static bool parse_id(const char *text, size_t size, size_t *at, uint32_t *id) {
    uint64_t value = 0;
    size_t first = *at;
    while (*at < size && isdigit((unsigned char)text[*at]) && value <= UINT32_MAX)
        value = 10 * value + (uint64_t)(text[(*at)++] - '0');
    *id = (uint32_t)value;
    bool ends = *at == size || isspace((unsigned char)text[*at]);
    return *at > first && ends && value <= UINT32_MAX;
}

static int word_length(const char *text, size_t size) {
    int length = 0;
    while ((size_t)length < size && length < 40 && !isspace((unsigned char)text[length]))
        length++;
    return length;
}

LLMTokens parse_ids(const char *text, size_t size, LLMError *error) {
    LLMTokens tokens = {0};
    for (size_t at = 0; at < size && !error_is_set(error);) {
        size_t first = at;
        uint32_t id;
        if (isspace((unsigned char)text[at]))
            at++;
        else if (parse_id(text, size, &at, &id))
            tokens_append(&tokens, id, error);
        else
            error_set(error, LLM_ERROR_ARGUMENT,
                      "'%.*s' is not a token id; write whole numbers, separated by spaces",
                      word_length(text + first, size - first), text + first);
    }
    if (error_is_set(error)) llm_tokens_free(&tokens);
    return tokens;
}
