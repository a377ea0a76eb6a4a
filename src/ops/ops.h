/* ops.h — the steps of a forward pass. Every block of a transformer reads the residual stream
 * through a norm, and adds its result back:
 *
 *   embed → [ read_stream → attend → write_stream, read_stream → write_stream ] × L → read_out
 *
 * A step asks choose.h for its kernels and queues them, whatever the device. In shapes: B rows of T
 * tokens, C channels, nh heads of hs channels, V vocabulary.
 */
#ifndef METAL_LLM_OPS_H
#define METAL_LLM_OPS_H

#include "buffers.h"
#include "kv_cache.h"
#include "taps.h"

/* Rows of numbers on the device: [rows, columns] from row `first` of the buffer on. A row of
 * a product in parts is q|k|v, or gate|up. */
typedef struct Value {
    DeviceBuffer *buffer;
    ElementType type;
    uint32_t first, rows, columns;
    DeviceBuffer *bias[PRODUCT_PARTS]; /* f32, still to be added to a part's columns; NULL: none */
} Value;

/* The residual stream is x + owed, or x + after(owed). What is owed is settled by the next norm, in
 * the same kernel; a pass ends with nothing owed. */
typedef struct Stream {
    Value x;           /* [rows, C] f32 */
    Value owed;        /* [rows, C] f32; without a buffer: nothing is owed */
    const Norm *after; /* what is owed is normalised first: an RMSNorm; NULL: it is not */
} Stream;

/* A model's passes on a device: what they share, and the one that is going on. */
struct Run {
    Device *device;
    Setup setup;
    Sizes sizes;
    Buffers buffers;
    KvCache cache;
    uint32_t visible; /* tokens of the longest row with those of this pass, for the timings */
    uint32_t span;    /* tokens that naive attention has room for: the cache's, or those visible */
    Taps *taps;       /* NULL: nobody looks inside. Else the pass is plain, and attention naive */
    Pass pass;
    uint32_t first;    /* row of the pass's first: it is over B rows from there on */
    DeviceBuffer *ids; /* [B,T] of the pass */
    Stream stream;
    Value normed; /* [rows, C] of all tokens, if they were wanted */
};

/* What a pass is run for. */
typedef enum Wanted {
    WANTED_CACHE, /* only the KV cache: more of the prompt is to come */
    WANTED_NEXT,  /* the logits [B,V] of each row's last new token */
    WANTED_ALL,   /* every token's, by `logits` after the pass */
} Wanted;

/* Begin a pass over ids [B,T]. */
void begin_pass(Run *run, DeviceBuffer *ids, uint32_t B, uint32_t T);
/* The pass's rows of a table [V,C], times `scale`, and of one of positions [context,C], which may
 * be NULL → the stream. */
void embed(Run *run, const Matrix *tokens, float scale, DeviceBuffer *positions, uint32_t context);
/* The stream, settled → norm → product → activation. */
Value read_stream(Run *run, const Norm *norm, const Product *product, Activation activation);
/* q, k and v [B·T, (nh + 2 nkv)·hs] of a layer, in place normalised and turned → the cache, and
 * attention to all that is in it: [B·T, nh·hs]. Where heads are normalised no bias is owed. */
Value attend(Run *run, uint32_t layer, Value qkv, const Attention *attention);
/* Value → product → `after`, if there is one → added to the stream, or owed to it. */
void write_stream(Run *run, Value value, const Product *product, const Norm *after);
/* In the last layer, whose keys and values are in the cache: go on with those rows of the stream
 * and of `value` that are wanted. True if none are. */
bool cut_to_wanted(Run *run, Value *value, Wanted wanted);
/* The end of a pass: the last norm, and for the next token the logits. */
void read_out(Run *run, const Norm *norm, const Product *output, Wanted wanted);

/* The stream, settled and normalised: [rows, C] of the pass's type. */
Value settle_stream(Run *run, const Norm *norm);
/* After a pass for all tokens: what read_out has made of the first `count`, states[count,C]. */
void read_normed(const Run *run, uint32_t count, float *states);
/* After a pass for all tokens: the logits [count,V] of `count` of its rows from `first` on. */
void logits(Run *run, const Product *output, uint32_t first, uint32_t count);
/* From logits [count,V] and the ids that follow, `targets`, to `nats`. */
void losses(Run *run, uint32_t count);
/* What the first row of a generation asks for; of `generation` fields of 0 are left out. */
RowSampling sampling_of(const Run *run, const LLMGeneration *generation);
/* To the device, for `count` rows whose seeds follow one another; NULL: nothing is drawn there. */
void write_sampling(Run *run, uint32_t first, uint32_t count, const RowSampling *sampling);
/* From the pass's logits to the next ids: `samplers` has what all its rows ask for. History has the
 * texts so far, logit_bias and allowed what is true of rows that are BIASED and MASKED. */
void sample(Run *run, const Samplers *samplers);
/* The same where all rows are drawn alike. */
void sample_alike(Run *run, const RowSampling *sampling);
/* Then to the state of the next step. */
void advance_rows(Run *run);

/* Tokens that top_logprobs tells of besides the chosen one. */
static inline uint32_t logprobs_told(const LLMGeneration *generation, uint32_t V) {
    return generation->logprobs < V ? (uint32_t)generation->logprobs : V;
}

/* --- for the steps --- */

/* `in` times each part, to `out`; what is returned tells which biases are still to be added. */
Value multiply(Run *run, Value in, const Product *product, DeviceBuffer *out);

/* Every buffer is bound with the extent that its kernel moves, which the dispatch is checked for:
 * `count` floats, or other numbers of four bytes; a matrix; a value. */
#define FLOATS(buffer, count) arg_part(buffer, 0, (size_t)(count) * sizeof(float))

/* A number of each of the pass's rows: of lengths, counts, ids. */
static inline DeviceArgument of_pass(const Run *run, DeviceBuffer *buffer) {
    return arg_part(buffer, run->first * sizeof(uint32_t), run->pass.B * sizeof(uint32_t));
}

static inline DeviceArgument matrix_argument(const Matrix *matrix) {
    return arg_part(matrix->buffer, 0,
                    matrix->rows * tensor_row_bytes(matrix->type, matrix->columns));
}

static inline DeviceArgument pieces_argument(const Matrix *matrix) {
    return arg_part(matrix->pieces, 0,
                    matrix->rows * tensor_row_bytes(matrix->pieces_type, matrix->columns));
}

static inline DeviceArgument value_argument(Value value) {
    size_t size = element_size(value.type), columns = value.columns;
    return arg_part(value.buffer, value.first * columns * size, value.rows * columns * size);
}

/* Queue the kernel of a choice, for a step of this name. */
#define run_choice(run, step, choice, ...)                                                         \
    (device_note((run)->device, step, (choice).why),                                               \
     dispatch((run)->device, (choice).kernel, (choice).grid, __VA_ARGS__))

#endif
