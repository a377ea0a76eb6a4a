/* llm_pipeline.c — GPT-2, dispatch by dispatch (Radford et al. 2019):
 *
 *   embedding → [ layernorm → QKV → attention → projection → residual + layernorm → MLP → residual
 * ] × L → layernorm → logits → sample
 *
 * Written once against device.h. B batch, T tokens of a pass, C channels, nh heads, hs head size.
 */
#include "llm_pipeline.h"

#include <math.h>

/* From how many inputs on a tile of rows shares what a GPU reads of them: they fill most of the
 * first-level cache. */
enum { TILE_INPUTS = 8192 };
/* From how many tokens on the matrix library is faster, float weights first; of other formats it
 * needs a float copy. See docs/speed.md. */
enum { MATMUL_TOKENS_FLOAT = 17, MATMUL_TOKENS = 97, MATMUL_TOKENS_GPU = 33 };
enum { FUSED_TOKENS = 8 }; /* rows that the fused kernels decode at once */
/* From how many rows on a batch is decoded by fused_linear_batch.metal, up to how many. */
enum { BATCH_LEAST = 2, BATCH_MOST = 256 };
/* From how many queries on flash_attention_prompt.metal is faster on a CPU. */
enum { PROMPT_LEAST = 64 };

/* A buffer that a kernel moves whole, as it does weights; one of which it moves `count` floats. */
#define BUFFER(buffer)        arg_buffer(buffer, 0)
#define FLOATS(buffer, count) floats_at(buffer, 0, count)
#define HALVES(buffer, count) arg_part(buffer, 0, (size_t)(count)*2)

static DeviceArgument floats_at(DeviceBuffer *buffer, size_t first, size_t count) {
    return arg_part(buffer, first * sizeof(float), count * sizeof(float));
}

/* What a thread takes: the kernel's GPU_SHARE, or one on a CPU. */
static uint32_t share_of(const LLMPipeline *llm, uint32_t gpu_share) {
    return llm->is_gpu ? gpu_share : 1;
}

/* What the next matrix product reads: floats, or halves in the same place. */
static DeviceArgument activations(const LLMPipeline *llm, DeviceBuffer *buffer, size_t count) {
    return llm->halves ? HALVES(buffer, count) : FLOATS(buffer, count);
}

/* The kernels of each weight format. */
static const struct {
    const char *linear, *tile, *embedding, *integer_linear, *integer_matmul;
    const char *norm_linear[2][2];  /* [wide][two tokens at a time] */
    const char *linear_residual[2]; /* [two tokens at a time] */
} format_kernels[] = {
    [TENSOR_F32] = {.linear = "linear_f32",
                    .tile = "linear_tile_f32",
                    .embedding = "embedding_forward",
                    .norm_linear = {{"norm_linear_f32", "norm_linear_pair_f32"},
                                    {"norm_linear_wide_f32", "norm_linear_pair_wide_f32"}},
                    .linear_residual = {"linear_residual_f32", "linear_residual_pair_f32"}},
    [TENSOR_F16] = {.linear = "linear_f16",
                    .tile = "linear_tile_f16",
                    .embedding = "embedding_forward_f16",
                    .norm_linear = {{"norm_linear_f16", "norm_linear_f16"},
                                    {"norm_linear_wide_f16", "norm_linear_wide_f16"}},
                    .linear_residual = {"linear_residual_f16", "linear_residual_f16"}},
    [TENSOR_Q4_0] = {.linear = "linear_q4_0",
                     .embedding = "embedding_forward_q4_0",
                     .integer_linear = "integer_linear_q4_0",
                     .integer_matmul = "integer_matmul_q4_0"},
    [TENSOR_Q4_1] = {.linear = "linear_q4_1", .embedding = "embedding_forward_q4_1"},
    [TENSOR_Q5_0] = {.linear = "linear_q5_0", .embedding = "embedding_forward_q5_0"},
    [TENSOR_Q5_1] = {.linear = "linear_q5_1", .embedding = "embedding_forward_q5_1"},
    [TENSOR_Q8_0] = {.linear = "linear_q8_0",
                     .embedding = "embedding_forward_q8_0",
                     .integer_linear = "integer_linear_q8_0",
                     .integer_matmul = "integer_matmul_q8_0"},
    [TENSOR_Q6_K] = {.linear = "linear_q6_K",
                     .embedding = "embedding_forward_q6_K",
                     .integer_linear = "integer_linear_q6_K"},
};

