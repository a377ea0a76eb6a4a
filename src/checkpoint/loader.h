/* loader.h — what the loaders of all formats share. Internal to src/checkpoint/.
 *
 * A loader maps its files, copies the settings, and lists the tensors in the index.
 */
#ifndef METAL_LLM_LOADER_H
#define METAL_LLM_LOADER_H

#include "checkpoint.h"
#include "file_map.h"

bool ends_with(const char *text, const char *ending);

/* Map a file that lives as long as the checkpoint. */
bool checkpoint_map(Checkpoint *checkpoint, const char *path, FileMap *map, LLMError *error);
/* Name the model after the last part of `path`, without `suffix`. */
bool checkpoint_name_after(Checkpoint *checkpoint, const char *path, const char *suffix,
                           LLMError *error);
bool checkpoint_set_architecture(Checkpoint *checkpoint, const char *name, size_t size,
                                 LLMError *error);
/* Add a token that ends a text, unless it is known already. */
bool checkpoint_add_end(Checkpoint *checkpoint, uint32_t id, LLMError *error);
/* Keep `tokenizer`, or why it is NULL: a model without one can still be run on token ids. False if
 * memory was out. */
bool checkpoint_set_tokenizer(Checkpoint *checkpoint, Tokenizer *tokenizer, const LLMError *problem,
                              LLMError *error);

#endif
