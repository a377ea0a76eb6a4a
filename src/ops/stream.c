/* stream.c — the residual stream: filled, read through a norm, added to, cut, read out. */
#include "ops.h"

#include "checkpoint/values.h"

/* The bias of a part of a product. */
static DeviceArgument bias_of(const Run *run, const Product *product, uint32_t part) {
    DeviceBuffer *bias = product->bias[part] ? product->bias[part] : run->buffers.zeros;
    return FLOATS(bias, product->part[part].rows);
}

/* What a value lacks in the columns of a part. */
static DeviceArgument owed_bias(const Run *run, Value value, uint32_t part, uint32_t columns) {
    return FLOATS(value.bias[part] ? value.bias[part] : run->buffers.zeros, columns);
}

void begin_pass(Run *run, DeviceBuffer *ids, uint32_t B, uint32_t T) {
    run->pass = choose_pass(&run->setup, B, T);
    run->ids = ids;
}

void embed(Run *run, const Matrix *tokens, float scale, DeviceBuffer *positions, uint32_t context) {
    uint32_t B = run->pass.B, T = run->pass.T, C = tokens->columns, rows = B * T;
    run->stream = (Stream){.x = {.buffer = run->buffers.x[0], .rows = rows, .columns = C}};
    Choice choice = choose_embedding(tokens->type, C, &run->pass);
    DeviceArgument position_rows =
        positions ? FLOATS(positions, (size_t)T * C) : FLOATS(run->buffers.zeros, C);
    size_t bytes = rows < tokens->rows ? rows * tensor_row_bytes(tokens->type, C) : 0;
    run_choice(run, "embedding", choice, FLOATS(run->ids, rows), of_pass(run, run->buffers.lengths),
               arg_part(tokens->buffer, 0, bytes), position_rows, value_argument(run->stream.x),
               arg_u32(T), arg_u32(C), arg_u32(tokens->rows), arg_u32(positions ? context : 1),
               arg_f32(scale));
}

/* --- read --- */

/* What is owed becomes part of the stream, whose norm is returned. */
static void settle_owed(Run *run, const Norm *norm, const Choice *choice, Value out) {
    Stream *stream = &run->stream;
    Value x = stream->x, owed = stream->owed;
    DeviceBuffer **places = run->buffers.x;
    stream->x.buffer = places[x.buffer == places[0]];
    DeviceArgument sum = value_argument(stream->x), bias = owed_bias(run, owed, 0, x.columns);
    DeviceArgument C = arg_u32(x.columns), epsilon = arg_f32(norm->epsilon);
    if (norm->kind == NORM_LAYER)
        run_choice(run, "addition, norm", *choice, value_argument(x), value_argument(owed), bias,
                   FLOATS(norm->weight, x.columns), FLOATS(norm->bias, x.columns), sum,
                   value_argument(out), C, epsilon);
    else
        run_choice(run, "addition, norm", *choice, value_argument(x), value_argument(owed),
                   stream->after ? FLOATS(stream->after->weight, x.columns) : bias,
                   FLOATS(norm->weight, x.columns), sum, value_argument(out), C, epsilon);
    stream->owed = (Value){0};
}

Value settle_stream(Run *run, const Norm *norm) {
    Value x = run->stream.x, owed = run->stream.owed;
    Value out = {
        .buffer = run->buffers.norm, .type = run->pass.type, .rows = x.rows, .columns = x.columns};
    Choice choice =
        choose_norm(&run->pass, norm, x.rows, owed.buffer, owed.buffer ? run->stream.after : NULL);
    if (owed.buffer)
        settle_owed(run, norm, &choice, out);
    else if (norm->kind == NORM_LAYER)
        run_choice(run, "norm", choice, value_argument(x), FLOATS(norm->weight, x.columns),
                   FLOATS(norm->bias, x.columns), value_argument(out), arg_u32(x.columns),
                   arg_f32(norm->epsilon));
    else
        run_choice(run, "norm", choice, value_argument(x), FLOATS(norm->weight, x.columns),
                   value_argument(out), arg_u32(x.columns), arg_f32(norm->epsilon));
    return out;
}

