#include "kernel_text.h"

#include "device/kernel.h"
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const KernelSource doc_texts[]; /* the files of docs/kernels/, NULL after the last */

static char *copy(const char *text, size_t size, LLMError *error) {
    char *copied = strndup(text, size);
    return copied ? copied : error_memory(error, size + 1);
}

static char *file_text(const char *folder, const char *file, LLMError *error) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    Bytes bytes = read_bytes(path, error);
    char *text = bytes.data ? copy(bytes.data, bytes.size, error) : NULL;
    free(bytes.data);
    return text;
}

char *kernel_text(const char *folder, const char *file, LLMError *error) {
    if (folder) return file_text(folder, file, error);
    for (size_t i = 0; i < kernel_source_count; i++)
        if (!strcmp(kernel_sources[i].file, file))
            return copy(kernel_sources[i].text, strlen(kernel_sources[i].text), error);
    error_set(error, LLM_ERROR_ARGUMENT, "there is no file '%s' among the kernels", file);
    return NULL;
}

/* --- docs --- */

static const char *next_section(const char *text) {
    const char *heading = strstr(text, "\n## ");
    return heading ? heading + 1 : NULL;
}

/* Whether the first line links to the file. */
static bool is_about(const char *section, const char *file) {
    char link[256];
    snprintf(link, sizeof link, "(../../kernels/%s)", file);
    const char *found = strstr(section, link), *end = strchr(section, '\n');
    return found && end && found < end;
}

char *kernel_page(const char *file, LLMError *error) {
    for (const KernelSource *doc = doc_texts; doc->file; doc++)
        for (const char *section = doc->text; (section = next_section(section));) {
            const char *end = next_section(section);
            if (is_about(section, file))
                return copy(section, end ? (size_t)(end - section) : strlen(section), error);
        }
    return NULL;
}
