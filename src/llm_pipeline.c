/* llm_pipeline.c — GPT-2, dispatch by dispatch (Radford et al. 2019):
 *
 *   embedding → [ layernorm → QKV → attention → projection → residual + layernorm → MLP → residual ] × L
 *             → layernorm → logits → sample
 *
 * Written once against device.h. B batch, T tokens of a pass, C channels, nh heads, hs head size.
 */
#include "llm_pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to so many tokens the linear kernels, which read each weight once, beat the matrix library. */
enum { LINEAR_TOKENS = 8 };
enum { FLASH_QUERIES = 4 }; /* QUERIES of kernels/flash_attention.metal */

#define BUFFER(buffer) arg_buffer(buffer, 0)

/* Names of the kernels of each weight format. */
static const struct {
    const char *linear, *embedding, *dequantise;
} format_kernels[] = {
    [TENSOR_F32] = {"linear_f32", "embedding_forward", NULL},
    [TENSOR_F16] = {"linear_f16", "embedding_forward_f16", "dequantise_f16"},
    [TENSOR_Q4_0] = {"linear_q4_0", "embedding_forward_q4_0", "dequantise_q4_0"},
    [TENSOR_Q4_1] = {"linear_q4_1", "embedding_forward_q4_1", "dequantise_q4_1"},
    [TENSOR_Q5_0] = {"linear_q5_0", "embedding_forward_q5_0", "dequantise_q5_0"},
    [TENSOR_Q5_1] = {"linear_q5_1", "embedding_forward_q5_1", "dequantise_q5_1"},
    [TENSOR_Q8_0] = {"linear_q8_0", "embedding_forward_q8_0", "dequantise_q8_0"},
    [TENSOR_Q6_K] = {"linear_q6_k", "embedding_forward_q6_k", "dequantise_q6_k"},
};

static void add_bias(LLMPipeline *llm, DeviceBuffer *out, DeviceBuffer *bias, uint32_t T,
                     uint32_t N) {
    dispatch(llm->device, "add_bias", grid_threads(N, T, 1), BUFFER(out), BUFFER(bias), arg_u32(T),
             arg_u32(N));
}

/* The matrix library wants floats: false for the embedding of a quantised model, whose float copy would
 * be larger than the model. The linear kernels take any T. */
static bool suits_matmul(const LLMPipeline *llm, const Matrix *weight, uint32_t T) {
    bool is_float = !format_kernels[weight->type].dequantise;
    return T > LINEAR_TOKENS && (is_float || weight->buffer != llm->weights.output.buffer);
}

/* out[T,N] = x[T,K] · weightᵀ + bias. x starts at row `first` of its buffer. */
static void linear(LLMPipeline *llm, DeviceBuffer *x, uint32_t first, const Matrix *weight,
                   DeviceBuffer *bias, DeviceBuffer *out, uint32_t T) {
    uint32_t N = weight->rows, K = weight->columns;
    DeviceArgument input = arg_buffer(x, (size_t)first * K * sizeof(float));
    if (!suits_matmul(llm, weight, T)) {
        dispatch(llm->device, format_kernels[weight->type].linear, grid_simdgroups(N), input,
                 BUFFER(weight->buffer), BUFFER(bias), BUFFER(out), arg_u32(T), arg_u32(K),
                 arg_u32(N));
        return;
    }
    DeviceBuffer *floats = weight->buffer;
    if (format_kernels[weight->type].dequantise) {
        floats = llm->dequantised;
        dispatch(llm->device, format_kernels[weight->type].dequantise, grid_threads(N * K, 1, 1),
                 BUFFER(weight->buffer), BUFFER(floats), arg_u32(N * K));
    }
    device_matmul(llm->device, &(DeviceMatmul){.x = input,
                                               .weight = BUFFER(floats),
                                               .out = BUFFER(out),
                                               .M = T,
                                               .N = N,
                                               .K = K});
    if (bias != llm->zeros) add_bias(llm, out, bias, T, N);
}

