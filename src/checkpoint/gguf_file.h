/* gguf_file.h — GGUF: a header, metadata as key-value pairs, a list of tensors, then their data.
 *
 * The format: github.com/ggml-org/ggml, docs/gguf.md. Versions 2 and 3, little endian.
 */
#ifndef METAL_LLM_GGUF_FILE_H
#define METAL_LLM_GGUF_FILE_H

#include "file_map.h"
#include "reader.h"
#include "tensor_index.h"

/* Types of metadata values. */
typedef enum GGUFType {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES,
} GGUFType;

/* Types of tokens, as llama.cpp numbers them. */
enum {
    GGUF_TOKEN_NORMAL = 1,
    GGUF_TOKEN_UNKNOWN,
    GGUF_TOKEN_CONTROL,
    GGUF_TOKEN_USER_DEFINED,
    GGUF_TOKEN_UNUSED,
    GGUF_TOKEN_BYTE,
};

#define GGUF_CHAT_TEMPLATE "tokenizer.chat_template"
/* A key of our own: all tokens that end a text, where the three keys of llama.cpp do not suffice.
 */
#define GGUF_END_TOKENS "tokenizer.metal_llm.end_token_ids"

/* One key-value pair; `values` covers exactly its `count` values. */
typedef struct GGUFEntry {
    Text key;
    GGUFType type; /* of the value, or of an array's elements */
    bool array;
    uint64_t count;
    Reader values;
} GGUFEntry;

typedef struct GGUFFile {
    const char *path;
    Reader reader;
    GGUFEntry *entries; /* sorted by key */
    size_t entry_count;
    uint64_t tensor_count;
    TensorIndex tensors;
} GGUFFile;

/* Read the header and the metadata. `path` names the file in errors and must outlive the result, as
 * must the mapping. False and `error` on failure; release with gguf_close in either case. */
bool gguf_open(GGUFFile *gguf, FileMap map, const char *path, LLMError *error);
void gguf_close(GGUFFile *gguf);
/* Then the list of tensors, each of a supported type and inside the file. */
bool gguf_read_tensors(GGUFFile *gguf, LLMError *error);

/* The entry of a key, or NULL. */
const GGUFEntry *gguf_find(const GGUFFile *gguf, const char *key);
/* The value of a key. An absent key leaves *value alone; a value of another kind is an error. */
bool gguf_get_integer(const GGUFFile *gguf, const char *key, uint32_t *value, LLMError *error);
bool gguf_get_float(const GGUFFile *gguf, const char *key, float *value, LLMError *error);
bool gguf_get_bool(const GGUFFile *gguf, const char *key, bool *value, LLMError *error);
bool gguf_get_text(const GGUFFile *gguf, const char *key, Text *value, LLMError *error);
/* The entry of a key whose value is an array of `type`; NULL where the key is absent. */
bool gguf_get_array(const GGUFFile *gguf, const char *key, GGUFType type, const GGUFEntry **array,
                    LLMError *error);

#endif
