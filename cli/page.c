#include "page.h"

#include "device/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const KernelSource page_texts[]; /* the files of cli/page/, NULL after the last */

static const char *file_text(const char *name, size_t size) {
    for (const KernelSource *file = page_texts; file->file; file++)
        if (strlen(file->file) == size && !strncmp(file->file, name, size)) return file->text;
    return "";
}

static void write_page(FILE *out, const char *text, const char *data) {
    const char *open, *end;
    while ((open = strstr(text, "{{")) && (end = strstr(open, "}}"))) {
        const char *name = open + 2;
        bool is_data = data && !strncmp(name, "data}}", 6);
        fwrite(text, 1, (size_t)(open - text), out);
        fputs(is_data ? data : file_text(name, (size_t)(end - name)), out);
        text = end + 2;
    }
    fputs(text, out);
}

char *page_with_data(const char *name, const char *data, LLMError *error) {
    char *page = NULL;
    size_t size = 0;
    if (error_is_set(error)) return NULL;
    FILE *out = open_memstream(&page, &size);
    if (out) write_page(out, file_text(name, strlen(name)), data);
    bool whole = out && !ferror(out);
    whole = out && fclose(out) == 0 && whole;
    if (whole) return page;
    free(page);
    error_memory(error, size + 1);
    return NULL;
}