static void embed(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T) {
    const ModelConfig *config = &llm->checkpoint->config;
    const Matrix *table = &llm->weights.token_embedding;
    dispatch(llm->device, format_kernels[table->type].embedding,
             grid_threads(config->channels, T, B), BUFFER(ids), BUFFER(llm->lengths),
             BUFFER(table->buffer), BUFFER(llm->weights.position_embedding), BUFFER(llm->x),
             arg_u32(T), arg_u32(config->channels), arg_u32(config->vocabulary),
             arg_u32(config->context));
}

/* What layer l divides its scores by. */
static float attention_scale(const ModelConfig *config, uint32_t l) {
    float scale = 1.0f;
    if (config->scale_attention) scale /= sqrtf((float)(config->channels / config->heads));
    if (config->scale_by_layer) scale /= (float)(l + 1);
    return scale;
}

/* scores → softmax → mix, with the whole T×S matrix in memory. */
static void naive_attention(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T, float scale) {
    uint32_t nh = llm->checkpoint->config.heads, hs = llm->checkpoint->config.channels / nh;
    uint32_t S = llm->capacity;
    dispatch(llm->device, "attention_scores", grid_threads(S, T, B * nh), BUFFER(llm->q),
             BUFFER(llm->keys[l]), BUFFER(llm->lengths), BUFFER(llm->counts), BUFFER(llm->att),
             arg_u32(T), arg_u32(S), arg_u32(nh), arg_u32(hs), arg_u32(llm->capacity),
             arg_f32(scale));
    dispatch(llm->device, "softmax_inplace", grid_threadgroups(B * nh * T, 1, 1), BUFFER(llm->att),
             arg_u32(S));
    dispatch(llm->device, "attention_mix", grid_threads(hs, T, B * nh), BUFFER(llm->att),
             BUFFER(llm->values[l]), BUFFER(llm->lengths), BUFFER(llm->counts), BUFFER(llm->mixed),
             arg_u32(T), arg_u32(S), arg_u32(nh), arg_u32(hs), arg_u32(llm->capacity));
}

static void flash_attention(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T, float scale) {
    uint32_t nh = llm->checkpoint->config.heads, hs = llm->checkpoint->config.channels / nh;
    uint32_t tiles = (T + FLASH_QUERIES - 1) / FLASH_QUERIES;
    dispatch(llm->device, "flash_attention", grid_threadgroups(tiles, nh, B), BUFFER(llm->q),
             BUFFER(llm->keys[l]), BUFFER(llm->values[l]), BUFFER(llm->lengths),
             BUFFER(llm->counts), BUFFER(llm->mixed), arg_u32(T), arg_u32(hs),
             arg_u32(llm->capacity), arg_f32(scale));
}

/* norm → block_out: QKV, attention against the KV cache, projection. */
static void attention_block(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T) {
    const ModelConfig *config = &llm->checkpoint->config;
    const LayerWeights *layer = &llm->weights.layer[l];
    uint32_t C = config->channels, nh = config->heads, hs = C / nh;
    linear(llm, llm->norm, 0, &layer->qkv, layer->qkv_bias, llm->qkv, B * T);
    dispatch(llm->device, "split_heads", grid_threads(C, T, B), BUFFER(llm->qkv),
             BUFFER(llm->lengths), BUFFER(llm->counts), BUFFER(llm->q), BUFFER(llm->keys[l]),
             BUFFER(llm->values[l]), arg_u32(T), arg_u32(nh), arg_u32(hs), arg_u32(llm->capacity));
    (llm->flash ? flash_attention : naive_attention)(llm, l, B, T, attention_scale(config, l));
    DeviceBuffer *merged = llm->mixed; /* for T = 1, [B,nh,1,hs] and [B,1,C] are the same layout */
    if (T > 1) {
        merged = llm->merged;
        dispatch(llm->device, "merge_heads", grid_threads(C, T, B), BUFFER(llm->mixed),
                 BUFFER(merged), arg_u32(T), arg_u32(nh), arg_u32(hs));
    }
    linear(llm, merged, 0, &layer->projection, layer->projection_bias, llm->block_out, B * T);
}

