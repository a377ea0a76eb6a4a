#include "choose.h"

#include "kernel_constants.h"

/* Channels of the narrow instances of fused_norm_linear.metal, and of all. */
enum {
    NARROW_CHANNELS = 4 * FUSED_NORM_LINEAR_NARROW_VECTORS,
    FUSED_CHANNELS = 4 * FUSED_NORM_LINEAR_MAX_VECTORS
};

/* Measured: see docs/speed-log.md. */
enum { TOKENS_PER_PASS = 512, TOKENS_PER_PASS_GPU = 1024 };
/* From so many inputs on a tile of rows shares what a GPU reads of them: they fill most of the
 * first-level cache. */
enum { TILE_INPUTS = 8192 };
/* From how many rows on the matrix library is faster; of packed weights it needs a float copy. */
enum { LIBRARY_LEAST = 17, LIBRARY_LEAST_PACKED = 97, LIBRARY_LEAST_GPU = 33 };
enum { FUSED_TOKENS = 8 }; /* rows that the fused kernels decode at once */
/* Rows that the matrix units decode; of models with RMSNorm, which are larger, the matrix library
 * takes more. */
enum { BATCH_LEAST = 2, BATCH_MOST = 256, BATCH_MOST_RMS = 32 };
enum { BATCH_NORM_THREADS = 512, BATCH_THREADS = 256 };
enum { RESIDUAL_MOST_THREADS = 256 };
enum { NARROW_ROW = 32 * 8 * FUSED_RMSNORM_LINEAR_NARROW_AHEAD }; /* halves on their way at once */
enum { RMSNORM_THREADS = 64 }; /* of fused_rmsnorm_linear.metal: fine shares of its rows */
enum { LONG_ROW = 2048, LONG_ROW_THREADS = 512 }; /* of weights, which more simdgroups split */
/* Tokens of a vocabulary from which on groups of them are worth a kernel more. */
enum { GROUPS_LEAST = 8192, GROUPS_THREADS = 512 };

/* What every weight format but f32 has, and what some have. */
#define PACKED_KERNELS(format)                                                                     \
    .linear = "linear_" format, .embedding = "embedding_forward_" format,                          \
    .unpack = "dequantise_" format
#define INTEGER_LINEAR(format) .integer_linear = "integer_linear_" format
#define INTEGER_MATMUL(format) .integer_matmul = "integer_matmul_" format

/* Instances of fused_rmsnorm_linear.metal: one token, four at a time, one and few columns. */
enum { ONE, FOURS, NARROW };