static Value activate(Run *run, Value in, Activation activation) {
    if (activation == ACTIVATION_NONE) return in;
    bool gated = is_gated(activation);
    Value out = {.buffer = run->buffers.activated,
                 .type = run->pass.type,
                 .rows = in.rows,
                 .columns = gated ? in.columns / 2 : in.columns};
    Choice choice =
        choose_activation(&run->setup, &run->pass, activation, in.rows, out.columns, in.bias[0]);
    if (gated)
        run_choice(run, "gate", choice, value_argument(in), owed_bias(run, in, 0, out.columns),
                   owed_bias(run, in, 1, out.columns), value_argument(out), arg_u32(in.rows),
                   arg_u32(out.columns));
    else if (in.bias[0])
        run_choice(run, "gelu", choice, value_argument(in), FLOATS(in.bias[0], in.columns),
                   value_argument(out), arg_u32(in.rows), arg_u32(in.columns));
    else
        run_choice(run, "gelu", choice, value_argument(in), value_argument(out),
                   arg_u32(in.rows * in.columns));
    return out;
}

/* norm → product → bias, and GELU, of what is no more than the tokens of a batch. */
static void read_fused(Run *run, const Norm *norm, const Product *product, bool gelu, Value out) {
    const Matrix *weight = &product->part[0];
    Value x = run->stream.x;
    DeviceArgument bias = bias_of(run, product, 0);
    DeviceArgument B = arg_u32(x.rows), K = arg_u32(x.columns), N = arg_u32(weight->rows);
    FusedRead read = choose_fused_read(&run->setup, &run->pass, weight, gelu);
    if (read.norm_apart) {
        run_choice(run, product->name, read.product, value_argument(settle_stream(run, norm)),
                   matrix_argument(weight), bias, value_argument(out), B, K, N);
    } else if (run->pass.style == STYLE_BATCHED) {
        run_choice(run, product->name, read.product, value_argument(x),
                   FLOATS(norm->weight, x.columns), FLOATS(norm->bias, x.columns),
                   matrix_argument(weight), bias, value_argument(out), B, K, N,
                   arg_f32(norm->epsilon));
    } else {
        run_choice(run, product->name, read.product, value_argument(x),
                   FLOATS(norm->weight, x.columns), FLOATS(norm->bias, x.columns),
                   matrix_argument(weight), bias, value_argument(out), B, K, N, arg_u32(gelu),
                   arg_f32(norm->epsilon));
    }
}

/* The parts of a product, as kernels of three are told about them. */
typedef struct Parts {
    DeviceArgument weight[PRODUCT_PARTS], bias[PRODUCT_PARTS], rows[PRODUCT_PARTS];
} Parts;

static Parts parts_of(const Run *run, const Product *product) {
    Parts parts;
    for (uint32_t p = 0; p < PRODUCT_PARTS; p++) {
        const Matrix *part = &product->part[p < product->parts ? p : 0];
        bool is_there = p < product->parts;
        parts.weight[p] = is_there ? matrix_argument(part) : FLOATS(part->buffer, 1);
        parts.bias[p] =
            is_there ? bias_of(run, product, p) : FLOATS(run->buffers.zeros, part->rows);
        parts.rows[p] = arg_u32(is_there ? part->rows : 0);
    }
    return parts;
}

/* norm → product in parts → bias, and what a gate makes of it. */
static void read_rms(Run *run, const Norm *norm, const Product *product, Activation activation,
                     Choice choice, Value out) {
    Value x = run->stream.x;
    Parts p = parts_of(run, product);
    DeviceArgument T = arg_u32(x.rows), K = arg_u32(x.columns), epsilon = arg_f32(norm->epsilon);
    if (is_gated(activation))
        run_choice(run, product->name, choice, value_argument(x), FLOATS(norm->weight, x.columns),
                   p.weight[0], p.weight[1], p.bias[0], p.bias[1], value_argument(out), T, K,
                   p.rows[0], arg_u32(activation == ACTIVATION_GELU_GATED), epsilon);
    else
        run_choice(run, product->name, choice, value_argument(x), FLOATS(norm->weight, x.columns),
                   p.weight[0], p.weight[1], p.weight[2], p.bias[0], p.bias[1], p.bias[2],
                   value_argument(out), T, K, p.rows[0], p.rows[1], p.rows[2], epsilon);
}

