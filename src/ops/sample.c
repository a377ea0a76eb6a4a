/* sample.c — from the last norm to logits, and from logits to ids and losses. */
#include "kernel_constants.h"
#include "ops.h"

void logits(Run *run, const Product *output, uint32_t first, uint32_t count) {
    Value rows = run->normed;
    rows.first = first;
    rows.rows = count;
    multiply(run, rows, output, run->buffers.logits);
}

void losses(Run *run, uint32_t count) {
    const Buffers *buffers = &run->buffers;
    uint32_t V = run->sizes.vocabulary;
    Choice choice = choose_losses(count);
    run_choice(run, "losses", choice, FLOATS(buffers->logits, (size_t)count * V),
               FLOATS(buffers->targets, count), FLOATS(buffers->nats, count), arg_u32(V));
}

/* --- the samplers --- */

enum { DEFAULT_WINDOW = 64 };

/* The rows that share it. */
typedef struct Sampling {
    Run *run;
    const LLMGeneration *generation;
    Samplers samplers;
    uint32_t first, B;
} Sampling;

/* A share of the probability: 0 stands for all of it. */
static bool is_part(float share) {
    return share > 0.0f && share < 1.0f;
}

static Samplers samplers_of(const LLMGeneration *generation, uint32_t V) {
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float repetition = generation->repetition_penalty;
    Samplers samplers = {
        .biases = generation->logit_bias_count,
        .masks = generation->json_schema,
        .random = generation->temperature > 0.0f && top_k > 1,
        .typical = is_part(generation->typical_p),
        .top_k = top_k,
        .top_p = is_part(generation->top_p) ? generation->top_p : 1.0f,
        .min_p = generation->min_p,
        .temperature = generation->temperature > 0.0f ? generation->temperature : 1.0f,
        .repetition = repetition > 0.0f ? repetition : 1.0f,
    };
    samplers.penalises = samplers.repetition != 1.0f || generation->presence_penalty != 0.0f ||
                         generation->frequency_penalty != 0.0f;
    samplers.typical = samplers.typical && samplers.random;
    return samplers;
}

/* Of a buffer in which each row has `row` numbers, the first `count` from its row `first` on. */
static DeviceArgument part(DeviceBuffer *buffer, size_t first, size_t row, size_t count) {
    return arg_part(buffer, first * row * sizeof(float), count * sizeof(float));
}

/* All logits [B,V] of the pass, of the model or changed. */
static DeviceArgument of_logits(const Sampling *s, DeviceBuffer *buffer) {
    size_t V = s->run->sizes.vocabulary;
    return part(buffer, s->first - s->run->first, V, s->B * V);
}

/* A number of each row. */
static DeviceArgument of_rows(const Sampling *s, DeviceBuffer *buffer) {
    return part(buffer, s->first, 1, s->B);
}

static DeviceArgument history(const Run *run, uint32_t first, size_t count) {
    return part(run->buffers.history, first, run->sizes.capacity + (size_t)1, count);
}

static void bias(const Sampling *s) {
    const Buffers *buffers = &s->run->buffers;
    uint32_t V = s->run->sizes.vocabulary;
    bool biases = s->samplers.biases;
    run_choice(s->run, "bias", choose_bias(V, s->B, biases), of_logits(s, buffers->logits),
               biases ? part(buffers->logit_bias, s->first, V, V) : FLOATS(buffers->zeros, V),
               of_logits(s, buffers->changed), arg_u32(s->B), arg_u32(V));
}

static void mask(const Sampling *s) {
    const Buffers *buffers = &s->run->buffers;
    uint32_t V = s->run->sizes.vocabulary, words = (V + 31) / 32;
    run_choice(s->run, "mask", choose_mask(V, s->B),
               part(buffers->allowed, s->first, words, (size_t)s->B * words),
               of_logits(s, buffers->changed), arg_u32(s->B), arg_u32(V));
}

static void penalise(const Sampling *s) {
    const Buffers *buffers = &s->run->buffers;
    const LLMGeneration *generation = s->generation;
    uint32_t capacity = s->run->sizes.capacity, window = generation->penalty_window;
    if (window == 0) window = DEFAULT_WINDOW;
    if (window > capacity) window = capacity;
    run_choice(s->run, "penalties", choose_penalties(window, s->B),
               history(s->run, s->first, (size_t)s->B * window), of_rows(s, buffers->lengths),
               of_rows(s, buffers->counts), of_logits(s, buffers->changed), arg_u32(s->B),
               arg_u32(s->run->sizes.vocabulary), arg_u32(capacity), arg_u32(window),
               arg_f32(s->samplers.repetition), arg_f32(generation->presence_penalty),
               arg_f32(generation->frequency_penalty));
}