/* The kernels of each weight format. */
static const struct {
    const char *linear, *tile, *embedding, *unpack, *integer_linear, *integer_matmul;
    const char *norm_linear[2][2];                    /* [wide][two tokens at a time] */
    const char *rmsnorm_linear[3], *rmsnorm_gated[3]; /* [ONE, FOURS, NARROW] */
    const char *linear_residual[2];                   /* [two tokens at a time] */
    const char *linear_residual_eights;               /* eight columns at once, of one token */
} format_kernels[] = {
    [TENSOR_F32] = {.linear = "linear_f32",
                    .tile = "linear_tile_f32",
                    .embedding = "embedding_forward",
                    .norm_linear = {{"norm_linear_f32", "norm_linear_pair_f32"},
                                    {"norm_linear_wide_f32", "norm_linear_pair_wide_f32"}},
                    .rmsnorm_linear = {"rmsnorm_linear_f32", "rmsnorm_linear_fours_f32",
                                       "rmsnorm_linear_f32"},
                    .rmsnorm_gated = {"rmsnorm_gated_f32", "rmsnorm_gated_fours_f32",
                                      "rmsnorm_gated_f32"},
                    .linear_residual = {"linear_residual_f32", "linear_residual_pair_f32"}},
    [TENSOR_F16] = {PACKED_KERNELS("f16"), .tile = "linear_tile_f16",
                    .norm_linear = {{"norm_linear_f16", "norm_linear_f16"},
                                    {"norm_linear_wide_f16", "norm_linear_wide_f16"}},
                    .rmsnorm_linear = {"rmsnorm_linear_f16", "rmsnorm_linear_fours_f16",
                                       "rmsnorm_linear_narrow_f16"},
                    .rmsnorm_gated = {"rmsnorm_gated_f16", "rmsnorm_gated_fours_f16",
                                      "rmsnorm_gated_narrow_f16"},
                    .linear_residual = {"linear_residual_f16", "linear_residual_f16"},
                    .linear_residual_eights = "linear_residual_eights_f16"},
    [TENSOR_BF16] = {PACKED_KERNELS("bf16"), .tile = "linear_tile_bf16"},
    [TENSOR_Q4_0] = {PACKED_KERNELS("q4_0"), INTEGER_LINEAR("q4_0"), INTEGER_MATMUL("q4_0")},
    [TENSOR_Q4_1] = {PACKED_KERNELS("q4_1"), INTEGER_LINEAR("q4_1"), INTEGER_MATMUL("q4_1")},
    [TENSOR_Q5_0] = {PACKED_KERNELS("q5_0"), INTEGER_LINEAR("q5_0"), INTEGER_MATMUL("q5_0")},
    [TENSOR_Q5_1] = {PACKED_KERNELS("q5_1"), INTEGER_LINEAR("q5_1"), INTEGER_MATMUL("q5_1")},
    [TENSOR_Q8_0] = {PACKED_KERNELS("q8_0"), INTEGER_LINEAR("q8_0"), INTEGER_MATMUL("q8_0")},
    [TENSOR_Q2_K] = {PACKED_KERNELS("q2_K"), INTEGER_LINEAR("q2_K"), INTEGER_MATMUL("q2_K")},
    [TENSOR_Q3_K] = {PACKED_KERNELS("q3_K"), INTEGER_LINEAR("q3_K"), INTEGER_MATMUL("q3_K")},
    [TENSOR_Q4_K] = {PACKED_KERNELS("q4_K"), INTEGER_LINEAR("q4_K"), INTEGER_MATMUL("q4_K")},
    [TENSOR_Q5_K] = {PACKED_KERNELS("q5_K"), INTEGER_LINEAR("q5_K"), INTEGER_MATMUL("q5_K")},
    [TENSOR_Q6_K] = {PACKED_KERNELS("q6_K"), INTEGER_LINEAR("q6_K"), INTEGER_MATMUL("q6_K")},
    [TENSOR_IQ4_NL] = {PACKED_KERNELS("iq4_nl"), INTEGER_LINEAR("iq4_nl"),
                       INTEGER_MATMUL("iq4_nl")},
};
_Static_assert(sizeof format_kernels / sizeof *format_kernels == TENSOR_TYPES,
               "a type is missing from the table");

/* How many split `all` so that each takes as many turns as the others, if `most` run at once.
 */
static uint32_t even_share(uint32_t all, uint32_t most) {
    return divide_up(all, divide_up(all, most));
}

/* --- when a model is opened --- */

bool matrix_is_half(const Matrix *matrix) {
    return matrix->type == TENSOR_F16;
}

bool matrix_fuses(const Matrix *matrix) {
    uint32_t vector = matrix->type == TENSOR_F16 ? 8 : 4; /* kernels/parts/vectors.h */
    return format_kernels[matrix->type].linear_residual[0] && matrix->columns % vector == 0;
}

bool matrix_batches(const Matrix *matrix) {
    return matrix->rows >= BATCH_PRODUCTS_ROWS && matrix->columns % BATCH_PRODUCTS_PART == 0;
}

