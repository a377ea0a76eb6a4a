/* loader.h — what the loaders of all formats share. Internal to src/checkpoint/.
 *
 * A loader maps its files, reads the configuration, lists the tensors that it finds in a
 * TensorIndex, and has them checked and put in their places by index_attach.
 */
#ifndef METAL_LLM_LOADER_H
#define METAL_LLM_LOADER_H

#include "checkpoint.h"
#include "file_map.h"

bool ends_with(const char *text, const char *ending);

/* --- the checkpoint being filled --- */

/* Map a file that lives as long as the checkpoint. */
bool checkpoint_map(Checkpoint *checkpoint, const char *path, FileMap *map, LLMError *error);
/* Name the model after the last part of `path`, without `suffix`. */
bool checkpoint_name_after(Checkpoint *checkpoint, const char *path, const char *suffix,
                           LLMError *error);
/* Check the configuration (sizes in the range where no product of them overflows, head size,
 * epsilon) and allocate the layers. */
bool checkpoint_configure(Checkpoint *checkpoint, const char *path, LLMError *error);
/* Add a token that ends a text, unless the vocabulary lacks it or it is there already. */
void checkpoint_add_end(Checkpoint *checkpoint, uint64_t id);
/* Settle `end_of_text`, before any other end token: `id` if the vocabulary has it, else the
 * tokenizer's own. */
void checkpoint_set_end_of_text(Checkpoint *checkpoint, uint64_t id);

/* --- GPT-2's tensors: one table for all formats, in llm.c's order --- */

typedef enum Extent { ONE, CHANNELS, CHANNELS_3, INNER, CONTEXT, VOCABULARY } Extent;

typedef struct TensorSlot {
    const char *gguf, *huggingface; /* names, without "blk.N." or "h.N." */
    size_t offset;                  /* of the Tensor, in Checkpoint or in LayerTensors */
    Extent rows, columns;           /* [out, in] */
    bool per_layer;
    bool optional;
} TensorSlot;

extern const TensorSlot tensor_slots[];
extern const size_t tensor_slot_count;

size_t slot_rows(const TensorSlot *slot, const ModelConfig *config);
size_t slot_columns(const TensorSlot *slot, const ModelConfig *config);
/* Where a slot's tensor lives; `layer` is ignored for those outside the layers. */
Tensor *slot_tensor(const TensorSlot *slot, const Checkpoint *checkpoint, uint32_t layer);

/* How a format names tensors: GGUF's names, or Hugging Face's behind a prefix. */
typedef struct Naming {
    bool gguf;
    const char *prefix; /* "" or "transformer." */
} Naming;

enum { MAX_NAME = 64 };

/* The name of a slot's tensor in a file. */
void slot_name(char name[MAX_NAME], const TensorSlot *slot, uint32_t layer, Naming naming);

/* --- tensors as a file lists them --- */

enum { MAX_DIMENSIONS = 4 };

typedef struct StoredTensor {
    char *name; /* owned by the index */
    TensorType type;
    uint32_t dimensions;
    uint64_t shape[MAX_DIMENSIONS]; /* outermost first */
    uint64_t offset;                /* from the start of the file's data section */
    const unsigned char *data;
    bool used; /* has found its place */
} StoredTensor;

/* Zero-initialise; release with index_free. */
typedef struct TensorIndex {
    StoredTensor *tensors;
    size_t count, capacity;
} TensorIndex;

/* Bytes of a tensor of this type and shape; false if its rows are no whole blocks or the product
 * overflows. */
bool stored_bytes(const StoredTensor *tensor, uint64_t *bytes);
/* Add a tensor. Its `name` is copied from the argument. */
bool index_add(TensorIndex *index, StoredTensor tensor, const char *name, size_t name_size,
               LLMError *error);
/* Sort by name and refuse duplicates. To be called once, after the last index_add. */
bool index_sort(TensorIndex *index, const char *path, LLMError *error);
/* The tensor of this name, or NULL. */
StoredTensor *index_find(const TensorIndex *index, const char *name);
/* Put every tensor of the model in its place, checking that it is there, its shape and type. */
bool index_attach(TensorIndex *index, Checkpoint *checkpoint, Naming naming, const char *path,
                  LLMError *error);
void index_free(TensorIndex *index);

#endif
