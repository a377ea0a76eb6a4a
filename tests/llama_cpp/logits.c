/* logits.c — what record.py asks llama.cpp for: the ids of a text, and the logits of ids. Floats
 * everywhere: an f32 cache, no flash attention. */
#include <llama.h>
#include <stdlib.h>
#include <string.h>

typedef struct Model {
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocabulary;
} Model;

Model *open_model(const char *path, int tokens, int threads) {
    Model *opened = calloc(1, sizeof *opened);
    struct llama_model_params settings = llama_model_default_params();
    settings.n_gpu_layers = 0;
    opened->model = llama_model_load_from_file(path, settings);
    if (!opened->model) return NULL;
    struct llama_context_params sizes = llama_context_default_params();
    sizes.n_ctx = sizes.n_batch = sizes.n_ubatch = (uint32_t)tokens;
    sizes.n_threads = sizes.n_threads_batch = threads;
    sizes.type_k = sizes.type_v = GGML_TYPE_F32;
    sizes.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    opened->context = llama_init_from_model(opened->model, sizes);
    opened->vocabulary = llama_model_get_vocab(opened->model);
    return opened;
}

int vocabulary(const Model *opened) {
    return llama_vocab_n_tokens(opened->vocabulary);
}

/* With the tokens that the model puts before a text. Their number, at most `most`. */
int encode(const Model *opened, const char *text, int32_t *ids, int most) {
    return llama_tokenize(opened->vocabulary, text, (int32_t)strlen(text), ids, most, true, true);
}

/* ids at positions from `first` on, into logits [count, vocabulary]. 0: done. */
int decode(Model *opened, const int32_t *ids, int first, int count, float *logits) {
    size_t row = (size_t)vocabulary(opened);
    if (first == 0) llama_memory_clear(llama_get_memory(opened->context), true);
    struct llama_batch batch = llama_batch_init(count, 0, 1);
    batch.n_tokens = count;
    for (int i = 0; i < count; i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = first + i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    int status = llama_decode(opened->context, batch);
    for (int i = 0; status == 0 && i < count; i++)
        memcpy(logits + i * row, llama_get_logits_ith(opened->context, i), row * sizeof(float));
    llama_batch_free(batch);
    return status;
}
