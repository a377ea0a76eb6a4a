#include "file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a clone has in place of large files where Git LFS is not installed. */
static bool check_contents(const FileMap *map, const char *path, LLMError *error) {
    static const char pointer[] = "version https://git-lfs.github.com/spec/";
    size_t size = strlen(pointer);
    if (map->size < size || memcmp(map->data, pointer, size) != 0) return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: a Git LFS pointer, which stands for the file itself; run `git lfs pull` "
                     "in its folder",
                     path);
}

/* Puts a file of map->size bytes, more than none, at map->data. */
typedef bool Filler(FileMap *map, int descriptor, const char *path, LLMError *error);

static bool map_contents(FileMap *map, int descriptor, const char *path, LLMError *error) {
    /* Shared: a GPU may be shown the pages themselves. */
    void *data = mmap(NULL, map->size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED)
        return error_set(error, error_status(errno), "%s: cannot be mapped into memory: %s", path,
                         strerror(errno));
    map->data = data;
    return true;
}

static bool read_contents(FileMap *map, int descriptor, const char *path, LLMError *error) {
    enum { PART = 1 << 30 }; /* some systems read no more at once */
    char *data = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return error_memory(error, map->size);
    map->data = (unsigned char *)data;
    for (size_t at = 0; at < map->size;) {
        size_t left = map->size - at;
        ssize_t got = read(descriptor, data + at, left < PART ? left : PART);
        if (got == 0)
            return error_set(error, LLM_ERROR_FILE,
                             "%s: it became shorter while it was read; try again", path);
        if (got < 0 && errno != EINTR)
            return error_set(error, error_status(errno), "%s: cannot be read: %s", path,
                             strerror(errno));
        if (got > 0) at += (size_t)got;
    }
    return true;
}

static bool fill_map(FileMap *map, Filler *fill, size_t most, int descriptor, const char *path,
                     LLMError *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_set(error, error_status(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, LLM_ERROR_FILE, "%s: not a regular file", path);
    map->size = (size_t)status.st_size;
    if (map->size > most)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %zu bytes, where at most %zu are possible; the file is corrupt", path,
                         map->size, most);
    return map->size == 0 ||
           (fill(map, descriptor, path, error) && check_contents(map, path, error));
}

bool file_cannot_be_opened(const char *path, LLMError *error) {
    struct stat status;
    int reason = errno;
    const char *why = strerror(reason);
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) {
        if (reason == ENOENT) why = "the link leads to nothing";
        if (reason == ELOOP) why = "the link leads in a circle";
    }
    return error_set(error, error_status(reason), "%s: cannot be opened: %s", path, why);
}

static bool open_map(FileMap *map, Filler *fill, size_t most, const char *path, LLMError *error) {
    *map = (FileMap){0};
    /* Not to wait for the other end of a FIFO, which is refused. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return file_cannot_be_opened(path, error);
    bool filled = fill_map(map, fill, most, descriptor, path, error);
    if (!filled) file_map_close(map);
    close(descriptor);
    return filled;
}

bool file_map_open(FileMap *map, const char *path, LLMError *error) {
    return open_map(map, map_contents, SIZE_MAX, path, error);
}

bool file_map_read(FileMap *map, const char *path, size_t most, LLMError *error) {
    return open_map(map, read_contents, most, path, error);
}

bool file_is_listed(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

void file_map_close(FileMap *map) {
    if (map->data) munmap((void *)map->data, map->size);
    *map = (FileMap){0};
}
