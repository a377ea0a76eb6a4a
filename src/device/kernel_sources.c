#include "kernel_sources.h"

#include "bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *built_in_text(const char *file, LLMError *error) {
    for (size_t i = 0; i < kernel_source_count; i++) {
        if (strcmp(kernel_sources[i].file, file)) continue;
        char *text = strdup(kernel_sources[i].text);
        return text ? text : error_memory(error, strlen(kernel_sources[i].text));
    }
    error_set(error, LLM_ERROR_DEVICE, "there is no kernel file %s", file);
    return NULL;
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

static char *folder_text(const char *folder, const char *file, LLMError *error) {
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    char *text = bind_load(path, &size);
    if (!text) {
        error_set(error, LLM_ERROR_FILE, "%s cannot be read; --kernels wants a copy of kernels/",
                  path);
        return NULL;
    }
    BoundFile bound;
    bool fits = bind_read(&bound, path, text, size);
    if (!fits) error_set(error, LLM_ERROR_DEVICE, "%s", bound.error);
    fits = fits && check_signatures(&bound, file, error);
    bind_free(&bound);
    if (fits) return text;
    free(text);
    return NULL;
}

char *kernel_source_text(const char *folder, const char *file, LLMError *error) {
    return folder ? folder_text(folder, file, error) : built_in_text(file, error);
}
