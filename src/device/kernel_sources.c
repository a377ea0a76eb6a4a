#include "kernel_sources.h"

#include "bind/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where kernels come from: a target's own parts first, then a folder, or what is built in. */
typedef struct Origin {
    const KernelParts *parts; /* may be NULL */
    const char *folder;       /* NULL: built in */
} Origin;

static char *find_source(const KernelSource *sources, size_t count, const char *name, size_t *size,
                         char **path) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(sources[i].file, name)) continue;
        *size = strlen(sources[i].text);
        *path = strdup(name);
        return strdup(sources[i].text);
    }
    return NULL;
}

/* A BindLoad. */
static char *load(void *context, const char *name, unsigned skip, size_t *size, char **path) {
    const Origin *origin = context;
    const KernelParts *parts = origin->parts;
    char *own = parts ? find_source(parts->part, parts->count, name, size, path) : NULL;
    if (own && skip-- == 0) return own;
    if (own) free(*path);
    free(own);
    if (origin->folder)
        return bind_load_from(&(BindFolders){&origin->folder, 1}, name, skip, size, path);
    return skip ? NULL : find_source(kernel_sources, kernel_source_count, name, size, path);
}

static char *built_in_text(const char *file, const KernelParts *parts, size_t *size,
                           LLMError *error) {
    char message[256];
    Origin origin = {.parts = parts};
    char *text = bind_expand(load, &origin, file, size, message);
    if (!text) error_set(error, LLM_ERROR_DEVICE, "of the kernels built in, %s", message);
    return text;
}

static const BoundParameter *find_parameter(const BoundKernel *kernel,
                                            const KernelParameter *wanted) {
    static const BoundKind kinds[] = {[PARAMETER_READ] = BOUND_BUFFER,
                                      [PARAMETER_WRITE] = BOUND_BUFFER,
                                      [PARAMETER_CONSTANT] = BOUND_CONSTANT,
                                      [PARAMETER_THREADGROUP] = BOUND_THREADGROUP};
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        if (parameter->kind == kinds[wanted->kind] && parameter->index == wanted->index &&
            parameter->writable == (wanted->kind == PARAMETER_WRITE) &&
            !strcmp(parameter->type, wanted->type))
            return parameter;
    }
    return NULL;
}

static bool same_signature(const BoundKernel *kernel, const Kernel *wanted) {
    unsigned arguments = 0;
    for (unsigned i = 0; i < kernel->count; i++)
        arguments += kernel->parameter[i].kind != BOUND_BUILTIN;
    for (unsigned i = 0; i < wanted->parameter_count; i++)
        if (!find_parameter(kernel, &wanted->parameters[i])) return false;
    return arguments == wanted->parameter_count;
}

/* Every kernel that the program has of this file must be there. */
static bool check_signatures(const BoundFile *bound, const char *file, LLMError *error) {
    for (size_t i = 0; i < kernel_count; i++) {
        if (strcmp(kernel_table[i].file, file)) continue;
        bool found = false;
        for (size_t k = 0; k < bound->kernel_count && !found; k++)
            found = !strcmp(bound->kernels[k].name, kernel_table[i].name) &&
                    same_signature(&bound->kernels[k], &kernel_table[i]);
        if (!found)
            return error_set(error, LLM_ERROR_DEVICE,
                             "%s: '%s' is not there with the parameters that the program was built "
                             "with; run make to change them",
                             bound->path, kernel_table[i].name);
    }
    return true;
}

/* The constant of a file that is called `name` in the folder of kernels. */
static const BoundValue *find_value(const BoundFile *bound, const BoundValue *wanted) {
    for (size_t i = 0; i < bound->value_count; i++) {
        const BoundValue *value = &bound->values[i];
        int longer = value->place.path_length - wanted->place.path_length;
        if (longer > 0 && value->place.path[longer - 1] == '/' &&
            !strncmp(value->place.path + longer, wanted->place.path,
                     (size_t)wanted->place.path_length) &&
            !strcmp(value->name, wanted->name))
            return value;
    }
    return NULL;
}

/* What the host shares with the kernels of this file must be as the program was built with it. */
static bool check_values(const BoundFile *bound, const BoundFile *built_in, LLMError *error) {
    for (size_t i = 0; i < built_in->value_count; i++) {
        const BoundValue *wanted = &built_in->values[i];
        if (!wanted->is_shared) continue;
        const BoundValue *value = find_value(bound, wanted);
        if (!value || value->value != wanted->value)
            return error_set(error, LLM_ERROR_DEVICE,
                             "%s: the program was built with %s = %lld; run make to change it",
                             bound->path, wanted->name, wanted->value);
    }
    return true;
}

/* `text`, of a folder, has the kernels and the shared constants that the program knows? */
static bool fits_program(const char *file, const char *path, const char *text, size_t size,
                         LLMError *error) {
    size_t built_in_size;
    BoundFile bound = {0}, built_in = {0};
    char *own = built_in_text(file, NULL, &built_in_size, error);
    bool fits = own != NULL;
    if (fits && !bind_read(&bound, path, text, size))
        fits = error_set(error, LLM_ERROR_DEVICE, "%s", bound.error);
    if (fits && !bind_read(&built_in, file, own, built_in_size))
        fits = error_set(error, LLM_ERROR_DEVICE, "%s", built_in.error);
    fits = fits && check_signatures(&bound, file, error) && check_values(&bound, &built_in, error);
    bind_free(&bound);
    bind_free(&built_in);
    free(own);
    return fits;
}

static char *folder_text(const char *folder, const char *file, const KernelParts *parts,
                         LLMError *error) {
    char path[4096], message[256];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    char *text = bind_load(path, &size);
    if (!text) {
        error_set(error, LLM_ERROR_FILE, "%s cannot be read; --kernels wants a copy of kernels/",
                  path);
        return NULL;
    }
    free(text);
    Origin origin = {parts, folder};
    text = bind_expand(load, &origin, file, &size, message);
    if (!text) error_set(error, LLM_ERROR_FILE, "%s", message);
    if (text && fits_program(file, path, text, size, error)) return text;
    free(text);
    return NULL;
}

char *kernel_source_text(const char *folder, const char *file, const KernelParts *parts,
                         LLMError *error) {
    size_t size;
    return folder ? folder_text(folder, file, parts, error)
                  : built_in_text(file, parts, &size, error);
}