/* The kernels of each type of the KV cache. */
static const struct {
    const char *split_heads, *scores, *mix, *flash, *flash_hs64, *flash_prompt;
    const char *flash_tiles[2], *decode_hs64[2]; /* [to halves] */
} cache_kernels[] = {
    [CACHE_F32] = {.split_heads = "split_heads_f32",
                   .scores = "attention_scores_f32",
                   .mix = "attention_mix_f32",
                   .flash = "flash_attention_f32",
                   .flash_hs64 = "flash_attention_hs64_f32",
                   .flash_prompt = "flash_attention_prompt_f32",
                   .flash_tiles = {"flash_attention_tiles_f32", "flash_attention_tiles_halves_f32"},
                   .decode_hs64 = {"decode_attention_hs64_f32",
                                   "decode_attention_hs64_halves_f32"}},
    [CACHE_F16] = {.split_heads = "split_heads_f16",
                   .scores = "attention_scores_f16",
                   .mix = "attention_mix_f16",
                   .flash = "flash_attention_f16",
                   .flash_hs64 = "flash_attention_hs64_f16",
                   .flash_prompt = "flash_attention_prompt_f16",
                   .flash_tiles = {"flash_attention_tiles_f16", "flash_attention_tiles_halves_f16"},
                   .decode_hs64 = {"decode_attention_hs64_f16",
                                   "decode_attention_hs64_halves_f16"}},
};

/* From how many rows on a GPU's matrix library multiplies halves, if the weights are halves: fewer
 * where many rows are decoded. */
static bool suits_halves(const LLMPipeline *llm, uint32_t rows) {
    uint32_t least = llm->B > FUSED_TOKENS ? FUSED_TOKENS + 1 : MATMUL_TOKENS_GPU;
    return llm->half_products && rows >= least;
}

/* Never for the embedding of a quantised model, whose float copy would be larger than the model. */
static bool suits_matmul(const LLMPipeline *llm, const Matrix *weight, uint32_t T) {
    if (weight->type == TENSOR_F32) return T >= MATMUL_TOKENS_FLOAT;
    return T >= (llm->is_gpu ? MATMUL_TOKENS_GPU : MATMUL_TOKENS) &&
           weight->buffer != llm->weights.output.part[0].buffer;
}

static bool suits_integer_matmul(const LLMPipeline *llm, const Matrix *weight, uint32_t T) {
    return llm->integers && device_facts(llm->device)->byte_products && T > LINEAR_TOKENS &&
           format_kernels[weight->type].integer_matmul;
}

/* out[T,N] = x[T,K] · weightᵀ by the matrix library, x and weight as floats. */
static void multiply(LLMPipeline *llm, DeviceArgument x, const Matrix *weight, DeviceBuffer *out,
                     uint32_t T) {
    uint32_t N = weight->rows, K = weight->columns;
    DeviceBuffer *floats = weight->buffer;
    if (weight->type != TENSOR_F32) {
        floats = llm->dequantised;
        weights_dequantise(llm->device, weight, floats);
    }
    device_matmul(llm->device, &(DeviceMatmul){.x = x,
                                               .weight = BUFFER(floats),
                                               .out = BUFFER(out),
                                               .M = T,
                                               .N = N,
                                               .K = K,
                                               .type = MATMUL_F32});
}

static void multiply_halves(LLMPipeline *llm, DeviceArgument x, const Matrix *weight,
                            DeviceBuffer *out, uint32_t T) {
    device_matmul(llm->device, &(DeviceMatmul){.x = x,
                                               .weight = BUFFER(weight->buffer),
                                               .out = BUFFER(out),
                                               .M = T,
                                               .N = weight->rows,
                                               .K = weight->columns,
                                               .type = MATMUL_F16});
}

/* x rounded to 8 bits, into `rounded` and what belongs to it. */
static void round_activations(LLMPipeline *llm, DeviceArgument x, uint32_t count) {
    uint32_t blocks = count / QUANTISE_BLOCK;
    dispatch(llm->device, "quantise_activations", grid_simdgroups(blocks), x,
             arg_part(llm->rounded, 0, count), FLOATS(llm->rounded_offsets, count / 4),
             FLOATS(llm->rounded_scales, blocks), FLOATS(llm->rounded_block_offsets, blocks),
             arg_u32(count));
}

/* out[T,N] = x[T,K] · weightᵀ in integers, `weight` being packed. */
static void integer_multiply(LLMPipeline *llm, DeviceArgument x, const Matrix *weight,
                             DeviceBuffer *out, uint32_t T) {
    uint32_t N = weight->rows, K = weight->columns, blocks = T * K / QUANTISE_BLOCK;
    round_activations(llm, x, T * K);
    dispatch(llm->device, format_kernels[weight->type].integer_matmul,
             grid_threadgroups(divide_up(N, INTEGER_MATMUL_COLUMNS), 1, 1),
             arg_part(llm->rounded, 0, (size_t)T * K), FLOATS(llm->rounded_block_offsets, blocks),
             FLOATS(llm->rounded_scales, blocks), BUFFER(weight->buffer), FLOATS(out, T * N),
             arg_u32(T), arg_u32(K), arg_u32(N));
}

