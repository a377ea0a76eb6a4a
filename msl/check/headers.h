/* headers.h — <metal_stdlib> as the compiler sees it: in a folder that no system has, so that what
 * is compiled is the same everywhere, and once read it is kept for the next kernel.
 */
#ifndef METAL_LLM_MSL_CHECK_HEADERS_H
#define METAL_LLM_MSL_CHECK_HEADERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What the folder is called, in debug information, too. */
#define HEADERS "/metal-check"

/* Whether all of a file has been written. */
bool close_whole(FILE *file);
/* A file for -ivfsoverlay: the headers that lie in `folder`, as files of HEADERS. False if it
 * cannot be written. */
bool headers_write_overlay(const char *folder, const char *path);
/* Stands for the headers' text and for the compiler that reads them. */
uint64_t headers_key(const char *compiler);
/* Where <metal_stdlib> is kept in `cache` once this compiler has read it. */
void headers_precompiled(char *path, size_t size, const char *cache, uint64_t key);

#endif
