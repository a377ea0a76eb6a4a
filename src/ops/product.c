/* product.c — rows times matrices, by the method that choose_product has chosen. */
#include "kernel_constants.h"
#include "ops.h"

/* Weights of a dispatch: its count has 32 bits, and floats for so many have room. */
enum { SLICE = 1 << 26 };

uint32_t matrix_slice(const Matrix *matrix) {
    return matrix->columns < SLICE ? SLICE / matrix->columns : 1;
}

void matrix_unpack_rows(Device *device, const Matrix *matrix, uint32_t first, uint32_t rows,
                        DeviceBuffer *floats, size_t offset) {
    Matrix slice = *matrix;
    slice.rows = rows;
    Choice choice = choose_unpacking(&slice);
    uint32_t count = rows * matrix->columns;
    size_t row_bytes = tensor_row_bytes(matrix->type, matrix->columns);
    dispatch(device, choice.kernel, choice.grid,
             arg_part(matrix->buffer, first * row_bytes, rows * row_bytes),
             arg_part(floats, offset, (size_t)count * sizeof(float)), arg_u32(count));
}

void matrix_unpack(Device *device, const Matrix *matrix, DeviceBuffer *floats) {
    uint32_t most = matrix_slice(matrix);
    for (uint32_t first = 0; first < matrix->rows; first += most) {
        uint32_t left = matrix->rows - first;
        matrix_unpack_rows(device, matrix, first, left < most ? left : most, floats,
                           (size_t)first * matrix->columns * sizeof(float));
    }
}

/* One part of a product: N columns of out[rows,stride] = in[rows,K] · weightᵀ, and + bias where
 * that is free. */
typedef struct Part {
    const char *name;
    Value in;
    const Matrix *weight;
    DeviceBuffer *bias; /* NULL: none */
    DeviceBuffer *out;
    uint32_t column, stride; /* the first of its columns in `out`, and all of them */
    ProductChoice choice;
} Part;

/* Rows first … first + count − 1 of what goes in and comes out. */
static DeviceArgument in_rows(const Part *part, uint32_t first, uint32_t count) {
    Value in = part->in;
    in.first += first;
    in.rows = count;
    return value_argument(in);
}

static DeviceArgument out_rows(const Part *part, uint32_t first, uint32_t count) {
    size_t at = (size_t)first * part->stride + part->column;
    return arg_part(part->out, at * sizeof(float),
                    (size_t)count * part->weight->rows * sizeof(float));
}

/* By the vendor's matrix library. */
static void multiply_by_library(Run *run, const Part *part, DeviceBuffer *weight, MatmulType type) {
    uint32_t rows = part->in.rows;
    size_t number = type == MATMUL_F16 ? 2 : sizeof(float);
    size_t bytes = part->weight->rows * (part->weight->columns * number);
    device_note(run->device, part->name, part->choice.why);
    device_matmul(run->device, &(DeviceMatmul){.x = in_rows(part, 0, rows),
                                               .weight = arg_part(weight, 0, bytes),
                                               .out = out_rows(part, 0, rows),
                                               .M = rows,
                                               .N = part->weight->rows,
                                               .K = part->weight->columns,
                                               .stride = part->stride,
                                               .type = type});
}

static void multiply_floats(Run *run, const Part *part) {
    DeviceBuffer *floats = part->weight->buffer;
    if (part->weight->type != TENSOR_F32) {
        floats = run->buffers.unpacked;
        device_note(run->device, part->name, choose_unpacking(part->weight).why);
        matrix_unpack(run->device, part->weight, floats);
    }
    multiply_by_library(run, part, floats, MATMUL_F32);
}

/* What goes in, rounded to 8 bits. */
static void round_rows(Run *run, Value in) {
    const Buffers *buffers = &run->buffers;
    size_t count = (size_t)in.rows * in.columns, blocks = count / QUANTISE_BLOCK;
    Choice choice = choose_rounding(count);
    run_choice(run, "rounding", choice, value_argument(in), arg_part(buffers->rounded, 0, count),
               FLOATS(buffers->rounded_offsets, count / 4), FLOATS(buffers->rounded_scales, blocks),
               FLOATS(buffers->rounded_block_offsets, blocks), arg_u32((uint32_t)count));
}

/* `count` rows of one of the buffers that round_rows fills: a number of 4 bytes for each `share`
 * inputs. */
static DeviceArgument rounded_rows(DeviceBuffer *buffer, const Part *part, uint32_t first,
                                   uint32_t count, uint32_t share) {
    size_t K = part->weight->columns;
    return arg_part(buffer, first * K / share * 4, count * K / share * 4);
}

