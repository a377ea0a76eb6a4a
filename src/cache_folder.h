/* cache_folder.h — where what can be made again is kept for the user. */
#ifndef METAL_LLM_CACHE_FOLDER_H
#define METAL_LLM_CACHE_FOLDER_H

#include <stdbool.h>

enum { CACHE_FOLDER_BYTES = 4096 };

/* $XDG_CACHE_HOME/metal-llm or ~/.cache/metal-llm, made if it is missing: a folder of ours that
 * nobody else can look into. Its path has at most half of the bytes. False if there is none. */
bool cache_folder(char folder[CACHE_FOLDER_BYTES]);

#endif
