/* checkpoint.h — a model file as named tensors, settings and a tokenizer: a GGUF file, a Hugging
 * Face folder, or an llm.c .bin. What they mean to an architecture is said in src/model/.
 *
 * Tensors point into the mapped files; nothing is copied or converted here. Every tensor's extent
 * is checked against its file's size before it is handed out. A file that another program truncates
 * while it is mapped ends this one by SIGBUS, as with every mapped file, unless it was asked to be
 * read into memory. Files of settings and tokenizers always are.
 */
#ifndef METAL_LLM_CHECKPOINT_H
#define METAL_LLM_CHECKPOINT_H

#include "settings.h"
#include "tensor_index.h"
#include "tokenizer/tokenizer.h"

/* Tokens that a vocabulary may have at most: sixty times the largest of today. */
enum { MOST_TOKENS = 1 << 24 };

/* Whose keys and names the settings and tensors have. llm.c's files, which have none, get GGUF's.
 */
typedef enum Naming { GGUF_NAMES, HUGGINGFACE_NAMES } Naming;

enum { END_TOKENS = 16 }; /* more than any model names */

typedef struct Checkpoint {
    const char *format; /* "GGUF", "Hugging Face", "llm.c" */
    char *path;         /* as it was given */
    bool in_memory;     /* files are read, not mapped */
    char *name;         /* the model's own name, else the name of its file; never NULL */
    Naming naming;
    char *architecture; /* "gpt2", as the file calls it; never NULL, perhaps "" */
    Settings settings;
    TensorIndex tensors;         /* empty where only the tokenizer was wanted */
    Tokenizer *tokenizer;        /* NULL: there is none, or it cannot be used */
    LLMError tokenizer_problem;  /* why it cannot; status LLM_OK where there is none */
    uint32_t token_count;        /* texts of tokens that a GGUF file has, or 0 */
    LLMTokens ends;              /* tokens that end a text, the first one first, each once */
    char *chat_template;         /* Jinja, NULL: the model brings none */
    char *bos_token, *eos_token; /* what it calls so, as text; NULL: nothing */
    struct FileMap *maps;        /* what the tensors point into */
    size_t map_count;
} Checkpoint;

/* Release what checkpoint_open, of open.h, has returned. NULL is fine. */
void checkpoint_close(Checkpoint *checkpoint);

#endif