static void multiply_integers(Run *run, const Part *part) {
    const Buffers *buffers = &run->buffers;
    uint32_t rows = part->in.rows, N = part->weight->rows, K = part->weight->columns;
    Choice choice = choose_product_kernel(&run->setup, &part->choice, part->weight, rows);
    run_choice(run, part->name, choice, arg_part(buffers->rounded, 0, (size_t)rows * K),
               rounded_rows(buffers->rounded_offsets, part, 0, rows, 4),
               rounded_rows(buffers->rounded_block_offsets, part, 0, rows, QUANTISE_BLOCK),
               rounded_rows(buffers->rounded_scales, part, 0, rows, QUANTISE_BLOCK),
               matrix_argument(part->weight), out_rows(part, 0, rows), arg_u32(rows), arg_u32(K),
               arg_u32(N), arg_u32(part->stride));
}

/* `count` ≤ LINEAR_TOKENS rows. */
static void integer_linear(Run *run, const Part *part, uint32_t first, uint32_t count) {
    const Buffers *buffers = &run->buffers;
    uint32_t N = part->weight->rows, K = part->weight->columns;
    Choice choice = choose_product_kernel(&run->setup, &part->choice, part->weight, count);
    run_choice(run, part->name, choice,
               arg_part(buffers->rounded, (size_t)first * K, (size_t)count * K),
               rounded_rows(buffers->rounded_offsets, part, first, count, 4),
               rounded_rows(buffers->rounded_block_offsets, part, first, count, QUANTISE_BLOCK),
               rounded_rows(buffers->rounded_scales, part, first, count, QUANTISE_BLOCK),
               matrix_argument(part->weight), FLOATS(part->bias, N), out_rows(part, first, count),
               arg_u32(count), arg_u32(K), arg_u32(N), arg_u32(part->stride));
}

static void linear(Run *run, const Part *part, uint32_t first, uint32_t count) {
    uint32_t N = part->weight->rows, K = part->weight->columns;
    Choice choice = choose_product_kernel(&run->setup, &part->choice, part->weight, count);
    run_choice(run, part->name, choice, in_rows(part, first, count), matrix_argument(part->weight),
               FLOATS(part->bias, N), out_rows(part, first, count), arg_u32(count), arg_u32(K),
               arg_u32(N), arg_u32(part->stride));
}

static void multiply_part(Run *run, Part *part) {
    typedef void Piece(Run *, const Part *, uint32_t, uint32_t);
    Piece *piece = part->choice.method == METHOD_INTEGER_LINEAR ? integer_linear : linear;
    if (!part->bias) part->bias = run->buffers.zeros;
    switch (part->choice.method) {
    case METHOD_LIBRARY_HALVES:
        multiply_by_library(run, part, part->weight->buffer, MATMUL_F16);
        break;
    case METHOD_LIBRARY_FLOATS:
        multiply_floats(run, part);
        break;
    case METHOD_INTEGER_MATMUL:
        multiply_integers(run, part);
        break;
    case METHOD_INTEGER_LINEAR:
    case METHOD_LINEAR:
        for (uint32_t t = 0; t < part->in.rows; t += LINEAR_TOKENS)
            piece(run, part, t,
                  part->in.rows - t < LINEAR_TOKENS ? part->in.rows - t : LINEAR_TOKENS);
    }
}

static bool is_of_integers(ProductMethod method) {
    return method == METHOD_INTEGER_MATMUL || method == METHOD_INTEGER_LINEAR;
}

Value multiply(Run *run, Value in, const Product *product, DeviceBuffer *out) {
    Value result = {.buffer = out, .rows = in.rows, .columns = product_columns(product)};
    bool rounded = false; /* once for all parts */
    uint32_t column = 0;
    for (uint32_t p = 0; p < product->parts; p++) {
        const Matrix *weight = &product->part[p];
        Part part = {
            .name = product->name,
            .in = in,
            .weight = weight,
            .bias = product->bias[p],
            .out = out,
            .column = column,
            .stride = result.columns,
            .choice = choose_product(&run->setup, in.type, weight, product->stays_packed, in.rows)};
        if (is_of_integers(part.choice.method) && !rounded) round_rows(run, in);
        rounded = rounded || is_of_integers(part.choice.method);
        multiply_part(run, &part);
        column += weight->rows;
        if (!part.choice.adds_bias) result.bias[p] = product->bias[p];
    }
    return result;
}
