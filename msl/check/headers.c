#include "headers.h"

#include "device/kernel.h"
#include "hash.h"

#include <string.h>
#include <sys/stat.h>

extern const KernelSource simt_headers[]; /* the SIMT target's headers and flags, embedded */
extern const size_t simt_header_count;

static void write_string(const char *text, FILE *file) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', file);
        fputc(*text, file);
    }
}

bool close_whole(FILE *file) {
    bool failed = ferror(file);
    return fclose(file) == 0 && !failed;
}

bool headers_write_overlay(const char *folder, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fputs("{\"version\": 0, \"use-external-names\": false, \"roots\": [{\"type\": \"directory\", "
          "\"name\": \"" HEADERS "\", \"contents\": [",
          file);
    for (size_t i = 0; i < simt_header_count; i++) {
        fprintf(file, "%s\n{\"type\": \"file\", \"name\": \"%s\", \"external-contents\": \"",
                i ? "," : "", simt_headers[i].file);
        write_string(folder, file);
        fprintf(file, "/%s\"}", simt_headers[i].file);
    }
    fputs("]}]}\n", file);
    return close_whole(file);
}

uint64_t headers_key(const char *compiler) {
    struct stat file = {0};
    char version[64];
    stat(compiler, &file); /* another one in its place reads no header of this one */
    snprintf(version, sizeof version, "%lld %lld", (long long)file.st_mtime,
             (long long)file.st_size);
    uint64_t key = hash_bytes(compiler, strlen(compiler)) ^ hash_bytes(version, strlen(version));
    for (size_t i = 0; i < simt_header_count; i++)
        key = (key ^ hash_bytes(simt_headers[i].text, strlen(simt_headers[i].text))) *
              0x9E3779B97F4A7C15u;
    return key;
}

void headers_precompiled(char *path, size_t size, const char *cache, uint64_t key) {
    snprintf(path, size, "%s/%016llx.pch", cache, (unsigned long long)key);
}
