#include "mixture.h"

#include <string.h>

static bool is_named(const ModelTensor *tensor, const char *name) {
    const char *last = strrchr(tensor->row->gguf, '}');
    return !strcmp(last ? last + 2 : tensor->row->gguf, name);
}

/* The first and the last eighth of the layers, and every third between them. */
static bool layer_matters(uint32_t layer, uint32_t layers) {
    uint32_t eighth = layers / 8;
    return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

/* llama.cpp's Q4_K_M. */
static TensorType finer_type(const ModelFile *model, const ModelTensor *tensor, TensorType type) {
    bool is_output = is_named(tensor, "output.weight") ||
                     (model->config.tied && is_named(tensor, "token_embd.weight"));
    if (is_output) return TENSOR_Q6_K;
    if (is_named(tensor, "attn_qkv.weight")) return TENSOR_Q5_K;
    if (is_named(tensor, "attn_v.weight") || is_named(tensor, "ffn_down.weight"))
        return layer_matters(tensor->layer, model->config.layers) ? TENSOR_Q6_K : type;
    return type;
}

TensorType mixture_wanted(const Mixture *mixture, const ModelFile *model,
                          const ModelTensor *tensor) {
    if (!row_is_matrix(tensor->row)) return TENSOR_F32;
    if (mixture->finer) return finer_type(model, tensor, mixture->matrices);
    return tensor->row->shape[0] == 'V' ? mixture->embeddings : mixture->matrices;
}

TensorType mixture_type(const Mixture *mixture, const ModelFile *model, const ModelTensor *tensor) {
    static const TensorType smaller[TENSOR_TYPES] = {
        [TENSOR_Q4_K] = TENSOR_Q5_0, [TENSOR_Q5_K] = TENSOR_Q5_1, [TENSOR_Q6_K] = TENSOR_Q8_0};
    uint32_t columns = tensor->tensor.columns;
    TensorType type = mixture_wanted(mixture, model, tensor);
    if (!tensor_row_bytes(type, columns) && smaller[type]) type = smaller[type];
    return tensor_row_bytes(type, columns) ? type : TENSOR_F16;
}
