#include "cuda_cache.h"

#include "cache_folder.h"
#include "hash.h"
#include "output_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct CacheHeader {
    char magic[8];
    CacheKey key;
    uint64_t size, hash; /* of the code that follows */
} CacheHeader;

static const char cache_magic[8] = "MLLMCODE";
enum { PATH_BYTES = CACHE_FOLDER_BYTES };

bool cuda_cache_is_writable(void) {
    char folder[PATH_BYTES];
    return cache_folder(folder) && access(folder, W_OK) == 0;
}

static bool cache_path(CacheKey key, char path[PATH_BYTES]) {
    char folder[PATH_BYTES];
    if (!cache_folder(folder)) return false;
    int length = snprintf(path, PATH_BYTES, "%s/%016llx%016llx", folder,
                          (unsigned long long)key.first, (unsigned long long)key.second);
    return length < PATH_BYTES;
}

static bool header_fits(const CacheHeader *header, CacheKey key, uint64_t file_size) {
    return !memcmp(header->magic, cache_magic, sizeof cache_magic) &&
           header->key.first == key.first && header->key.second == key.second &&
           header->size == file_size - sizeof *header;
}

static void *read_code(FILE *file, CacheKey key, size_t *size) {
    struct stat status;
    CacheHeader header;
    if (fstat(fileno(file), &status) || fread(&header, sizeof header, 1, file) != 1 ||
        !header_fits(&header, key, (uint64_t)status.st_size) || header.size == 0)
        return NULL;
    void *code = malloc(header.size);
    *size = header.size;
    if (code && fread(code, header.size, 1, file) == 1 &&
        hash_bytes(code, header.size) == header.hash)
        return code;
    free(code);
    return NULL;
}

/* A regular file, and not what a link leads to; reading marks it as used. */
static FILE *open_code(const char *path) {
    static const struct timespec used_now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return NULL;
    bool usable =
        fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid();
    if (usable) futimens(descriptor, used_now); /* not on a file system that is read-only */
    FILE *file = usable ? fdopen(descriptor, "rb") : NULL;
    if (!file) close(descriptor);
    return file;
}

void *cuda_cache_read(CacheKey key, size_t *size) {
    char path[PATH_BYTES];
    FILE *file = cache_path(key, path) ? open_code(path) : NULL;
    if (!file) return NULL;
    void *code = read_code(file, key, size);
    fclose(file);
    return code;
}

/* --- eviction --- */

enum { FILES_MOST = 1024, DAYS_MOST = 90, SECONDS_PER_DAY = 86400 };
static const uint64_t bytes_most = 256u << 20;

typedef struct CachedFile {
    char name[64];
    time_t used;
    uint64_t size;
} CachedFile;

static int by_last_use(const void *a, const void *b) {
    time_t left = ((const CachedFile *)a)->used, right = ((const CachedFile *)b)->used;
    return (left < right) - (left > right);
}

/* The regular files of the cache's folder. */
static size_t list_files(DIR *directory, CachedFile files[FILES_MOST]) {
    size_t count = 0;
    for (struct dirent *entry; count < FILES_MOST && (entry = readdir(directory));) {
        struct stat status;
        CachedFile *file = &files[count];
        if (strlen(entry->d_name) >= sizeof file->name ||
            fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        *file = (CachedFile){.used = status.st_atime, .size = (uint64_t)status.st_size};
        strcpy(file->name, entry->d_name);
        count++;
    }
    return count;
}

/* Remove what has not been used for long, and the least recently used beyond a sum of sizes. */
static void evict(void) {
    char folder[PATH_BYTES];
    CachedFile *files = malloc(FILES_MOST * sizeof *files);
    DIR *directory = files && cache_folder(folder) ? opendir(folder) : NULL;
    size_t count = directory ? list_files(directory, files) : 0;
    if (count) qsort(files, count, sizeof *files, by_last_use);
    time_t oldest = time(NULL) - (time_t)DAYS_MOST * SECONDS_PER_DAY;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += files[i].size;
        if (files[i].used < oldest || bytes > bytes_most)
            unlinkat(dirfd(directory), files[i].name, 0);
    }
    if (directory) closedir(directory);
    free(files);
}

void cuda_cache_write(CacheKey key, const void *code, size_t size) {
    char path[PATH_BYTES];
    LLMError error = {0};
    CacheHeader header = {.key = key, .size = size, .hash = hash_bytes(code, size)};
    memcpy(header.magic, cache_magic, sizeof cache_magic);
    OutputFile *file = cache_path(key, path) ? output_file_open(path, &error) : NULL;
    if (!file) return;
    output_file_write(file, &header, sizeof header, &error);
    output_file_write(file, code, size, &error);
    if (output_file_close(file, &error)) evict();
}