/* The same as linear_tokens, of `weight` that is packed and x rounded to 8 bits. */
static void integer_linear_tokens(LLMPipeline *llm, DeviceArgument x, uint32_t count,
                                  const Matrix *weight, DeviceBuffer *bias, DeviceArgument out) {
    uint32_t N = weight->rows, K = weight->columns, inputs = count * K;
    round_activations(llm, x, inputs);
    dispatch(llm->device, format_kernels[weight->type].integer_linear, grid_simdgroups(N),
             arg_part(llm->rounded, 0, inputs), FLOATS(llm->rounded_offsets, inputs / 4),
             FLOATS(llm->rounded_scales, inputs / QUANTISE_BLOCK), BUFFER(weight->buffer),
             FLOATS(bias, N), out, arg_u32(count), arg_u32(K), arg_u32(N));
}

/* `count` ≤ LINEAR_TOKENS rows of x from `first` on, to the rows of `out` from `to` on. */
static void linear_tokens(LLMPipeline *llm, DeviceBuffer *x, uint32_t first, uint32_t count,
                          const Matrix *weight, DeviceBuffer *bias, DeviceBuffer *out,
                          uint32_t to) {
    uint32_t N = weight->rows, K = weight->columns;
    const char *linear = format_kernels[weight->type].linear;
    const char *tile = format_kernels[weight->type].tile;
    bool tiled = tile && (!llm->is_gpu || (size_t)count * K >= TILE_INPUTS);
    DeviceArgument in = floats_at(x, (size_t)first * K, (size_t)count * K);
    DeviceArgument result = floats_at(out, (size_t)to * N, (size_t)count * N);
    if (llm->integers && format_kernels[weight->type].integer_linear)
        integer_linear_tokens(llm, in, count, weight, bias, result);
    else
        dispatch(llm->device, tiled ? tile : linear,
                 grid_simdgroups(tiled ? divide_up(N, LINEAR_TILE_ROWS) : N), in,
                 BUFFER(weight->buffer), FLOATS(bias, N), result, arg_u32(count), arg_u32(K),
                 arg_u32(N));
}

/* out[T,N] = x[T,K] · weightᵀ, and + bias where that costs no pass over memory. x starts at row
 * `first` of its buffer. Returns the bias that is still to be added. */
static DeviceBuffer *linear(LLMPipeline *llm, DeviceBuffer *x, uint32_t first, const Matrix *weight,
                            DeviceBuffer *bias, DeviceBuffer *out, uint32_t T) {
    uint32_t K = weight->columns;
    if (llm->halves) {
        multiply_halves(llm, arg_part(x, (size_t)first * K * 2, (size_t)T * K * 2), weight, out, T);
        return bias;
    }
    if (suits_integer_matmul(llm, weight, T)) {
        integer_multiply(llm, floats_at(x, (size_t)first * K, (size_t)T * K), weight, out, T);
        return bias;
    }
    if (suits_matmul(llm, weight, T)) {
        multiply(llm, floats_at(x, (size_t)first * K, (size_t)T * K), weight, out, T);
        return bias;
    }
    for (uint32_t t = 0; t < T; t += LINEAR_TOKENS)
        linear_tokens(llm, x, first + t, T - t < LINEAR_TOKENS ? T - t : LINEAR_TOKENS, weight,
                      bias, out, t);
    return llm->zeros;
}

static void embed(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T) {
    const ModelConfig *config = &llm->checkpoint->config;
    const Matrix *table = &llm->weights.token_embedding;
    uint32_t C = config->channels, rows = B * T;
    size_t row_bytes = tensor_row_bytes(table->type, C);
    dispatch(llm->device, format_kernels[table->type].embedding, grid_threads(C, T, B),
             FLOATS(ids, rows), FLOATS(llm->lengths, B),
             arg_part(table->buffer, 0, rows < table->rows ? rows * row_bytes : 0),
             FLOATS(llm->weights.position_embedding, T * C), FLOATS(llm->x, rows * C), arg_u32(T),
             arg_u32(config->channels), arg_u32(config->vocabulary), arg_u32(config->context));
}

/* What layer l divides its scores by. */
static float attention_scale(const ModelConfig *config, uint32_t l) {
    float scale = 1.0f;
    if (config->scale_attention) scale /= sqrtf((float)(config->channels / config->heads));
    if (config->scale_by_layer) scale /= (float)(l + 1);
    return scale;
}

/* Keys or values of layer l, as far as this pass looks at them. */
static DeviceArgument cached(LLMPipeline *llm, DeviceBuffer *cache, uint32_t B) {
    size_t numbers = (size_t)B * llm->visible * llm->checkpoint->config.channels;
    return arg_part(cache, 0, numbers * cache_type_size(llm->cache));
}

