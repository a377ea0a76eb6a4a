#include "cache.h"
#include "siphash.h"

#include "bind/bind.h"
#include "cache_folder.h"
#include "output_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Key {
    uint64_t words[2];
} Key;

/* A file of ours that nobody else has a right of `mode` to. */
static bool is_own(const struct stat *file, mode_t mode) {
    return S_ISREG(file->st_mode) && file->st_uid == geteuid() && !(file->st_mode & mode);
}

static bool read_key(const char *path, Key *key) {
    struct stat status;
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool done = file >= 0 && fstat(file, &status) == 0 && is_own(&status, 077) &&
                read(file, key, sizeof *key) == sizeof *key;
    if (file >= 0) close(file);
    return done;
}

/* Under its name when it is whole; another process may have been faster. */
static void make_key(const char *path) {
    Key key;
    char temporary[CACHE_FOLDER_BYTES + 32];
    snprintf(temporary, sizeof temporary, "%s-XXXXXX", path);
    int file = mkstemp(temporary);
    if (file < 0) return;
    bool written =
        getrandom(&key, sizeof key, 0) == sizeof key && write(file, &key, sizeof key) == sizeof key;
    if (close(file) == 0 && written && link(temporary, path) != 0) written = false;
    unlink(temporary);
}

static bool find_key(Key *key) {
    char path[CACHE_FOLDER_BYTES + 16];
    if (!cache_folder(path)) return false;
    strcat(path, "/check-key");
    if (read_key(path, key)) return true;
    make_key(path);
    return read_key(path, key);
}

/* The hash stands after the content, for another name it is another. */
static uint64_t seal(const Key *key, const char *path, const char *content, size_t size) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    Key own = {{siphash(key->words, name, strlen(name)), key->words[1]}};
    return siphash(own.words, content, size);
}

bool cache_wrote(const char *path) {
    Key key;
    uint64_t found;
    size_t size;
    struct stat file;
    if (lstat(path, &file) != 0 || !is_own(&file, S_IWGRP | S_IWOTH) || !find_key(&key))
        return false;
    char *content = bind_load(path, &size);
    bool fits = content && size >= sizeof found;
    if (fits) {
        size -= sizeof found;
        memcpy(&found, content + size, sizeof found);
        fits = found == seal(&key, path, content, size);
    }
    free(content);
    return fits;
}

bool cache_keep(const char *compiled, const char *path, LLMError *error) {
    Key key = {{0}};
    size_t size;
    char *content = bind_load(compiled, &size);
    if (!content) return error_set(error, LLM_ERROR_FILE, "%s cannot be read", compiled);
    OutputFile *file = output_file_open(path, error);
    if (file) output_file_write(file, content, size, error);
    uint64_t hash = find_key(&key) ? seal(&key, path, content, size) : 0;
    if (file) output_file_write(file, &hash, sizeof hash, error);
    free(content);
    if (!output_file_close(file, error)) return false;
    return chmod(path, S_IRUSR | S_IWUSR) == 0 ||
           error_set(error, LLM_ERROR_FILE, "%s: its permissions cannot be set", path);
}
