/* inspect_npz.c — what is seen inside the model, for numpy.load. */
#include "inspect.h"
#include "npy.h"

#include <stdlib.h>

/* Tokens and logprobs of a list of pairs, each in an array of its own. */
typedef struct Apart {
    uint32_t *tokens;
    float *logprobs;
} Apart;

static Apart take_apart(const LLMLogprob *pairs, size_t count, LLMError *error) {
    Apart apart = {malloc(count * sizeof(uint32_t)), malloc(count * sizeof(float))};
    if (!apart.tokens || !apart.logprobs) {
        error_memory(error, count * sizeof *pairs);
        return apart;
    }
    for (size_t i = 0; i < count; i++) {
        apart.tokens[i] = pairs[i].token;
        apart.logprobs[i] = pairs[i].logprob;
    }
    return apart;
}

static void free_apart(Apart apart) {
    free(apart.tokens);
    free(apart.logprobs);
}

static NpzEntry floats(const char *name, size_t rank, size_t a, size_t b, size_t c, size_t d,
                       const float *data) {
    return (NpzEntry){name, {"<f4", sizeof(float), rank, {a, b, c, d}, data}};
}

static NpzEntry ids(const char *name, size_t rank, size_t a, size_t b, size_t c,
                    const uint32_t *data) {
    return (NpzEntry){name, {"<u4", sizeof(uint32_t), rank, {a, b, c}, data}};
}

void write_npz(const Seen *seen, const char *path, LLMError *error) {
    const LLMInspection *in = &seen->in;
    const LLMInfo *info = llm_info(seen->llm);
    size_t n = seen->tokens.count, L = info->layers, count = 0;
    Apart top = take_apart(in->top, n * in->top_count, error);
    Apart lens = take_apart(in->lens, L * n * in->lens_count, error);
    NpzEntry entries[8];
    entries[count++] = ids("tokens", 1, n, 0, 0, seen->tokens.ids);
    entries[count++] = floats("logprobs", 1, n - 1, 0, 0, 0, in->logprobs);
    entries[count++] = ids("top_tokens", 2, n, in->top_count, 0, top.tokens);
    entries[count++] = floats("top_logprobs", 2, n, in->top_count, 0, 0, top.logprobs);
    entries[count++] = ids("lens_tokens", 3, L, n, in->lens_count, lens.tokens);
    entries[count++] = floats("lens_logprobs", 3, L, n, in->lens_count, 0, lens.logprobs);
    entries[count++] = floats("attention", 4, L, info->heads, in->token_count, n, in->attention);
    if (seen->has_head)
        entries[count++] = floats("head_attention", 2, n, n, 0, 0, in->head_attention);
    OutputFile *file = error_is_set(error) ? NULL : output_file_open(path, error);
    if (file) npz_write(file, entries, count, error);
    output_file_close(file, error);
    free_apart(top);
    free_apart(lens);
}