/* The same of what has been normalised, on the matrix units. */
static void multiply_batch(Run *run, Value normed, const Product *product, Activation activation,
                           Choice choice, Value out) {
    Parts p = parts_of(run, product);
    DeviceArgument T = arg_u32(normed.rows), K = arg_u32(normed.columns);
    if (is_gated(activation))
        run_choice(run, product->name, choice, value_argument(normed), p.weight[0], p.weight[1],
                   p.bias[0], p.bias[1], value_argument(out), T, K, p.rows[0],
                   arg_u32(activation == ACTIVATION_GELU_GATED));
    else if (product->parts > 1)
        run_choice(run, product->name, choice, value_argument(normed), p.weight[0], p.weight[1],
                   p.weight[2], p.bias[0], p.bias[1], p.bias[2], value_argument(out), T, K,
                   p.rows[0], p.rows[1], p.rows[2]);
    else
        run_choice(run, product->name, choice, value_argument(normed), p.weight[0], p.bias[0],
                   value_argument(out), T, K, p.rows[0]);
}

/* norm → rounding → parts of a product from `first` on that are blocks of one type → bias, and
 * GELU. Returns the first part that is not among them. */
static uint32_t read_blocks_of_a_type(Run *run, const Norm *norm, const Product *product,
                                      uint32_t first, Activation activation, Value out) {
    const Matrix *one = &product->part[first];
    DeviceArgument weight[PRODUCT_PARTS], bias[PRODUCT_PARTS], rows[PRODUCT_PARTS];
    uint32_t end = first, N = 0;
    for (uint32_t p = 0; p < PRODUCT_PARTS; p++) {
        const Matrix *part = &product->part[end];
        bool is_there = end < product->parts && part->pieces_type == one->pieces_type;
        weight[p] = is_there ? pieces_argument(part) : arg_part(one->pieces, 0, 16);
        bias[p] = is_there ? bias_of(run, product, end) : FLOATS(run->buffers.zeros, 1);
        rows[p] = arg_u32(is_there ? part->rows : 0);
        if (is_there) N += part->rows, end++;
    }
    Value x = run->stream.x;
    bool centred = norm->kind == NORM_LAYER;
    Choice choice = choose_block_read(&run->setup, one, N, activation);
    run_choice(run, product->name, choice, value_argument(x), FLOATS(norm->weight, x.columns),
               FLOATS(centred ? norm->bias : norm->weight, x.columns), weight[0], weight[1],
               weight[2], bias[0], bias[1], bias[2], arg_part(out.buffer, out.first * 4, N * 4),
               arg_u32(x.columns), rows[0], rows[1], rows[2], arg_u32(centred),
               arg_u32(activation == ACTIVATION_GELU), arg_f32(norm->epsilon));
    return end;
}

/* The same of all parts, or of gate and up with what opens the gate. */
static void read_blocks(Run *run, const Norm *norm, const Product *product, Activation activation,
                        Value out) {
    const Matrix *gate = &product->part[0], *up = &product->part[1];
    Value x = run->stream.x;
    if (is_gated(activation)) {
        run_choice(run, product->name, choose_block_read(&run->setup, gate, gate->rows, activation),
                   value_argument(x), FLOATS(norm->weight, x.columns), pieces_argument(gate),
                   pieces_argument(up), bias_of(run, product, 0), bias_of(run, product, 1),
                   value_argument(out), arg_u32(x.columns), arg_u32(gate->rows),
                   arg_u32(activation == ACTIVATION_GELU_GATED), arg_f32(norm->epsilon));
        return;
    }
    for (uint32_t p = 0; p < product->parts;) {
        uint32_t end = read_blocks_of_a_type(run, norm, product, p, activation, out);
        for (; p < end; p++)
            out.first += product->part[p].rows;
    }
}

/* The same as read_stream, to a place that the caller chooses. */
static Value read_to(Run *run, const Norm *norm, const Product *product, Activation activation,
                     DeviceBuffer *out) {
    bool fused = run->pass.style != STYLE_PLAIN, activates = activation != ACTIVATION_NONE;
    if (!fused)
        return activate(run, multiply(run, settle_stream(run, norm), product, out), activation);
    Value result = {.buffer = activates ? run->buffers.activated : out,
                    .type = activates ? run->pass.type : ELEMENT_F32,
                    .rows = run->stream.x.rows,
                    .columns = activates ? product->part[0].rows : product_columns(product)};
    if (choose_blocks(&run->pass, product, activation)) {
        if (run->stream.owed.buffer) settle_stream(run, norm);
        read_blocks(run, norm, product, activation, result);
        return result;
    }
    if (norm->kind == NORM_LAYER) {
        read_fused(run, norm, product, activates, result);
        return result;
    }
    FusedRead read = choose_rms_read(&run->setup, &run->pass, product, activation);
    bool settles = read.norm_apart || run->stream.owed.buffer;
    Value normed = settles ? settle_stream(run, norm) : run->stream.x;
    if (read.norm_apart)
        multiply_batch(run, normed, product, activation, read.product, result);
    else
        read_rms(run, norm, product, activation, read.product, result);
    return result;
}

