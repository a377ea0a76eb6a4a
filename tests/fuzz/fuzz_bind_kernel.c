/* The binder as metal-check asks it, on any text: it reads the file, refuses single kernels of it,
 * each with one line that names a place, and writes out every other one without a fault. */
#include "bind/bind.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void check_message(const char *error) {
    if (!*error || strchr(error, '\n')) abort();
}

static void write_kernel(const BoundFile *file, const BoundKernel *kernel) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool written = bind_write_kernel(file, kernel, out);
    fclose(out);
    if (!written || !size) abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BoundFile file;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (!bind_read_some(&file, "main", text, size)) check_message(file.error);
    for (size_t i = 0; !*file.error && i < file.kernel_count; i++) {
        if (file.kernels[i].refused)
            check_message(file.kernels[i].refused);
        else
            write_kernel(&file, &file.kernels[i]);
    }
    bind_free(&file);
    free(text);
    return 0;
}