/* scores → softmax → mix, with the whole T×S matrix in memory. */
static void naive_attention(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T, float scale) {
    uint32_t C = llm->checkpoint->config.channels, nh = llm->checkpoint->config.heads, hs = C / nh;
    uint32_t S = llm->capacity, rows = B * nh * T;
    DeviceArgument att = arg_part(llm->att, 0, (size_t)rows * S * sizeof(float));
    DeviceArgument lengths = FLOATS(llm->lengths, B), counts = FLOATS(llm->counts, B);
    dispatch(llm->device, cache_kernels[llm->cache].scores, grid_threads(S, T, B * nh),
             FLOATS(llm->q, B * T * C), cached(llm, llm->keys[l], B), lengths, counts, att,
             arg_u32(T), arg_u32(S), arg_u32(nh), arg_u32(hs), arg_u32(llm->capacity),
             arg_f32(scale));
    dispatch(llm->device, "softmax_inplace", grid_threadgroups(rows, 1, 1), att, arg_u32(S));
    dispatch(llm->device, cache_kernels[llm->cache].mix, grid_threads(hs, T, B * nh), att,
             cached(llm, llm->values[l], B), lengths, counts, FLOATS(llm->mixed, B * T * C),
             arg_u32(T), arg_u32(S), arg_u32(nh), arg_u32(hs), arg_u32(llm->capacity));
}

/* The matrix units make attention where they make the products. */
static bool suits_tiles(const LLMPipeline *llm, uint32_t T) {
    const ModelConfig *config = &llm->checkpoint->config;
    return llm->halves && config->channels == FLASH_ATTENTION_TILES_HS * config->heads &&
           T > FLASH_ATTENTION_HS64_QUERIES;
}

/* To `mixed` as floats or, by tiles that are followed by a product, to `half_attended`. */
static DeviceBuffer *flash_attention(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T,
                                     float scale, bool to_product) {
    uint32_t C = llm->checkpoint->config.channels, nh = llm->checkpoint->config.heads, hs = C / nh;
    const char *kernel = cache_kernels[llm->cache].flash;
    DeviceGrid grid = grid_threadgroups(T, nh, B);
    bool tiles = suits_tiles(llm, T), to_halves = tiles && to_product;
    DeviceBuffer *out = to_halves ? llm->half_attended : llm->mixed;
    if (tiles) {
        kernel = cache_kernels[llm->cache].flash_tiles[to_halves];
        grid = grid_threadgroups(divide_up(T, FLASH_ATTENTION_TILES_QUERIES), nh, B);
        grid.threads = FLASH_ATTENTION_TILES_THREADS;
    } else if (hs == FLASH_ATTENTION_PROMPT_HS && T >= PROMPT_LEAST && !llm->is_gpu) {
        kernel = cache_kernels[llm->cache].flash_prompt;
        grid = grid_threadgroups(divide_up(T, FLASH_ATTENTION_PROMPT_QUERIES), nh, B);
    } else if (hs == FLASH_ATTENTION_HS64_HS) {
        kernel = cache_kernels[llm->cache].flash_hs64;
        grid = grid_threadgroups(divide_up(T, FLASH_ATTENTION_HS64_QUERIES), nh, B);
    }
    dispatch(llm->device, kernel, grid, FLOATS(llm->q, B * T * C), cached(llm, llm->keys[l], B),
             cached(llm, llm->values[l], B), FLOATS(llm->lengths, B), FLOATS(llm->counts, B),
             to_halves ? HALVES(out, B * T * C) : FLOATS(out, B * T * C),
             arg_u32(hs == FLASH_ATTENTION_HS64_HS ? T : hs), arg_u32(llm->capacity),
             arg_f32(scale));
    return out;
}

/* Attention of the queries in `q`: the heads' results side by side, [B,T,C]. */
static DeviceBuffer *attention(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T,
                               bool to_product) {
    const ModelConfig *config = &llm->checkpoint->config;
    uint32_t nh = config->heads, hs = config->channels / nh, rows = B * T;
    float scale = attention_scale(config, l);
    if (llm->flash) return flash_attention(llm, l, B, T, scale, to_product);
    naive_attention(llm, l, B, T, scale);
    dispatch(llm->device, "merge_heads", grid_threads(hs, T, B * nh),
             FLOATS(llm->mixed, rows * config->channels),
             FLOATS(llm->merged, rows * config->channels), arg_u32(T), arg_u32(nh), arg_u32(hs));
    return llm->merged;
}

/* norm → attention: QKV, of which keys and values go into the cache. What comes out is read by the
 * next matrix product, if not picked from first. */
