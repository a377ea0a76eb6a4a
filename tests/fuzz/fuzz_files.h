/* fuzz_files.h — what the fuzzers of files share: bytes go to a file of a folder that is removed at
 * the end. */
#ifndef METAL_LLM_FUZZ_FILES_H
#define METAL_LLM_FUZZ_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fuzz_folder[64];

static void fuzz_require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void fuzz_remove_folder(void) {
    DIR *folder = opendir(fuzz_folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    rmdir(fuzz_folder);
}

/* The path of a file in a folder of this process; of the latest four calls. */
static const char *fuzz_path(const char *name) {
    static char paths[4][128];
    static unsigned calls;
    if (!*fuzz_folder) {
        strcpy(fuzz_folder, P_tmpdir "/metal-llm-fuzz-XXXXXX");
        fuzz_require(mkdtemp(fuzz_folder), "no folder for files");
        atexit(fuzz_remove_folder);
    }
    char *path = paths[calls++ % 4];
    snprintf(path, sizeof *paths, "%s/%s", fuzz_folder, name);
    return path;
}

/* Make `name` in the folder hold exactly these bytes; returns its path. */
static const char *fuzz_write(const char *name, const void *data, size_t size) {
    const char *path = fuzz_path(name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool written = file >= 0 && (!size || write(file, data, size) == (ssize_t)size);
    fuzz_require(written, "a file cannot be written");
    close(file);
    return path;
}

#endif
