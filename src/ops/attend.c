/* attend.c — attention: new keys and values into the cache, queries to all that is in it. */
#include "ops.h"

typedef struct Attending {
    Run *run;
    const Attention *attention;
    AttentionChoice choice;
    DeviceBuffer *keys, *values, *table; /* of the layer, and where its tokens are */
    uint32_t B, T, rows, nh, nkv, hs;
} Attending;

/* Keys or values of `tokens` tokens of each row, side by side. */
static DeviceArgument plain(const Attending *a, DeviceBuffer *kept, uint32_t tokens) {
    size_t numbers = (size_t)a->B * a->nkv * tokens * a->hs;
    return arg_part(kept, 0, numbers * element_size(a->run->setup.cache));
}

/* The same in pages: shorter rows may have fewer. */
static DeviceArgument cached(const Attending *a, DeviceBuffer *cache, uint32_t tokens) {
    DeviceArgument argument = plain(a, cache, tokens);
    size_t all = device_buffer_size(cache);
    if (argument.bytes > all) argument.bytes = all;
    return argument;
}

/* Keys or values as far as this pass looks at them. */
static DeviceArgument visible(const Attending *a, DeviceBuffer *cache) {
    return cached(a, cache, a->run->visible);
}

static DeviceArgument pages(const Attending *a) {
    size_t row = pages_for(a->run->sizes.capacity) * sizeof(uint32_t);
    return arg_part(a->table, a->run->first * row, a->B * row);
}

static DeviceArgument queries(const Attending *a) {
    return FLOATS(a->run->buffers.q, (size_t)a->rows * a->nh * a->hs);
}

static DeviceArgument window(const Attending *a) {
    return arg_u32(a->attention->window ? a->attention->window : UINT32_MAX);
}

/* --- before: norms, turns, biases --- */

/* What is owed to q, k or v. A product in one part owes all of it in one buffer. */
static DeviceArgument owed(const Attending *a, Value qkv, uint32_t part) {
    size_t q = (size_t)a->nh * a->hs, kv = (size_t)a->nkv * a->hs, size = part == 0 ? q : kv;
    size_t before = part == 0 ? 0 : q + (part - 1) * kv;
    bool whole = qkv.bias[0] && device_buffer_size(qkv.bias[0]) >= (q + 2 * kv) * sizeof(float);
    if (whole) return arg_part(qkv.bias[0], before * sizeof(float), size * sizeof(float));
    return FLOATS(qkv.bias[part] ? qkv.bias[part] : a->run->buffers.zeros, size);
}

static void norm_heads(const Attending *a, Value qkv) {
    const Norm *q_norm = a->attention->q_norm, *k_norm = a->attention->k_norm;
    run_choice(a->run, "head norms", choose_head_norm(&a->run->pass, a->attention),
               value_argument(qkv), FLOATS(q_norm->weight, a->hs), FLOATS(k_norm->weight, a->hs),
               arg_u32(a->rows), arg_u32(a->nh), arg_u32(a->nkv), arg_u32(a->hs),
               arg_f32(q_norm->epsilon));
}

/* q and k get their biases; what is left is owed to v alone. */
static void turn_heads(const Attending *a, Value qkv) {
    const Rope *rope = a->attention->rope;
    run_choice(a->run, "rope", choose_rope(&a->run->pass, a->attention), value_argument(qkv),
               owed(a, qkv, 0), owed(a, qkv, 1), of_pass(a->run, a->run->buffers.lengths),
               FLOATS(rope->frequencies, rope->dims / 2), arg_u32(a->T), arg_u32(a->nh),
               arg_u32(a->nkv), arg_u32(a->hs), arg_u32(rope->dims), arg_f32(rope->magnitude));
}

/* qkv → q, and the cache. Where heads were turned q and k have got their biases. */
static void split_heads(const Attending *a, Value qkv, bool turned) {
    const Buffers *buffers = &a->run->buffers;
    DeviceArgument none = FLOATS(buffers->zeros, a->nh * a->hs);
    run_choice(a->run, "split heads", a->choice.split, value_argument(qkv),
               turned ? none : owed(a, qkv, 0), turned ? none : owed(a, qkv, 1), owed(a, qkv, 2),
               of_pass(a->run, buffers->lengths), of_pass(a->run, buffers->counts), queries(a),
               cached(a, a->keys, a->T), cached(a, a->values, a->T), pages(a), arg_u32(a->T),
               arg_u32(a->nh), arg_u32(a->nkv), arg_u32(a->hs), arg_u32(a->run->sizes.capacity));
}

