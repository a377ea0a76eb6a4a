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

/* A share of the probability: 0 stands for all of it. */
static bool is_part(float share) {
    return share > 0.0f && share < 1.0f;
}

static Samplers samplers_of(const LLMGeneration *generation, uint32_t V) {
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float repetition = generation->repetition_penalty;
    Samplers samplers = {
        .biases = generation->logit_bias_count,
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

/* All logits [B,V], of the model or changed; numbers of rows. */
static DeviceArgument of_rows(const Run *run, DeviceBuffer *buffer, uint32_t B) {
    return FLOATS(buffer, (size_t)B * run->sizes.vocabulary);
}

static void bias(Run *run, bool biases, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    uint32_t V = run->sizes.vocabulary;
    run_choice(run, "bias", choose_bias(V, B, biases), of_rows(run, buffers->logits, B),
               FLOATS(biases ? buffers->logit_bias : buffers->zeros, V),
               of_rows(run, buffers->changed, B), arg_u32(B), arg_u32(V));
}

static void penalise(Run *run, const LLMGeneration *generation, float repetition, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    uint32_t capacity = run->sizes.capacity, window = generation->penalty_window;
    if (window == 0) window = DEFAULT_WINDOW;
    if (window > capacity) window = capacity;
    run_choice(run, "penalties", choose_penalties(window, B),
               FLOATS(buffers->history, (size_t)B * window), FLOATS(buffers->lengths, B),
               FLOATS(buffers->counts, B), of_rows(run, buffers->changed, B), arg_u32(B),
               arg_u32(run->sizes.vocabulary), arg_u32(capacity), arg_u32(window),
               arg_f32(repetition), arg_f32(generation->presence_penalty),
               arg_f32(generation->frequency_penalty));
}

static void keep_typical(Run *run, const LLMGeneration *generation, uint32_t top_k, uint32_t B) {
    run_choice(run, "typical", choose_typical(B), of_rows(run, run->buffers.changed, B),
               of_rows(run, run->buffers.p, B), arg_u32(run->sizes.vocabulary),
               arg_f32(generation->temperature), arg_u32(top_k), arg_f32(generation->typical_p));
}

static void draw(Run *run, const LLMGeneration *generation, const Samplers *samplers,
                 DeviceBuffer *from, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    Drawing drawing = choose_drawing(&run->setup, samplers, run->sizes.vocabulary);
    Choice choice = choose_sampling(B, drawing);
    size_t groups = (size_t)B * VOCABULARY_GROUPS;
    DeviceArgument group[2] = {FLOATS(buffers->group_largest, groups),
                               FLOATS(buffers->group_sums, groups)};
    DeviceArgument logits = of_rows(run, from, B), p = of_rows(run, buffers->p, B);
    DeviceArgument lengths = FLOATS(buffers->lengths, B), counts = FLOATS(buffers->counts, B);
    DeviceArgument ids = FLOATS(buffers->ids, B), V = arg_u32(run->sizes.vocabulary);
    DeviceArgument temperature = arg_f32(samplers->temperature), top_k = arg_u32(samplers->top_k);
    DeviceArgument top_p = arg_f32(samplers->top_p), min_p = arg_f32(samplers->min_p);
    DeviceArgument seed = {.value.u64 = generation->seed, .size = 8};
    if (draws_by_groups(drawing))
        run_choice(run, "group maxima", choose_group_maxima(B), logits, group[0], group[1],
                   arg_u32(B), V, temperature);
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

static void tell_logprobs(Run *run, const LLMGeneration *generation, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    uint32_t N = logprobs_told(generation, run->sizes.vocabulary);
    size_t count = (size_t)B * LOGPROBS_SLOTS * (1 + N);
    run_choice(run, "logprobs", choose_logprobs(B), of_rows(run, buffers->logits, B),
               FLOATS(buffers->lengths, B), FLOATS(buffers->counts, B), FLOATS(buffers->ids, B),
               FLOATS(buffers->logprob_tokens, count), FLOATS(buffers->logprobs, count),
               arg_u32(run->sizes.vocabulary), arg_u32(N));
}

/* The order of the samplers: bias, penalties, temperature, top-k, typical, top-p, min-p, draw; the
 * last four of them in one kernel, where typical is not asked for with what comes before it. */
void sample(Run *run, const LLMGeneration *generation, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    Samplers samplers = samplers_of(generation, run->sizes.vocabulary);
    bool changes = samplers.biases || samplers.penalises || samplers.typical;
    if (changes) bias(run, samplers.biases, B);
    if (samplers.penalises) penalise(run, generation, samplers.repetition, B);
    if (samplers.typical) keep_typical(run, generation, samplers.top_k, B);
    draw(run, generation, &samplers, changes ? buffers->changed : buffers->logits, B);
    if (generation->on_logprobs) tell_logprobs(run, generation, B);
    run_choice(run, "step", choose_step(B), FLOATS(buffers->ids, B), FLOATS(buffers->lengths, B),
               FLOATS(buffers->counts, B), FLOATS(buffers->history, B), arg_u32(B),
               arg_u32(run->sizes.capacity));
}