static void keep_typical(const Sampling *s) {
    const Buffers *buffers = &s->run->buffers;
    run_choice(s->run, "typical", choose_typical(s->B), of_logits(s, buffers->changed),
               of_logits(s, buffers->p), arg_u32(s->run->sizes.vocabulary),
               arg_f32(s->generation->temperature), arg_u32(s->samplers.top_k),
               arg_f32(s->generation->typical_p));
}

static void draw(const Sampling *s, DeviceBuffer *from) {
    const Run *run = s->run;
    const Buffers *buffers = &run->buffers;
    const Samplers *samplers = &s->samplers;
    Drawing drawing = choose_drawing(&run->setup, samplers, run->sizes.vocabulary);
    Choice choice = choose_sampling(s->B, drawing);
    size_t groups = (size_t)s->B * VOCABULARY_GROUPS;
    DeviceArgument group[2] = {FLOATS(buffers->group_largest, groups),
                               FLOATS(buffers->group_sums, groups)};
    DeviceArgument logits = of_logits(s, from), p = of_logits(s, buffers->p);
    DeviceArgument lengths = of_rows(s, buffers->lengths), counts = of_rows(s, buffers->counts);
    DeviceArgument ids = of_rows(s, buffers->ids), V = arg_u32(run->sizes.vocabulary);
    DeviceArgument temperature = arg_f32(samplers->temperature), top_k = arg_u32(samplers->top_k);
    DeviceArgument top_p = arg_f32(samplers->top_p), min_p = arg_f32(samplers->min_p);
    DeviceArgument seed = {.value.u64 = s->generation->seed, .size = 8};
    if (draws_by_groups(drawing))
        run_choice(run, "group maxima", choose_group_maxima(s->B), logits, group[0], group[1],
                   arg_u32(s->B), V, temperature);
    switch (drawing) {
    case LIKELIEST:
        run_choice(run, "sampling", choice, logits, ids, V);
        break;
    case LIKELIEST_OF_GROUPS:
        run_choice(run, "sampling", choice, logits, group[0], ids, V);
        break;
    case DRAWN:
        run_choice(run, "sampling", choice, logits, lengths, counts, p, ids, V, temperature, top_k,
                   top_p, min_p, seed);
        break;
    case DRAWN_FROM_SHORTLIST:
        run_choice(run, "sampling", choice, logits, group[0], group[1], lengths, counts, p, ids, V,
                   temperature, top_k, top_p, min_p, seed);
        break;
    }
}

static void tell_logprobs(const Sampling *s) {
    const Buffers *buffers = &s->run->buffers;
    uint32_t N = logprobs_told(s->generation, s->run->sizes.vocabulary);
    size_t most = LOGPROBS_SLOTS * (1 + LLM_LOGPROBS_MOST);
    size_t count = (size_t)s->B * LOGPROBS_SLOTS * (1 + N);
    run_choice(s->run, "logprobs", choose_logprobs(s->B), of_logits(s, buffers->logits),
               of_rows(s, buffers->lengths), of_rows(s, buffers->counts), of_rows(s, buffers->ids),
               part(buffers->logprob_tokens, s->first, most, count),
               part(buffers->logprobs, s->first, most, count), arg_u32(s->run->sizes.vocabulary),
               arg_u32(N));
}

/* The order of the samplers: bias, JSON, penalties, temperature, top-k, typical, top-p, min-p,
 * draw; the last four of them in one kernel, where typical is not asked for with what comes before
 * it. */
void sample(Run *run, const LLMGeneration *generation, uint32_t first, uint32_t count) {
    Sampling s = {run, generation, samplers_of(generation, run->sizes.vocabulary), first, count};
    const Samplers *samplers = &s.samplers;
    bool changes = samplers->biases || samplers->masks || samplers->penalises || samplers->typical;
    if (changes) bias(&s);
    if (s.samplers.masks) mask(&s);
    if (s.samplers.penalises) penalise(&s);
    if (s.samplers.typical) keep_typical(&s);
    draw(&s, changes ? run->buffers.changed : run->buffers.logits);
    if (generation->on_logprobs) tell_logprobs(&s);
}

void advance_rows(Run *run) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B;
    run_choice(run, "step", choose_step(B), of_pass(run, buffers->ids),
               of_pass(run, buffers->lengths), of_pass(run, buffers->counts),
               history(run, run->first, B), arg_u32(B), arg_u32(run->sizes.capacity));
}