/* --- attention --- */

/* From pages to a place where they lie token beside token. */
static DeviceArgument gather(const Attending *a, DeviceBuffer *cache, DeviceBuffer *to) {
    const Buffers *buffers = &a->run->buffers;
    run_choice(a->run, "gather", a->choice.gather, visible(a, cache), pages(a),
               of_pass(a->run, buffers->lengths), of_pass(a->run, buffers->counts),
               plain(a, to, a->run->visible), arg_u32(a->nkv), arg_u32(a->hs),
               arg_u32(a->run->span), window(a));
    return plain(a, to, a->run->visible);
}

/* scores → softmax → mix, with the whole T×S matrix in memory, and the heads side by side. */
static void naive_attention(const Attending *a, Value out) {
    Run *run = a->run;
    const Buffers *buffers = &run->buffers;
    uint32_t S = run->span, rows = a->nh * a->rows;
    DeviceArgument att = FLOATS(buffers->att, (size_t)rows * S);
    DeviceArgument mixed = FLOATS(buffers->mixed, (size_t)rows * a->hs);
    DeviceArgument lengths = of_pass(a->run, buffers->lengths);
    DeviceArgument counts = of_pass(a->run, buffers->counts);
    DeviceArgument T = arg_u32(a->T), nh = arg_u32(a->nh), nkv = arg_u32(a->nkv);
    DeviceArgument hs = arg_u32(a->hs), span = arg_u32(S);
    DeviceArgument keys = gather(a, a->keys, buffers->keys);
    DeviceArgument values = gather(a, a->values, buffers->values);
    run_choice(run, "scores", a->choice.scores, queries(a), keys, lengths, counts, att, T, span, nh,
               nkv, hs, span, window(a), arg_f32(a->attention->scale));
    run_choice(run, "softmax", a->choice.softmax, att, span);
    run_choice(run, "mix", a->choice.mix, att, values, lengths, counts, mixed, T, span, nh, nkv, hs,
               span, window(a));
    if (run->taps)
        tap_attention(run, &(TappedAttention){buffers->att, buffers->mixed, a->T, S, a->nh, a->hs});
    run_choice(run, "merge heads", a->choice.merge, mixed, value_argument(out), T, nh, hs);
}

/* A kernel for any head size is told it, and counts heads itself; the others count tokens. */
static void flash_attention(const Attending *a, Value out) {
    const Buffers *buffers = &a->run->buffers;
    bool any = a->choice.takes_head_size;
    run_choice(a->run, "attention", a->choice.flash, queries(a), visible(a, a->keys),
               visible(a, a->values), pages(a), of_pass(a->run, buffers->lengths),
               of_pass(a->run, buffers->counts), value_argument(out), arg_u32(any ? a->hs : a->T),
               arg_u32(any ? a->nkv : a->nh), arg_u32(a->run->sizes.capacity), window(a),
               arg_f32(a->attention->scale));
}

/* What is done to new heads where attention itself does it. */
typedef struct Turning {
    DeviceArgument q_norm, k_norm, frequencies, norms, epsilon, rotary, halves, magnitude;
} Turning;

static Turning turning(const Attending *a) {
    const Norm *q_norm = a->attention->q_norm, *k_norm = a->attention->k_norm;
    const Rope *rope = a->attention->rope;
    uint32_t dims = rope ? rope->dims : 0;
    DeviceBuffer *zeros = a->run->buffers.zeros;
    return (Turning){
        .q_norm = FLOATS(q_norm ? q_norm->weight : zeros, a->hs),
        .k_norm = FLOATS(k_norm ? k_norm->weight : zeros, a->hs),
        .frequencies = dims ? FLOATS(rope->frequencies, dims / 2) : FLOATS(zeros, 1),
        .norms = arg_u32(q_norm != NULL),
        .epsilon = arg_f32(q_norm ? q_norm->epsilon : 0),
        .rotary = arg_u32(dims),
        .halves = arg_u32(dims && rope->order == ROPE_HALVES),
        .magnitude = arg_f32(dims ? rope->magnitude : 1),
    };
}