/* Asked for in vain it is an error; else it is used where it pays and suits. */
static bool choose_fusion(Setup *setup, const ModelFacts *model, LLMChoice fusion,
                          LLMError *error) {
    bool can_batch = setup->half_products && model->batches;
    bool fits =
        model->rms || (heads_are_sized(model->head_size) && model->channels <= FUSED_CHANNELS);
    bool suits = setup->flash && !setup->plain && model->fuses && fits &&
                 (model->rms || setup->batch <= (can_batch ? BATCH_MOST : FUSED_TOKENS));
    if (fusion == LLM_ON && !suits)
        return error_set(
            error, LLM_ERROR_ARGUMENT,
            "the fused kernels are for flash attention, f32 or f16 weights, %s; leave out the "
            "fusion option",
            model->rms
                ? "of one type in q, k and v and in gate and up"
                : "heads of 64, 128 or 256 channels and a batch of at most 8, of f16 weights 256");
    setup->fused = suits && (fusion ? fusion == LLM_ON : is_gpu(setup));
    setup->batch_most = !setup->fused || !can_batch ? 0 : model->rms ? BATCH_MOST_RMS : BATCH_MOST;
    return true;
}

bool choose_setup(Setup *setup, const DeviceFacts *facts, const ModelFacts *model,
                  const LLMOptions *options, LLMError *error) {
    bool gpu = facts->simd_width > 1;
    *setup = (Setup){
        .facts = *facts,
        .cache = options->cache == LLM_F16 ? ELEMENT_F16 : ELEMENT_F32,
        .batch = options->batch ? options->batch : 1,
        .flash = options->attention != LLM_NAIVE,
        .plain = options->attention == LLM_PLAIN,
        .rms = model->rms,
        .half_products = gpu && model->halves && !facts->lacks_matrices,
        .integers = options->integer_products ? options->integer_products == LLM_ON : !gpu,
    };
    return choose_fusion(setup, model, options->fusion, error);
}

uint32_t choose_pass_tokens(const DeviceFacts *facts) {
    return facts->simd_width > 1 ? TOKENS_PER_PASS_GPU : TOKENS_PER_PASS;
}

/* --- a pass --- */

/* The matrix library multiplies halves from fewer rows on where many rows are decoded. */
static bool suits_halves(const Setup *setup, uint32_t rows) {
    uint32_t from = setup->batch > FUSED_TOKENS ? FUSED_TOKENS + 1 : LIBRARY_LEAST_GPU;
    return setup->half_products && rows >= from;
}

Pass choose_pass(const Setup *setup, uint32_t B, uint32_t T) {
    if (T == 1 && B >= BATCH_LEAST && B <= setup->batch_most)
        return (Pass){B, T, STYLE_BATCHED, ELEMENT_F16,
                      "a token of several rows, all weights halves: fused, on the matrix units"};
    if (T == 1 && setup->fused && B <= FUSED_TOKENS)
        return (Pass){B, T, STYLE_FUSED, ELEMENT_F32,
                      "a token of each row: several ideas to a kernel"};
    if (suits_halves(setup, B * T))
        return (Pass){B, T, STYLE_PLAIN, ELEMENT_F16,
                      "rows enough for the matrix units, all weights halves: activations, too"};
    return (Pass){B, T, STYLE_PLAIN, ELEMENT_F32, "one idea to a kernel, activations in floats"};
}

Choice choose_embedding(TensorType type, uint32_t C, const Pass *pass) {
    return (Choice){format_kernels[type].embedding, grid_threads(C, pass->T, pass->B),
                    "a row of the table, unpacked, and that of the position"};
}

