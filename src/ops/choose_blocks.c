/* choose_blocks.c — of choose.h, what is decoded from blocks. */
#include "choose.h"
#include "kernel_constants.h"

/* The kernels of the formats that are read in pieces. */
static const struct {
    const char *read, *gated, *write;
    bool splits; /* half `scale` of a block goes after all blocks */
    uint32_t scale;
} block_kernels[TENSOR_TYPES] = {
#define KERNELS_OF(format)                                                                         \
    .read = "integer_read_" format, .gated = "integer_gated_" format,                              \
    .write = "integer_write_" format
    [TENSOR_Q8_0] = {KERNELS_OF("q8_0"), .splits = true, .scale = 0},
    [TENSOR_Q4_K] = {KERNELS_OF("q4_K")},
    [TENSOR_Q5_K] = {KERNELS_OF("q5_K")},
    [TENSOR_Q6_K] = {KERNELS_OF("q6_K"), .splits = true, .scale = 104},
};

/* Measured: see docs/speed-log.md. Each threadgroup rounds a row for itself, so there are few large
 * ones; and to round it costs more than is saved of smaller matrices. */
enum { MULTIPROCESSOR = 16, MOST = 16, LEAST_CHANNELS = 1024, LEAST_ROWS = 32768 };

Keeping choose_keeping(const DeviceFacts *facts, const LLMOptions *options) {
    bool fuses = options->fusion != LLM_OFF && options->attention != LLM_NAIVE &&
                 options->attention != LLM_PLAIN;
    if (options->weights) return options->weights == LLM_F16 ? KEEP_HALVES : KEEP_STORED;
    if (!facts->prefers_halves) return KEEP_STORED;
    if (!fuses || options->integer_products == LLM_OFF) return KEEP_HALVES;
    return options->integer_products == LLM_ON ? KEEP_BOTH : KEEP_LARGE;
}

bool choose_pieces(Keeping keeping, TensorType type, uint32_t C, uint32_t rows, uint32_t columns) {
    bool large = C >= LEAST_CHANNELS || rows >= LEAST_ROWS;
    bool counted = rows * tensor_row_bytes(type, columns) / 2 <= UINT32_MAX; /* by block_planes */
    return (keeping == KEEP_BOTH || (keeping == KEEP_LARGE && large)) && block_kernels[type].read &&
           columns <= ROUNDED_ROW_MAX_INPUTS && counted;
}

Planes choose_planes(TensorType type) {
    if (!block_kernels[type].splits) return (Planes){0};
    uint32_t bytes = (uint32_t)tensor_row_bytes(type, tensor_type_block(type));
    return (Planes){bytes / 2, block_kernels[type].scale};
}

Choice choose_taking_apart(uint32_t halves) {
    return (Choice){"block_planes", grid_threads(halves, 1, 1),
                    "blocks without their scales are whole vectors"};
}

bool product_in_pieces(const Product *product, bool gated) {
    const Matrix *part = product->part;
    for (uint32_t p = 0; p < product->parts; p++)
        if (!part[p].pieces) return false;
    return !gated || part[0].pieces_type == part[1].pieces_type;
}

bool choose_blocks(const Pass *pass, const Product *product, Activation activation) {
    return pass->style == STYLE_FUSED && pass->B == 1 &&
           product_in_pieces(product, is_gated(activation));
}

/* For so many items, each a simdgroup's: as many threadgroups as there are multiprocessors, which
 * take as many items as the others, at most MOST at a time. */
static DeviceGrid grid_of(const Setup *setup, uint32_t items) {
    uint32_t share = divide_up(items, divide_up(setup->facts.simdgroups, MULTIPROCESSOR));
    uint32_t each = divide_up(share, divide_up(share, MOST));
    DeviceGrid grid = grid_threadgroups(divide_up(items, share), 1, 1);
    grid.threads = 32 * each;
    return grid;
}

Choice choose_block_read(const Setup *setup, const Matrix *first, uint32_t rows,
                         Activation activation) {
    const char *why = "one row: fewer bytes are read of blocks, which are multiplied as bytes";
    if (is_gated(activation))
        return (Choice){block_kernels[first->pieces_type].gated, grid_of(setup, rows), why};
    return (Choice){block_kernels[first->pieces_type].read,
                    grid_of(setup, divide_up(rows, FUSED_INTEGER_LINEAR_READ_ROWS)), why};
}

Choice choose_block_write(const Setup *setup, const Matrix *weight) {
    return (Choice){block_kernels[weight->pieces_type].write,
                    grid_of(setup, divide_up(weight->rows, FUSED_INTEGER_LINEAR_WRITE_ROWS)),
                    "one row: the product of bytes adds itself to the stream"};
}