/* Of one token to a row, whose keys and values go into the cache here. */
static void decode_attention(const Attending *a, Value qkv, Value out) {
    const Buffers *buffers = &a->run->buffers;
    run_choice(a->run, "attention", a->choice.flash, value_argument(qkv),
               of_pass(a->run, buffers->lengths), of_pass(a->run, buffers->counts),
               visible(a, a->keys), visible(a, a->values), pages(a), value_argument(out),
               arg_u32(a->nkv), arg_u32(a->run->sizes.capacity), window(a),
               arg_f32(a->attention->scale));
}

/* The same of heads that are still to be normalised and turned. */
static void turned_attention(const Attending *a, Value qkv, Value out) {
    const Buffers *buffers = &a->run->buffers;
    Turning t = turning(a);
    run_choice(a->run, "attention", a->choice.flash, value_argument(qkv),
               of_pass(a->run, buffers->lengths), of_pass(a->run, buffers->counts),
               visible(a, a->keys), visible(a, a->values), pages(a), value_argument(out),
               arg_u32(a->nkv), arg_u32(a->run->sizes.capacity), window(a),
               arg_f32(a->attention->scale), t.q_norm, t.k_norm, t.frequencies, t.norms, t.epsilon,
               t.rotary, t.halves, t.magnitude);
}

/* The same by a threadgroup for each split of the keys, and what they have found, merged. */
static void split_attention(const Attending *a, Value qkv, Value out) {
    const Buffers *buffers = &a->run->buffers;
    size_t splits = (size_t)a->rows * a->nh * a->choice.splits;
    DeviceArgument sums = FLOATS(buffers->split_sums, splits * a->hs);
    DeviceArgument softmax = FLOATS(buffers->split_softmax, splits * 2);
    Turning t = turning(a);
    run_choice(a->run, "attention", a->choice.flash, value_argument(qkv),
               of_pass(a->run, buffers->lengths), of_pass(a->run, buffers->counts),
               visible(a, a->keys), visible(a, a->values), pages(a), sums, softmax, arg_u32(a->nh),
               arg_u32(a->nkv), arg_u32(a->run->sizes.capacity), window(a),
               arg_f32(a->attention->scale), t.q_norm, t.k_norm, t.frequencies, t.norms, t.epsilon,
               t.rotary, t.halves, t.magnitude);
    run_choice(a->run, "attention, merged", a->choice.merge, sums, softmax, value_argument(out),
               arg_u32(a->choice.splits), arg_u32(a->hs / 4));
}

Value attend(Run *run, uint32_t layer, Value qkv, const Attention *attention) {
    const Buffers *buffers = &run->buffers;
    Attending a = {
        .run = run,
        .attention = attention,
        .choice = choose_attention(&run->setup, &run->pass, attention, run->span, run->visible),
        .keys = run->cache.keys[layer],
        .values = run->cache.values[layer],
        .table = run->cache.group[layer]->table,
        .B = run->pass.B,
        .T = run->pass.T,
        .rows = run->pass.B * run->pass.T,
        .nh = attention->heads,
        .nkv = attention->kv_heads,
        .hs = attention->head_size};
    bool turns = attention->rope && attention->rope->dims;
    Value out = {.buffer = a.choice.method == ATTENTION_NAIVE ? buffers->merged : buffers->mixed,
                 .type = a.choice.out,
                 .rows = a.rows,
                 .columns = a.nh * a.hs};
    bool apart = a.choice.method == ATTENTION_FLASH || a.choice.method == ATTENTION_NAIVE;
    if (apart && attention->q_norm) norm_heads(&a, qkv);
    if (apart && turns) turn_heads(&a, qkv);
    if (apart) split_heads(&a, qkv, turns);
    switch (a.choice.method) {
    case ATTENTION_DECODE:
        decode_attention(&a, qkv, out);
        break;
    case ATTENTION_TURNED:
        turned_attention(&a, qkv, out);
        break;
    case ATTENTION_SPLIT:
        split_attention(&a, qkv, out);
        break;
    case ATTENTION_FLASH:
        flash_attention(&a, out);
        break;
    case ATTENTION_NAIVE:
        naive_attention(&a, out);
        break;
    }
    return out;
}