static DeviceBuffer *attend(LLMPipeline *llm, uint32_t l, uint32_t B, uint32_t T, bool to_product) {
    const ModelConfig *config = &llm->checkpoint->config;
    const LayerWeights *layer = &llm->weights.layer[l];
    uint32_t C = config->channels, nh = config->heads, hs = C / nh, rows = B * T;
    size_t size = cache_type_size(llm->cache);
    DeviceBuffer *bias =
        linear(llm, llm->norm, 0, &layer->qkv.part[0], layer->qkv.bias[0], llm->qkv, rows);
    dispatch(llm->device, cache_kernels[llm->cache].split_heads,
             grid_threads(hs, divide_up(T, share_of(llm, HEADS_GPU_SHARE)), B * nh),
             FLOATS(llm->qkv, 3 * rows * C), FLOATS(bias, 3 * C), FLOATS(llm->lengths, B),
             FLOATS(llm->counts, B), FLOATS(llm->q, rows * C),
             arg_part(llm->keys[l], 0, rows * C * size),
             arg_part(llm->values[l], 0, rows * C * size), arg_u32(T), arg_u32(nh), arg_u32(hs),
             arg_u32(llm->capacity));
    return attention(llm, l, B, T, to_product);
}

/* What the projection reads of it, of the type that the matrix library takes. */
static DeviceBuffer *as_input(LLMPipeline *llm, DeviceBuffer *attended, uint32_t rows) {
    if (!llm->halves || attended == llm->half_attended) return attended;
    uint32_t count = rows * llm->checkpoint->config.channels;
    dispatch(llm->device, "convert_f16", grid_threads(count, 1, 1), FLOATS(attended, count),
             HALVES(llm->half_attended, count), arg_u32(count));
    return llm->half_attended;
}

/* norm → gelu. A bias that follows the matrix library costs a pass over memory: GELU takes it
 * along. */
static void up_and_gelu(LLMPipeline *llm, const LayerWeights *layer, uint32_t rows) {
    uint32_t N = layer->up.part[0].rows, count = rows * N;
    DeviceBuffer *bias =
        linear(llm, llm->norm, 0, &layer->up.part[0], layer->up.bias[0], llm->up, rows);
    if (bias != llm->zeros)
        dispatch(llm->device, llm->halves ? "bias_gelu_f16" : "bias_gelu",
                 grid_threads(divide_up(N, share_of(llm, FUSED_BIAS_GELU_GPU_SHARE)), rows, 1),
                 FLOATS(llm->up, count), BUFFER(bias), activations(llm, llm->gelu, count),
                 arg_u32(rows), arg_u32(N));
    else
        dispatch(llm->device, "gelu_forward", grid_threads(count, 1, 1), FLOATS(llm->up, count),
                 FLOATS(llm->gelu, count), arg_u32(count));
}

/* from + block_out + its bias → to, and its layernorm → norm. */
static void add_and_norm(LLMPipeline *llm, DeviceBuffer *from, DeviceBuffer *bias, DeviceBuffer *to,
                         DeviceBuffer *norm_weight, DeviceBuffer *norm_bias, uint32_t rows) {
    uint32_t C = llm->checkpoint->config.channels, count = rows * C;
    dispatch(llm->device, llm->halves ? "residual_layernorm_f16" : "residual_layernorm",
             grid_threadgroups(rows, 1, 1), FLOATS(from, count), FLOATS(llm->block_out, count),
             FLOATS(bias, C), BUFFER(norm_weight), BUFFER(norm_bias), FLOATS(to, count),
             activations(llm, llm->norm, count), arg_u32(C),
             arg_f32(llm->checkpoint->config.epsilon));
}

/* Of [B,T,C], each row's last new token: [B,C]. */
static DeviceBuffer *last_rows(LLMPipeline *llm, DeviceBuffer *from, DeviceBuffer *to, uint32_t B,
                               uint32_t T) {
    uint32_t C = llm->checkpoint->config.channels;
    dispatch(llm->device, "last_token_rows", grid_threads(C, B, 1), FLOATS(from, B * C),
             FLOATS(llm->counts, B), FLOATS(to, B * C), arg_u32(B), arg_u32(T), arg_u32(C));
    return to;
}

/* The first layernorm; the others come with an addition to the stream. */
static void norm(LLMPipeline *llm, uint32_t rows) {
    const LayerWeights *layer = &llm->weights.layer[0];
    uint32_t C = llm->checkpoint->config.channels, count = rows * C;
    dispatch(llm->device, llm->halves ? "layernorm_forward_f16" : "layernorm_forward",
             grid_threadgroups(rows, 1, 1), FLOATS(llm->x, count),
             BUFFER(layer->attention_norm.weight), BUFFER(layer->attention_norm.bias),
             activations(llm, llm->norm, count), arg_u32(C),
             arg_f32(llm->checkpoint->config.epsilon));
}