Choice choose_norm(const Pass *pass, const Norm *norm, uint32_t rows, bool adds,
                   const Norm *after) {
    static const char *const forward[2][2] = {{"layernorm_forward", "layernorm_forward_f16"},
                                              {"rmsnorm_forward", "rmsnorm_forward_f16"}};
    static const char *const residual[2][2] = {{"residual_layernorm", "residual_layernorm_f16"},
                                               {"residual_rmsnorm", "residual_rmsnorm_f16"}};
    static const char *const sandwich[2] = {"sandwich_rmsnorm", "sandwich_rmsnorm_f16"};
    bool halves = pass->type == ELEMENT_F16, is_rms = norm->kind == NORM_RMS;
    DeviceGrid grid = grid_threadgroups(rows, 1, 1);
    if (pass->style == STYLE_BATCHED) grid.threads = BATCH_NORM_THREADS;
    if (after)
        return (Choice){sandwich[halves], grid,
                        "what is owed to the stream is normalised before it is added"};
    if (adds)
        return (Choice){residual[is_rms][halves], grid,
                        "the addition that is owed to the stream costs no pass over memory here"};
    return (Choice){forward[is_rms][halves], grid, "nothing is to be added to the stream"};
}

/* --- products --- */

ProductChoice choose_product(const Setup *setup, ElementType in, const Matrix *weight,
                             bool stays_packed, uint32_t rows) {
    bool packed = weight->type != TENSOR_F32;
    uint32_t from = is_gpu(setup) ? LIBRARY_LEAST_GPU : LIBRARY_LEAST_PACKED;
    if (in == ELEMENT_F16)
        return (ProductChoice){METHOD_LIBRARY_HALVES, false,
                               "rows enough for the matrix units, and all weights are halves"};
    if (setup->integers && setup->facts.byte_products && rows > LINEAR_TOKENS &&
        format_kernels[weight->type].integer_matmul)
        return (ProductChoice){METHOD_INTEGER_MATMUL, false,
                               "products of bytes are faster than those of floats here"};
    if (rows >= (packed ? from : LIBRARY_LEAST) && !(packed && stays_packed))
        return (ProductChoice){METHOD_LIBRARY_FLOATS, false,
                               packed ? "so many rows pay for unpacking the weights as floats"
                                      : "from 17 rows on the matrix library is faster"};
    if (setup->integers && format_kernels[weight->type].integer_linear)
        return (ProductChoice){
            METHOD_INTEGER_LINEAR, true,
            "few rows: reading the weights is the work, integers unpack fastest"};
    return (ProductChoice){METHOD_LINEAR, true, "few rows: reading the weights is the work"};
}

static Choice choose_linear(const Setup *setup, const Matrix *weight, uint32_t rows) {
    uint32_t N = weight->rows;
    const char *tile = format_kernels[weight->type].tile;
    if (tile && !is_gpu(setup))
        return (Choice){tile, grid_simdgroups(divide_up(N, LINEAR_TILE_ROWS)),
                        "a CPU multiplies four rows of weights by what it has loaded of x"};
    if (tile && (size_t)rows * weight->columns >= TILE_INPUTS)
        return (Choice){tile, grid_simdgroups(divide_up(N, LINEAR_TILE_ROWS)),
                        "the inputs fill most of the first-level cache: four rows share them"};
    return (Choice){format_kernels[weight->type].linear, grid_simdgroups(N),
                    tile ? "few inputs: a simdgroup for each row of weights"
                         : "blocks are unpacked as they are multiplied"};
}

Choice choose_product_kernel(const Setup *setup, const ProductChoice *product, const Matrix *weight,
                             uint32_t rows) {
    if (product->method == METHOD_LINEAR) return choose_linear(setup, weight, rows);
    if (product->method == METHOD_INTEGER_LINEAR)
        return (Choice){format_kernels[weight->type].integer_linear, grid_simdgroups(weight->rows),
                        product->why};
    return (Choice){format_kernels[weight->type].integer_matmul,
                    grid_threadgroups(divide_up(weight->rows, INTEGER_MATMUL_COLUMNS), 1, 1),
                    product->why};
}

Choice choose_rounding(size_t count) {
    return (Choice){"quantise_activations", grid_simdgroups((uint32_t)(count / QUANTISE_BLOCK)),
                    "products of integers read activations of 8 bits"};
}