Value read_stream(Run *run, const Norm *norm, const Product *product, Activation activation) {
    bool to_mlp = activation != ACTIVATION_NONE;
    return read_to(run, norm, product, activation, to_mlp ? run->buffers.up : run->buffers.qkv);
}

/* --- write --- */

/* Of the type that the pass's products read. */
static Value as_input(Run *run, Value value) {
    if (value.type == run->pass.type) return value;
    size_t count = (size_t)value.rows * value.columns;
    Value out = value;
    out.buffer = run->buffers.halves;
    out.type = ELEMENT_F16;
    Choice choice = choose_halving(count);
    run_choice(run, "halves", choice, value_argument(value), value_argument(out),
               arg_u32((uint32_t)count));
    return out;
}

void write_stream(Run *run, Value value, const Product *product, const Norm *after) {
    if (run->pass.style == STYLE_PLAIN || after) { /* a norm is of whole rows */
        run->stream.after = after;
        run->stream.owed = multiply(run, as_input(run, value), product, run->buffers.block_out);
        if (run->taps) tap_block(run);
        return;
    }
    const Matrix *weight = &product->part[0];
    DeviceArgument bias = bias_of(run, product, 0);
    if (choose_blocks(&run->pass, product, ACTIVATION_NONE)) {
        run_choice(run, product->name, choose_block_write(&run->setup, weight),
                   value_argument(value), pieces_argument(weight), bias,
                   value_argument(run->stream.x), arg_u32(weight->columns), arg_u32(weight->rows));
        return;
    }
    value = as_input(run, value);
    Choice choice = choose_fused_write(&run->setup, &run->pass, weight);
    run_choice(run, product->name, choice, value_argument(value), matrix_argument(weight), bias,
               value_argument(run->stream.x), arg_u32(value.rows), arg_u32(weight->columns),
               arg_u32(weight->rows));
}

/* --- the end of a pass --- */

/* Of [B·T, columns], each row's last new token: [B, columns]. Halves move in pairs. */
static Value last_tokens(Run *run, Value from, DeviceBuffer *to) {
    uint32_t B = run->pass.B, words = from.columns * (uint32_t)element_size(from.type) / 4;
    Value out = {.buffer = to, .type = from.type, .rows = B, .columns = from.columns};
    Choice choice = choose_last_tokens(words, B);
    run_choice(run, "last tokens", choice, FLOATS(from.buffer, (size_t)B * words),
               of_pass(run, run->buffers.counts), value_argument(out), arg_u32(B),
               arg_u32(run->pass.T), arg_u32(words));
    return out;
}

bool cut_to_wanted(Run *run, Value *value, Wanted wanted) {
    if (wanted == WANTED_NEXT && run->pass.T > 1) {
        *value = last_tokens(run, *value, run->buffers.last_mixed);
        run->stream.x = last_tokens(run, run->stream.x, run->buffers.last_x);
    }
    return wanted == WANTED_CACHE;
}

void read_out(Run *run, const Norm *norm, const Product *output, Wanted wanted) {
    if (wanted == WANTED_ALL)
        run->normed = settle_stream(run, norm);
    else if (wanted == WANTED_NEXT)
        read_to(run, norm, output, ACTIVATION_NONE, run->buffers.logits);
}

/* Halves go into the second half of the array, and become floats from its front on. */
void read_normed(const Run *run, uint32_t count, float *states) {
    size_t numbers = (size_t)count * run->normed.columns;
    bool halves = run->normed.type == ELEMENT_F16;
    unsigned char *bytes = (unsigned char *)states + (halves ? 2 * numbers : 0);
    device_read(run->normed.buffer, 0, bytes, numbers * element_size(run->normed.type));
    for (size_t i = 0; halves && i < numbers; i++)
        states[i] = float_from(TENSOR_F16, bytes + 2 * i);
}
