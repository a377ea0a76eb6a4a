#include "cuda_cache.h"

#include "hash.h"
#include "output_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CacheHeader {
    char magic[8];
    CacheKey key;
    uint64_t size, hash; /* of the code that follows */
} CacheHeader;

static const char cache_magic[8] = "MLLMCODE";
enum { PATH_BYTES = 4096 };

static bool make_folder(const char *path) {
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

/* False if there is no place for a cache. */
static bool cache_folder(char folder[PATH_BYTES]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (cache && *cache)
        length = snprintf(folder, PATH_BYTES, "%s", cache);
    else if (home && *home)
        length = snprintf(folder, PATH_BYTES, "%s/.cache", home);
    const char name[] = "/metal-llm";
    if (length <= 0 || (size_t)length + sizeof name > PATH_BYTES / 2) return false;
    if (!make_folder(folder)) return false;
    strcpy(folder + length, name);
    return make_folder(folder);
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

void *cuda_cache_read(CacheKey key, size_t *size) {
    char path[PATH_BYTES];
    FILE *file = cache_path(key, path) ? fopen(path, "rb") : NULL;
    if (!file) return NULL;
    void *code = read_code(file, key, size);
    fclose(file);
    return code;
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
    output_file_close(file, &error);
}