Choice choose_unpacking(const Matrix *weight) {
    uint32_t count = weight->rows * weight->columns, block = tensor_type_block(weight->type);
    return (Choice){format_kernels[weight->type].unpack,
                    block > 1 ? grid_simdgroups(count / block) : grid_threads(count, 1, 1),
                    "the matrix library reads floats"};
}

Choice choose_halving(size_t count) {
    return (Choice){"convert_f16", grid_threads((uint32_t)count, 1, 1),
                    "the matrix library reads halves"};
}

static Choice choose_gated(const Pass *pass, Activation activation, uint32_t rows,
                           uint32_t columns) {
    bool halves = pass->type == ELEMENT_F16;
    DeviceGrid grid = grid_threads(columns, rows, 1);
    if (activation == ACTIVATION_SILU_GATED)
        return (Choice){halves ? "silu_gated_f16" : "silu_gated", grid, "silu opens the gate"};
    return (Choice){halves ? "gelu_gated_f16" : "gelu_gated", grid, "GELU opens the gate"};
}

Choice choose_activation(const Setup *setup, const Pass *pass, Activation activation, uint32_t rows,
                         uint32_t columns, bool adds_bias) {
    if (is_gated(activation)) return choose_gated(pass, activation, rows, columns);
    uint32_t share = is_gpu(setup) ? FUSED_BIAS_GELU_GPU_SHARE : 1;
    if (!adds_bias)
        return (Choice){"gelu_forward", grid_threads(rows * columns, 1, 1),
                        "the product has added its bias"};
    return (Choice){pass->type == ELEMENT_F16 ? "bias_gelu_f16" : "bias_gelu",
                    grid_threads(divide_up(columns, share), rows, 1),
                    "it takes the bias along, which the product has left"};
}

/* --- fused steps --- */

/* Of threadgroups that take a block of weight rows at a time: each as often as the others, and no
 * more than twice as many as run at once. */
static DeviceGrid batch_grid(const Setup *setup, uint32_t blocks, uint32_t threads) {
    uint32_t most = 2 * setup->facts.simdgroups * 32 / threads;
    return with_threads(grid_threadgroups(even_share(blocks, most), 1, 1), threads);
}

/* What becomes of a product and its bias. */
typedef enum Epilogue { STORED, GELU, ADDED, GATED, SIDE_BY_SIDE } Epilogue;

/* For 8, 16 and 32 tokens to a threadgroup. */
static const char *const batch_kernels[][3] = {
    [STORED] = {"linear_batch_8", "linear_batch_16", "linear_batch_32"},
    [GELU] = {"linear_batch_gelu_8", "linear_batch_gelu_16", "linear_batch_gelu_32"},
    [ADDED] = {"linear_batch_residual_8", "linear_batch_residual_16"},
    [GATED] = {"linear_batch_gated_8", "linear_batch_gated_16", "linear_batch_gated_32"},
    [SIDE_BY_SIDE] = {"linear_batch_parts_8", "linear_batch_parts_16", "linear_batch_parts_32"},
};

/* Of N rows of K weights. What is added to the stream has few: more threadgroups, each of fewer
 * tokens. */
static Choice choose_linear_batch(const Setup *setup, uint32_t B, uint32_t N, uint32_t K,
                                  Epilogue epilogue) {
    uint32_t size = B <= 8 ? 0 : B <= 16 || epilogue == ADDED ? 1 : 2, tokens = 8u << size;
    uint32_t threads = K > LONG_ROW ? LONG_ROW_THREADS : BATCH_THREADS;
    uint32_t rows = epilogue == GATED ? BATCH_PRODUCTS_ROWS / 2 : BATCH_PRODUCTS_ROWS;
    Choice choice = {batch_kernels[epilogue][size], batch_grid(setup, divide_up(N, rows), threads),
                     "a batch of halves goes through the matrix units"};
    choice.grid.y = divide_up(B, tokens);
    return choice;
}

