/* folder_hint.h — what a folder is that is no model's, and what to do with it. */
#ifndef METAL_LLM_FOLDER_HINT_H
#define METAL_LLM_FOLDER_HINT_H

#include "error.h"

/* "folder/name", to be freed; NULL and `error` if memory is out. */
char *folder_join(const char *folder, const char *name, LLMError *error);
bool folder_has(const char *folder, const char *name);
/* Refuse a folder without config.json, by what is there instead: a Hugging Face cache, GGUF files,
 * a tokenizer of another kind. Always returns false. */
bool folder_refuse(const char *folder, LLMError *error);
/* An error if the folder's tokenizer is of a kind that is not supported; nothing if it has none. */
void folder_refuse_tokenizer(const char *folder, LLMError *error);

#endif