void pipeline_forward(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T, Wanted wanted) {
    const ModelConfig *config = &llm->checkpoint->config;
    const Weights *weights = &llm->weights;
    uint32_t rows = B * T;
    llm->halves = suits_halves(llm, rows);
    embed(llm, ids, B, T);
    norm(llm, rows);
    for (uint32_t l = 0; l < config->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        bool is_last = l + 1 == config->layers;
        bool picks_last = is_last && wanted == WANTED_LAST_TOKENS && T > 1;
        DeviceBuffer *x = llm->x, *attended = attend(llm, l, B, T, !picks_last);
        if (is_last && wanted == WANTED_CACHE) break;
        if (picks_last) { /* the others have done their part */
            attended = last_rows(llm, attended, llm->last_attended, B, T);
            x = last_rows(llm, x, llm->last_x, B, T);
            rows = B;
            llm->halves = suits_halves(llm, rows);
        }
        attended = as_input(llm, attended, rows);
        DeviceBuffer *bias = linear(llm, attended, 0, &layer->projection.part[0],
                                    layer->projection.bias[0], llm->block_out, rows);
        add_and_norm(llm, x, bias, llm->res, layer->mlp_norm.weight, layer->mlp_norm.bias, rows);
        up_and_gelu(llm, layer, rows);
        bias = linear(llm, llm->gelu, 0, &layer->down.part[0], layer->down.bias[0], llm->block_out,
                      rows);
        add_and_norm(llm, llm->res, bias, llm->x,
                     is_last ? weights->output_norm.weight : layer[1].attention_norm.weight,
                     is_last ? weights->output_norm.bias : layer[1].attention_norm.bias, rows);
    }
}

void pipeline_logits(LLMPipeline *llm, uint32_t first, uint32_t count) {
    linear(llm, llm->norm, first, &llm->weights.output.part[0], llm->zeros, llm->logits, count);
}

/* --- decoding by fused kernels: five to a layer --- */

/* Channels of the narrow instances of kernels/fused_norm_linear.metal, and of all. */
enum {
    NARROW_CHANNELS = 4 * FUSED_NORM_LINEAR_NARROW_VECTORS,
    FUSED_CHANNELS = 4 * FUSED_NORM_LINEAR_MAX_VECTORS
};
enum { DECODE_THREADS = 32 * FUSED_DECODE_ATTENTION_MAX_SIMDGROUPS, LEAST_DECODE_THREADS = 128 };

static bool suits_fusion(const Matrix *weight) {
    return format_kernels[weight->type].linear_residual[0] && weight->columns % 4 == 0;
}

static bool suits_batch(const Matrix *weight) {
    return weight->rows >= FUSED_LINEAR_BATCH_ROWS &&
           weight->columns % FUSED_LINEAR_BATCH_PART == 0;
}

bool pipeline_can_batch(const LLMPipeline *llm) {
    return llm->half_products && weights_all(&llm->weights, suits_batch);
}

bool pipeline_can_fuse(const LLMPipeline *llm) {
    const ModelConfig *config = &llm->checkpoint->config;
    return config->channels == 64 * config->heads && config->channels <= FUSED_CHANNELS &&
           weights_all(&llm->weights, suits_fusion) &&
           llm->B <= (pipeline_can_batch(llm) ? BATCH_MOST : FUSED_TOKENS);
}

/* How many share out `all` so that each takes as many turns as the others, if `most` run at once.
 */
static uint32_t even_share(uint32_t all, uint32_t most) {
    return divide_up(all, divide_up(all, most));
}

/* layernorm → product → bias, and GELU. */
static void norm_linear(LLMPipeline *llm, DeviceBuffer *norm_weight, DeviceBuffer *norm_bias,
                        const Matrix *weight, DeviceBuffer *bias, bool gelu, DeviceBuffer *out,
                        uint32_t B) {
    uint32_t N = weight->rows, K = weight->columns;
    dispatch(llm->device, format_kernels[weight->type].norm_linear[K > NARROW_CHANNELS][B > 1],
             grid_simdgroups(even_share(N, device_facts(llm->device)->simdgroups)),
             FLOATS(llm->x, B * K), BUFFER(norm_weight), BUFFER(norm_bias), BUFFER(weight->buffer),
             FLOATS(bias, N), FLOATS(out, B * N), arg_u32(B), arg_u32(K), arg_u32(N), arg_u32(gelu),
             arg_f32(llm->checkpoint->config.epsilon));
}

/* As many threads as have a row on its way at once. */
static DeviceGrid residual_grid(uint32_t N, uint32_t K) {
    DeviceGrid grid = grid_threadgroups(divide_up(N, FUSED_LINEAR_RESIDUAL_ROWS), 1, 1);
    for (grid.threads = 32;
         grid.threads < 256 && grid.threads * FUSED_LINEAR_RESIDUAL_AHEAD * 4 < K;)
        grid.threads *= 2;
    return grid;
}

/* x += product + bias. */
static void linear_residual(LLMPipeline *llm, DeviceBuffer *in, const Matrix *weight,
                            DeviceBuffer *bias, uint32_t B) {
    uint32_t N = weight->rows, K = weight->columns;
    dispatch(llm->device, format_kernels[weight->type].linear_residual[B > 1], residual_grid(N, K),
             FLOATS(in, B * K), BUFFER(weight->buffer), BUFFER(bias), FLOATS(llm->x, B * N),
             arg_u32(B), arg_u32(K), arg_u32(N));
}