/* norm → block_out: up, GELU, down. */
static void mlp_block(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T) {
    const LayerWeights *layer = &llm->weights.layer[l];
    uint32_t N = B * T * layer->up.rows;
    linear(llm, llm->norm, 0, &layer->up, layer->up_bias, llm->up, B * T);
    dispatch(llm->device, "gelu_forward", grid_threads(N, 1, 1), BUFFER(llm->up), BUFFER(llm->gelu),
             arg_u32(N));
    linear(llm, llm->gelu, 0, &layer->down, layer->down_bias, llm->block_out, B * T);
}

/* from + block_out → to, and its layernorm → norm. */
static void add_and_norm(LLMPipeline *llm, DeviceBuffer *from, DeviceBuffer *to,
                         DeviceBuffer *weight, DeviceBuffer *bias, uint32_t rows) {
    const ModelConfig *config = &llm->checkpoint->config;
    dispatch(llm->device, "residual_layernorm", grid_threadgroups(rows, 1, 1), BUFFER(from),
             BUFFER(llm->block_out), BUFFER(weight), BUFFER(bias), BUFFER(to), BUFFER(llm->norm),
             arg_u32(config->channels), arg_f32(config->epsilon));
}

void pipeline_forward(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T) {
    const ModelConfig *config = &llm->checkpoint->config;
    const Weights *weights = &llm->weights;
    embed(llm, ids, B, T);
    dispatch(llm->device, "layernorm_forward", grid_threadgroups(B * T, 1, 1), BUFFER(llm->x),
             BUFFER(weights->layer[0].attention_norm_weight),
             BUFFER(weights->layer[0].attention_norm_bias), BUFFER(llm->norm),
             arg_u32(config->channels), arg_f32(config->epsilon));
    for (uint32_t l = 0; l < config->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        bool is_last = l + 1 == config->layers;
        attention_block(llm, l, B, T);
        add_and_norm(llm, llm->x, llm->res, layer->mlp_norm_weight, layer->mlp_norm_bias, B * T);
        mlp_block(llm, l, B, T);
        add_and_norm(llm, llm->res, llm->x,
                     is_last ? weights->output_norm_weight : layer[1].attention_norm_weight,
                     is_last ? weights->output_norm_bias : layer[1].attention_norm_bias, B * T);
    }
}

void pipeline_last_logits(LLMPipeline *llm, uint32_t B, uint32_t T) {
    uint32_t C = llm->checkpoint->config.channels;
    DeviceBuffer *last = llm->norm;
    if (T > 1) {
        last = llm->last;
        dispatch(llm->device, "last_token_rows", grid_threads(C, B, 1), BUFFER(llm->norm),
                 BUFFER(llm->counts), BUFFER(last), arg_u32(B), arg_u32(T), arg_u32(C));
    }
    linear(llm, last, 0, &llm->weights.output, llm->zeros, llm->logits, B);
}

void pipeline_logits(LLMPipeline *llm, uint32_t first, uint32_t count) {
    linear(llm, llm->norm, first, &llm->weights.output, llm->zeros, llm->logits, count);
}

void pipeline_sample(LLMPipeline *llm, const LLMGeneration *generation, uint32_t B) {
    uint32_t V = llm->checkpoint->config.vocabulary;
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float top_p = generation->top_p > 0.0f && generation->top_p < 1.0f ? generation->top_p : 1.0f;
    DeviceArgument seed = {.value.u64 = generation->seed, .size = 8};
    if (generation->temperature > 0.0f && top_k > 1)
        dispatch(llm->device, "top_k_top_p_sample", grid_threadgroups(B, 1, 1),
                 BUFFER(llm->logits), BUFFER(llm->lengths), BUFFER(llm->counts), BUFFER(llm->p),
                 BUFFER(llm->ids), arg_u32(V), arg_f32(generation->temperature), arg_u32(top_k),
                 arg_f32(top_p), seed);
    else
        dispatch(llm->device, "argmax_sample", grid_threadgroups(B, 1, 1), BUFFER(llm->logits),
                 BUFFER(llm->ids), arg_u32(V));
    dispatch(llm->device, "advance_step", grid_threads(B, 1, 1), BUFFER(llm->ids),
             BUFFER(llm->lengths), BUFFER(llm->counts), BUFFER(llm->history), arg_u32(B),
             arg_u32(llm->capacity));
}
