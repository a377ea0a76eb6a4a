#include "sized.h"

#include <string.h>

static bool is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

bool sized_copy(void *out, size_t size, const void *given, const char *name,
                const char *initialisers, LLMError *error) {
    size_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > 1 << 16)
        return error_set(error, LLM_ERROR_ARGUMENT, "the size of %s is %zu: begin with %s", name,
                         given_size, initialisers);
    if (given_size > size && !is_zero((const unsigned char *)given + size, given_size - size))
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "%s has fields set that this library, version %s, lacks: install the "
                         "version that the program was compiled for",
                         name, LLM_VERSION);
    memset(out, 0, size);
    memcpy(out, given, given_size < size ? given_size : size);
    memcpy(out, &size, sizeof size);
    return true;
}