/* Of the token in `qkv`, to `mixed`, or as halves to `half_attended`. */
static void decode_attention(LLMPipeline *llm, uint32_t l, bool halves, uint32_t B) {
    const ModelConfig *config = &llm->checkpoint->config;
    uint32_t C = config->channels;
    DeviceGrid grid = grid_threadgroups(config->heads, B, 1);
    grid.threads = DECODE_THREADS;
    while (config->heads * B * grid.threads / 32 > device_facts(llm->device)->simdgroups &&
           grid.threads > LEAST_DECODE_THREADS)
        grid.threads /= 2; /* so that all of them run at once */
    dispatch(llm->device, cache_kernels[llm->cache].decode_hs64[halves], grid,
             FLOATS(llm->qkv, 3 * B * C), FLOATS(llm->lengths, B), FLOATS(llm->counts, B),
             cached(llm, llm->keys[l], B), cached(llm, llm->values[l], B),
             halves ? HALVES(llm->half_attended, B * C) : FLOATS(llm->mixed, B * C),
             arg_u32(llm->capacity), arg_f32(attention_scale(config, l)));
}

static void decode_fused(LLMPipeline *llm, uint32_t B) {
    const Weights *weights = &llm->weights;
    embed(llm, llm->ids, B, 1);
    for (uint32_t l = 0; l < weights->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        norm_linear(llm, layer->attention_norm.weight, layer->attention_norm.bias,
                    &layer->qkv.part[0], layer->qkv.bias[0], false, llm->qkv, B);
        decode_attention(llm, l, false, B);
        linear_residual(llm, llm->mixed, &layer->projection.part[0], layer->projection.bias[0], B);
        norm_linear(llm, layer->mlp_norm.weight, layer->mlp_norm.bias, &layer->up.part[0],
                    layer->up.bias[0], true, llm->gelu, B);
        linear_residual(llm, llm->gelu, &layer->down.part[0], layer->down.bias[0], B);
    }
    norm_linear(llm, weights->output_norm.weight, weights->output_norm.bias,
                &weights->output.part[0], llm->zeros, false, llm->logits, B);
}

/* --- decoding a batch on the matrix units: five or seven kernels to a layer --- */

enum { BATCH_NORM_THREADS = 512, BATCH_THREADS = 256 };
enum { LONG_ROW = 2048, LONG_ROW_THREADS = 512 }; /* of weights, which more simdgroups share out */

/* What becomes of a product and its bias. */
typedef enum Epilogue { STORED, GELU, ADDED } Epilogue;

/* For 8, 16 and 32 tokens to a threadgroup. */
static const char *const batch_kernels[3][3] = {
    [STORED] = {"linear_batch_8", "linear_batch_16", "linear_batch_32"},
    [GELU] = {"linear_batch_gelu_8", "linear_batch_gelu_16", "linear_batch_gelu_32"},
    [ADDED] = {"linear_batch_residual_8", "linear_batch_residual_16"},
};

/* Of threadgroups that take FUSED_LINEAR_BATCH_ROWS of N weight rows at a time: each as often as
 * the others, and no more than twice as many as run at once. */
static DeviceGrid batch_grid(const LLMPipeline *llm, uint32_t N, uint32_t threads) {
    uint32_t most = 2 * device_facts(llm->device)->simdgroups * 32 / threads;
    DeviceGrid grid =
        grid_threadgroups(even_share(divide_up(N, FUSED_LINEAR_BATCH_ROWS), most), 1, 1);
    grid.threads = threads;
    return grid;
}

static DeviceArgument batch_out(DeviceBuffer *out, Epilogue epilogue, uint32_t count) {
    return epilogue == GELU ? HALVES(out, count) : FLOATS(out, count);
}

static void linear_batch(LLMPipeline *llm, DeviceBuffer *in, const Matrix *weight,
                         DeviceBuffer *bias, Epilogue epilogue, DeviceBuffer *out, uint32_t B) {
    uint32_t N = weight->rows, K = weight->columns;
    /* What is added to the stream has few rows of weights: more threadgroups, each of fewer tokens.
     */
    uint32_t size = B <= 8 ? 0 : B <= 16 || epilogue == ADDED ? 1 : 2, tokens = 8u << size;
    DeviceGrid grid = batch_grid(llm, N, K > LONG_ROW ? LONG_ROW_THREADS : BATCH_THREADS);
    grid.y = divide_up(B, tokens);
    dispatch(llm->device, batch_kernels[epilogue][size], grid, HALVES(in, B * K),
             BUFFER(weight->buffer), FLOATS(bias, N), batch_out(out, epilogue, B * N), arg_u32(B),
             arg_u32(K), arg_u32(N));
}

