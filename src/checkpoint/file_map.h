/* file_map.h — a file in memory, mapped or read. */
#ifndef METAL_LLM_FILE_MAP_H
#define METAL_LLM_FILE_MAP_H

#include "error.h"

/* `data` is page-aligned and `size` bytes long; an empty file has data NULL and size 0. */
typedef struct FileMap {
    const unsigned char *data;
    size_t size;
} FileMap;

/* Map `path`; returns false and sets `error` if it cannot be opened, is not a regular file, or
 * cannot be mapped. Release with file_map_close. */
bool file_map_open(FileMap *map, const char *path, LLMError *error);
/* The same with a copy of the file, which may have at most so many bytes: what another program does
 * to it later changes nothing. */
bool file_map_read(FileMap *map, const char *path, size_t most, LLMError *error);
void file_map_close(FileMap *map);
/* Whether a folder has an entry of this name, be it a link to nothing or out of reach: to open it
 * says what is wrong, where to pass over it would hide that. */
bool file_is_listed(const char *path);
/* Sets `error` by errno. Always returns false. */
bool file_cannot_be_opened(const char *path, LLMError *error);

#endif
