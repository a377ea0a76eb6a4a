/* bind — writes what a target needs to call the kernels of .metal files.
 *
 *   bind source FILE.metal             C++ of one file with its entry points, to stdout
 *   bind strict FILE.metal             the same for the strict check, in C++ for OpenCL
 *   bind table FILE.metal …            C: the table of all kernels and their embedded texts
 *   bind entries PREFIX FILE.metal …   C: the entry points of one target, in the table's order
 *   bind texts NAME FILE …             C: the texts of any files
 */
#include "bind.h"

#include <stdlib.h>
#include <string.h>

/* Kernels that are called from C say which index a buffer has. */
static bool check_numbers(const BoundFile *file) {
    for (size_t k = 0; k < file->kernel_count; k++) {
        const BoundKernel *kernel = &file->kernels[k];
        for (unsigned i = 0; i < kernel->count; i++) {
            if (!kernel->parameter[i].numbered) continue;
            fprintf(stderr, "%s:%d: parameter '%s' has no [[attribute]]\n", file->path,
                    kernel->line, kernel->parameter[i].name);
            return false;
        }
    }
    return true;
}

/* With `kernels` false the files may hold anything. */
static bool read_all(BoundFile *files, char **paths, size_t count, bool kernels) {
    for (size_t i = 0; i < count; i++) {
        size_t size;
        char *text = bind_load(paths[i], &size);
        if (!text) {
            fprintf(stderr, "bind: %s: cannot be read\n", paths[i]);
            return false;
        }
        files[i] = (BoundFile){.path = paths[i], .text = text, .size = size};
        if (kernels && !bind_read(&files[i], paths[i], text, size)) {
            fprintf(stderr, "%s\n", files[i].error);
            return false;
        }
        if (kernels && !check_numbers(&files[i])) return false;
    }
    return true;
}

static void free_all(BoundFile *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free((void *)files[i].text);
        bind_free(&files[i]);
    }
    free(files);
}

int main(int count, char **arguments) {
    const char *verb = count > 2 ? arguments[1] : "";
    bool source = !strcmp(verb, "source"), table = !strcmp(verb, "table");
    bool entries = !strcmp(verb, "entries"), texts = !strcmp(verb, "texts");
    bool strict = !strcmp(verb, "strict");
    int first = entries || texts ? 3 : 2;
    if (count <= first || !(source || strict || table || entries || texts)) {
        fputs("usage: bind source FILE | bind strict FILE | bind table FILE… | "
              "bind entries PREFIX FILE… | bind texts NAME FILE…\n",
              stderr);
        return 2;
    }
    size_t file_count = (size_t)(count - first);
    BoundFile *files = calloc(file_count, sizeof *files);
    if (!files || !read_all(files, arguments + first, file_count, !texts)) {
        free_all(files, files ? file_count : 0);
        return 1;
    }
    bool written = true;
    if (source)
        bind_write_source(&files[0], stdout);
    else if (strict)
        written = bind_write_strict(&files[0], stdout);
    else if (table)
        bind_write_table(files, file_count, stdout);
    else if (entries)
        bind_write_entries(files, file_count, arguments[2], stdout);
    else
        bind_write_texts(files, file_count, arguments[2], stdout);
    if (!written) fprintf(stderr, "%s\n", files[0].error);
    free_all(files, file_count);
    return written && fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