static FusedRead choose_batch_read(const Setup *setup, uint32_t B, const Matrix *weight,
                                   bool gelu) {
    uint32_t N = weight->rows, K = weight->columns;
    if (B > FUSED_NORM_LINEAR_BATCH_MAX_TOKENS || K > FUSED_NORM_LINEAR_BATCH_MAX_CHANNELS)
        return (FusedRead){true, choose_linear_batch(setup, B, N, K, gelu ? GELU : STORED)};
    DeviceGrid grid = batch_grid(setup, divide_up(N, BATCH_PRODUCTS_ROWS), BATCH_THREADS);
    return (FusedRead){false,
                       {gelu ? "norm_linear_batch_gelu" : "norm_linear_batch", grid,
                        "each threadgroup normalises the few rows of the batch itself"}};
}

FusedRead choose_fused_read(const Setup *setup, const Pass *pass, const Matrix *weight, bool gelu) {
    if (pass->style == STYLE_BATCHED) return choose_batch_read(setup, pass->B, weight, gelu);
    bool wide = weight->columns > NARROW_CHANNELS;
    const char *kernel = format_kernels[weight->type].norm_linear[wide][pass->B > 1];
    return (FusedRead){
        .product = {kernel, grid_simdgroups(even_share(weight->rows, setup->facts.simdgroups)),
                    "few rows: normalising them again is cheaper than a kernel of its own"}};
}

static FusedRead choose_rms_batch_read(const Setup *setup, uint32_t B, const Product *product,
                                       Activation activation) {
    bool gated = is_gated(activation);
    Epilogue epilogue = gated ? GATED : product->parts > 1 ? SIDE_BY_SIDE : STORED;
    uint32_t N = gated ? product->part[0].rows : product_columns(product);
    return (FusedRead){true, choose_linear_batch(setup, B, N, product->part[0].columns, epilogue)};
}

FusedRead choose_rms_read(const Setup *setup, const Pass *pass, const Product *product,
                          Activation activation) {
    if (pass->style == STYLE_BATCHED)
        return choose_rms_batch_read(setup, pass->B, product, activation);
    const Matrix *weight = &product->part[0];
    uint32_t rows = pass->B > 1 ? FOURS : weight->columns <= NARROW_ROW ? NARROW : ONE;
    FusedRead read;
    if (is_gated(activation))
        read.product = (Choice){
            format_kernels[weight->type].rmsnorm_gated[rows], grid_simdgroups(weight->rows),
            "a simdgroup has gate and up of a channel, and the norm's factor on the way"};
    else
        read.product = (Choice){
            format_kernels[weight->type].rmsnorm_linear[rows],
            grid_simdgroups(divide_up(product_columns(product), FUSED_RMSNORM_LINEAR_ROWS)),
            "few rows: the norm is a factor, which each simdgroup finds on the way"};
    read.norm_apart = false;
    if (weight->type == TENSOR_F16 && rows == ONE) read.product.grid.threads = RMSNORM_THREADS;
    return read;
}

/* Where RMSNorm's families decode a row of halves: GPT-2 124M was not faster with it. */
static bool reads_eights(const Setup *setup, const Pass *pass, const Matrix *weight) {
    return setup->rms && pass->B == 1 && format_kernels[weight->type].linear_residual_eights;
}

/* As many threads as have a row on its way at once. */
static uint32_t residual_threads(uint32_t K, bool eights) {
    uint32_t columns =
        eights ? 8 * FUSED_LINEAR_RESIDUAL_EIGHTS_AHEAD : 4 * FUSED_LINEAR_RESIDUAL_FOURS_AHEAD;
    uint32_t threads = 32;
    while (threads < RESIDUAL_MOST_THREADS && threads * columns < K)
        threads += eights ? 32 : threads;
    return threads;
}

