/* attend.c — attention: new keys and values into the cache, queries to all that is in it. */
#include "ops.h"

typedef struct Attending {
    Run *run;
    const Attention *attention;
    AttentionChoice choice;
    DeviceBuffer *keys, *values; /* of the layer */
    uint32_t B, T, rows, C;
} Attending;

/* Keys or values of a layer: `tokens` of each row. */
static DeviceArgument cached(const Attending *a, DeviceBuffer *cache, uint32_t tokens) {
    size_t numbers = (size_t)a->B * tokens * a->C;
    return arg_part(cache, 0, numbers * element_size(a->run->setup.cache));
}

/* Keys or values as far as this pass looks at them. */
static DeviceArgument visible(const Attending *a, DeviceBuffer *cache) {
    return cached(a, cache, a->run->visible);
}

/* qkv → q, and the cache. */
static void split_heads(const Attending *a, Value qkv) {
    const Buffers *buffers = &a->run->buffers;
    DeviceBuffer *bias = qkv.bias[0] ? qkv.bias[0] : buffers->zeros;
    run_choice(a->run, "split heads", a->choice.split, value_argument(qkv), FLOATS(bias, 3 * a->C),
               FLOATS(buffers->lengths, a->B), FLOATS(buffers->counts, a->B),
               FLOATS(buffers->q, a->rows * a->C), cached(a, a->keys, a->T),
               cached(a, a->values, a->T), arg_u32(a->T), arg_u32(a->attention->heads),
               arg_u32(a->attention->head_size), arg_u32(a->run->sizes.capacity));
}

/* scores → softmax → mix, with the whole T×S matrix in memory, and the heads side by side. */
static void naive_attention(const Attending *a, Value out) {
    Run *run = a->run;
    const Buffers *buffers = &run->buffers;
    uint32_t nh = a->attention->heads, hs = a->attention->head_size, count = a->rows * a->C;
    uint32_t S = run->sizes.capacity, rows = nh * a->rows;
    DeviceArgument att = FLOATS(buffers->att, (size_t)rows * S);
    DeviceArgument lengths = FLOATS(buffers->lengths, a->B);
    DeviceArgument counts = FLOATS(buffers->counts, a->B);
    run_choice(run, "scores", a->choice.scores, FLOATS(buffers->q, count), visible(a, a->keys),
               lengths, counts, att, arg_u32(a->T), arg_u32(S), arg_u32(nh), arg_u32(hs),
               arg_u32(S), arg_f32(a->attention->scale));
    run_choice(run, "softmax", a->choice.softmax, att, arg_u32(S));
    run_choice(run, "mix", a->choice.mix, att, visible(a, a->values), lengths, counts,
               FLOATS(buffers->mixed, count), arg_u32(a->T), arg_u32(S), arg_u32(nh), arg_u32(hs),
               arg_u32(S));
    run_choice(run, "merge heads", a->choice.merge, FLOATS(buffers->mixed, count),
               value_argument(out), arg_u32(a->T), arg_u32(nh), arg_u32(hs));
}

static void flash_attention(const Attending *a, Value out) {
    const Buffers *buffers = &a->run->buffers;
    uint32_t size = a->choice.takes_head_size ? a->attention->head_size : a->T;
    run_choice(a->run, "attention", a->choice.flash, FLOATS(buffers->q, a->rows * a->C),
               visible(a, a->keys), visible(a, a->values), FLOATS(buffers->lengths, a->B),
               FLOATS(buffers->counts, a->B), value_argument(out), arg_u32(size),
               arg_u32(a->run->sizes.capacity), arg_f32(a->attention->scale));
}

/* Of one token to a row, whose keys and values go into the cache here. */
static void decode_attention(const Attending *a, Value qkv, Value out) {
    const Buffers *buffers = &a->run->buffers;
    run_choice(a->run, "attention", a->choice.flash, value_argument(qkv),
               FLOATS(buffers->lengths, a->B), FLOATS(buffers->counts, a->B), visible(a, a->keys),
               visible(a, a->values), value_argument(out), arg_u32(a->run->sizes.capacity),
               arg_f32(a->attention->scale));
}

Value attend(Run *run, uint32_t layer, Value qkv, const Attention *attention) {
    const Buffers *buffers = &run->buffers;
    Attending a = {.run = run,
                   .attention = attention,
                   .choice = choose_attention(&run->setup, &run->pass, attention->heads,
                                              attention->head_size, run->sizes.capacity),
                   .keys = buffers->keys[layer],
                   .values = buffers->values[layer],
                   .B = run->pass.B,
                   .T = run->pass.T,
                   .rows = run->pass.B * run->pass.T,
                   .C = attention->heads * attention->head_size};
    bool naive = a.choice.method == ATTENTION_NAIVE;
    Value out = {.buffer = naive ? buffers->merged : buffers->mixed,
                 .type = a.choice.out,
                 .rows = a.rows,
                 .columns = a.C};
    if (a.choice.method != ATTENTION_DECODE) split_heads(&a, qkv);
    if (a.choice.method == ATTENTION_DECODE)
        decode_attention(&a, qkv, out);
    else if (naive)
        naive_attention(&a, out);
    else
        flash_attention(&a, out);
    return out;
}
