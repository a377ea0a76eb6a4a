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

static bool map_descriptor(FileMap *map, int descriptor, const char *path, LLMError *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_set(error, error_status(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, LLM_ERROR_FILE, "%s: not a regular file", path);
    map->size = (size_t)status.st_size;
    if (map->size == 0) return true;
    /* Shared: a GPU may be shown the pages themselves. */
    void *data = mmap(NULL, map->size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED)
        return error_set(error, error_status(errno), "%s: cannot be mapped into memory: %s", path,
                         strerror(errno));
    map->data = data;
    return check_contents(map, path, error);
}

bool file_map_open(FileMap *map, const char *path, LLMError *error) {
    *map = (FileMap){0};
    /* Not to wait for the other end of a FIFO, which is refused. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, error_status(errno), "%s: cannot be opened: %s", path,
                         strerror(errno));
    bool mapped = map_descriptor(map, descriptor, path, error);
    if (!mapped) file_map_close(map);
    close(descriptor);
    return mapped;
}

void file_map_close(FileMap *map) {
    if (map->data) munmap((void *)map->data, map->size);
    *map = (FileMap){0};
}