Choice choose_fused_write(const Setup *setup, const Pass *pass, const Matrix *weight) {
    if (pass->style == STYLE_BATCHED)
        return choose_linear_batch(setup, pass->B, weight->rows, weight->columns, ADDED);
    bool eights = reads_eights(setup, pass, weight);
    DeviceGrid grid = grid_threadgroups(divide_up(weight->rows, FUSED_LINEAR_RESIDUAL_ROWS), 1, 1);
    return (Choice){eights ? format_kernels[weight->type].linear_residual_eights
                           : format_kernels[weight->type].linear_residual[pass->B > 1],
                    with_threads(grid, residual_threads(weight->columns, eights)),
                    "the product adds itself to the stream"};
}

/* --- the end of a pass --- */

Choice choose_last_tokens(uint32_t words, uint32_t B) {
    return (Choice){"last_token_rows", grid_threads(words, B, 1),
                    "the other tokens have done their part: their keys and values are kept"};
}

Choice choose_bias(uint32_t V, uint32_t B, bool biases) {
    return (Choice){"add_logit_bias", grid_threads(V, B, 1),
                    biases ? "tokens were given a bias"
                           : "what changes the logits changes a copy: nothing is added to it"};
}

Choice choose_mask(uint32_t V, uint32_t B) {
    return (Choice){"mask_tokens", grid_threads(V, B, 1),
                    "the text is JSON: the host says which tokens may come next"};
}

Choice choose_penalties(uint32_t window, uint32_t B) {
    return (Choice){"penalise_repeats", grid_threads(window, B, 1),
                    "tokens that have just come are to be less likely"};
}

Choice choose_typical(uint32_t B) {
    return (Choice){"keep_typical", grid_threadgroups(B, 1, 1),
                    "only tokens about as surprising as is to be expected were asked for"};
}

uint32_t choose_method(const Setup *setup, const RowSampling *sampling, bool random, uint32_t V) {
    bool cuts = sampling->top_k < V ? sampling->top_k <= VOCABULARY_GROUPS / 2
                                    : sampling->top_p < 1.0f || sampling->min_p > 0.0f;
    bool large = V >= GROUPS_LEAST;
    if (random) return large && cuts ? SAMPLING_SHORTLISTED : SAMPLING_DRAWN;
    return large && is_gpu(setup) ? SAMPLING_LIKELIEST_OF_GROUPS : SAMPLING_LIKELIEST;
}

Choice choose_group_maxima(uint32_t B) {
    return (Choice){"group_maxima", grid_simdgroups(B * VOCABULARY_GROUPS),
                    "one threadgroup would read a large vocabulary slowly"};
}

Choice choose_sampling(uint32_t B, uint32_t method) {
    static const struct {
        const char *kernel, *why;
    } kernels[] = {
        [SAMPLING_LIKELIEST] = {"argmax_sample", "the likeliest token is taken"},
        [SAMPLING_LIKELIEST_OF_GROUPS] = {"group_argmax",
                                          "the likeliest token of the best group is taken"},
        [SAMPLING_DRAWN] = {"top_k_top_p_sample", "a temperature was asked for"},
        [SAMPLING_SHORTLISTED] = {"shortlist_sample",
                                  "of a large vocabulary only what may be drawn is looked at"},
    };
    DeviceGrid grid = grid_threadgroups(B, 1, 1);
    if (method == SAMPLING_LIKELIEST_OF_GROUPS || method == SAMPLING_SHORTLISTED)
        grid.threads = GROUPS_THREADS;
    return (Choice){kernels[method].kernel, grid, kernels[method].why};
}

Choice choose_logprobs(uint32_t B) {
    return (Choice){"top_logprobs", grid_threadgroups(B, 1, 1),
                    "how likely the tokens are is to be told"};
}

Choice choose_step(uint32_t B) {
    return (Choice){"advance_step", grid_threads(B, 1, 1),
                    "what changes from step to step lies on the device: steps are replayed"};
}

Choice choose_losses(uint32_t rows) {
    return (Choice){"cross_entropy_forward", grid_threadgroups(rows, 1, 1), "a row of logits each"};
}