/* x → `norm`, as halves. */
static void norm_batch(LLMPipeline *llm, DeviceBuffer *weight, DeviceBuffer *bias, uint32_t B) {
    uint32_t C = llm->checkpoint->config.channels;
    DeviceGrid grid = grid_threadgroups(B, 1, 1);
    grid.threads = BATCH_NORM_THREADS;
    dispatch(llm->device, "layernorm_forward_f16", grid, FLOATS(llm->x, B * C), BUFFER(weight),
             BUFFER(bias), HALVES(llm->norm, B * C), arg_u32(C),
             arg_f32(llm->checkpoint->config.epsilon));
}

/* layernorm → product → bias, and GELU: in one kernel, or two. */
static void norm_linear_batch(LLMPipeline *llm, DeviceBuffer *norm_weight, DeviceBuffer *norm_bias,
                              const Matrix *weight, DeviceBuffer *bias, Epilogue epilogue,
                              DeviceBuffer *out, uint32_t B) {
    uint32_t N = weight->rows, C = weight->columns;
    if (B > FUSED_NORM_LINEAR_BATCH_MAX_TOKENS || C > FUSED_NORM_LINEAR_BATCH_MAX_CHANNELS) {
        norm_batch(llm, norm_weight, norm_bias, B);
        linear_batch(llm, llm->norm, weight, bias, epilogue, out, B);
    } else {
        dispatch(llm->device, epilogue == GELU ? "norm_linear_batch_gelu" : "norm_linear_batch",
                 batch_grid(llm, N, BATCH_THREADS), FLOATS(llm->x, B * C), BUFFER(norm_weight),
                 BUFFER(norm_bias), BUFFER(weight->buffer), FLOATS(bias, N),
                 batch_out(out, epilogue, B * N), arg_u32(B), arg_u32(C), arg_u32(N),
                 arg_f32(llm->checkpoint->config.epsilon));
    }
}

static void decode_batch(LLMPipeline *llm, uint32_t B) {
    const Weights *weights = &llm->weights;
    embed(llm, llm->ids, B, 1);
    for (uint32_t l = 0; l < weights->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        norm_linear_batch(llm, layer->attention_norm.weight, layer->attention_norm.bias,
                          &layer->qkv.part[0], layer->qkv.bias[0], STORED, llm->qkv, B);
        decode_attention(llm, l, true, B);
        linear_batch(llm, llm->half_attended, &layer->projection.part[0], layer->projection.bias[0],
                     ADDED, llm->x, B);
        norm_linear_batch(llm, layer->mlp_norm.weight, layer->mlp_norm.bias, &layer->up.part[0],
                          layer->up.bias[0], GELU, llm->gelu, B);
        linear_batch(llm, llm->gelu, &layer->down.part[0], layer->down.bias[0], ADDED, llm->x, B);
    }
    norm_linear_batch(llm, weights->output_norm.weight, weights->output_norm.bias,
                      &weights->output.part[0], llm->zeros, STORED, llm->logits, B);
}

void pipeline_decode(LLMPipeline *llm, uint32_t B) {
    if (llm->batched && B >= BATCH_LEAST) {
        decode_batch(llm, B);
    } else if (llm->fused) {
        decode_fused(llm, B);
    } else {
        pipeline_forward(llm, llm->ids, B, 1, WANTED_LAST_TOKENS);
        pipeline_logits(llm, 0, B);
    }
}

void pipeline_sample(LLMPipeline *llm, const LLMGeneration *generation, uint32_t B) {
    uint32_t V = llm->checkpoint->config.vocabulary;
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float top_p = generation->top_p > 0.0f && generation->top_p < 1.0f ? generation->top_p : 1.0f;
    DeviceArgument seed = {.value.u64 = generation->seed, .size = 8};
    if (generation->temperature > 0.0f && top_k > 1)
        dispatch(llm->device, "top_k_top_p_sample", grid_threadgroups(B, 1, 1),
                 FLOATS(llm->logits, B * V), FLOATS(llm->lengths, B), FLOATS(llm->counts, B),
                 FLOATS(llm->p, B * V), FLOATS(llm->ids, B), arg_u32(V),
                 arg_f32(generation->temperature), arg_u32(top_k), arg_f32(top_p), seed);
    else
        dispatch(llm->device, "argmax_sample", grid_threadgroups(B, 1, 1),
                 FLOATS(llm->logits, B * V), FLOATS(llm->ids, B), arg_u32(V));
    dispatch(llm->device, "advance_step", grid_threads(B, 1, 1), FLOATS(llm->ids, B),
             FLOATS(llm->lengths, B), FLOATS(llm->counts, B), FLOATS(llm->history, B), arg_u32(B),
             arg_u32(llm->capacity));
}
