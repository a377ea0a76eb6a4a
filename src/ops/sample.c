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

static uint32_t window_of(const LLMGeneration *generation, float repetition, uint32_t capacity) {
    if (repetition == 1.0f && generation->presence_penalty == 0.0f &&
        generation->frequency_penalty == 0.0f)
        return 0;
    uint32_t window = generation->penalty_window ? generation->penalty_window : DEFAULT_WINDOW;
    return window < capacity ? window : capacity;
}

RowSampling sampling_of(const Run *run, const LLMGeneration *generation) {
    uint32_t V = run->sizes.vocabulary;
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float repetition =
        generation->repetition_penalty > 0.0f ? generation->repetition_penalty : 1.0f;
    bool random = generation->temperature > 0.0f && top_k > 1;
    RowSampling sampling = {
        .seed = generation->seed,
        .flags = (generation->logit_bias_count ? SAMPLING_BIASED : 0) |
                 (generation->json_schema ? SAMPLING_MASKED : 0),
        .temperature = generation->temperature > 0.0f ? generation->temperature : 1.0f,
        .top_k = top_k,
        .top_p = is_part(generation->top_p) ? generation->top_p : 1.0f,
        .min_p = generation->min_p,
        .typical = random && is_part(generation->typical_p) ? generation->typical_p : 0.0f,
        .window = window_of(generation, repetition, run->sizes.capacity),
        .repetition = repetition,
        .presence = generation->presence_penalty,
        .frequency = generation->frequency_penalty,
        .told = generation->on_logprobs ? 1 + logprobs_told(generation, V) : 0,
    };
    sampling.method = choose_method(&run->setup, &sampling, random, V);
    return sampling;
}

void write_sampling(Run *run, uint32_t first, uint32_t count, const RowSampling *sampling) {
    for (uint32_t b = 0; b < count; b++) {
        RowSampling row = sampling ? *sampling : (RowSampling){0};
        row.seed += b;
        device_write(run->buffers.sampling, (first + b) * sizeof row, &row, sizeof row);
    }
}

/* Of a buffer in which each row has `row` numbers, those of the pass's rows. */
static DeviceArgument rows_of(const Run *run, DeviceBuffer *buffer, size_t row) {
    return arg_part(buffer, run->first * row * sizeof(float), run->pass.B * row * sizeof(float));
}

static DeviceArgument samplings(const Run *run) {
    return rows_of(run, run->buffers.sampling, sizeof(RowSampling) / sizeof(float));
}

/* The pass's logits [B,V], of the model or changed. */
static DeviceArgument of_logits(const Run *run, DeviceBuffer *buffer) {
    return FLOATS(buffer, (size_t)run->pass.B * run->sizes.vocabulary);
}

static void bias(Run *run, bool biases) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B, V = run->sizes.vocabulary;
    run_choice(run, "bias", choose_bias(V, B, biases), of_logits(run, buffers->logits),
               samplings(run), rows_of(run, buffers->logit_bias, V),
               of_logits(run, buffers->changed), arg_u32(B), arg_u32(V));
}

static void mask(Run *run) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B, V = run->sizes.vocabulary;
    run_choice(run, "mask", choose_mask(V, B), samplings(run),
               rows_of(run, buffers->allowed, divide_up(V, 32)), of_logits(run, buffers->changed),
               arg_u32(B), arg_u32(V));
}

static DeviceArgument history(const Run *run) {
    return rows_of(run, run->buffers.history, run->sizes.capacity + (size_t)1);
}

static void penalise(Run *run, uint32_t window) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B;
    run_choice(run, "penalties", choose_penalties(window, B), history(run), samplings(run),
               of_pass(run, buffers->lengths), of_pass(run, buffers->counts),
               of_logits(run, buffers->changed), arg_u32(B), arg_u32(run->sizes.vocabulary),
               arg_u32(run->sizes.capacity));
}

static void keep_typical(Run *run) {
    const Buffers *buffers = &run->buffers;
    run_choice(run, "typical", choose_typical(run->pass.B), of_logits(run, buffers->changed),
               samplings(run), of_logits(run, buffers->p), arg_u32(run->sizes.vocabulary));
}

/* By one kernel for the rows of each method. */
static void draw(Run *run, uint32_t methods, DeviceBuffer *from) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B, V = run->sizes.vocabulary;
    size_t groups = (size_t)B * VOCABULARY_GROUPS;
    DeviceArgument largest = FLOATS(buffers->group_largest, groups);
    DeviceArgument sums = FLOATS(buffers->group_sums, groups);
    DeviceArgument logits = of_logits(run, from), sampling = samplings(run);
    DeviceArgument p = of_logits(run, buffers->p), ids = of_pass(run, buffers->ids);
    DeviceArgument lengths = of_pass(run, buffers->lengths), counts = of_pass(run, buffers->counts);
    if (methods & (1 << SAMPLING_LIKELIEST_OF_GROUPS | 1 << SAMPLING_SHORTLISTED))
        run_choice(run, "group maxima", choose_group_maxima(B), logits, sampling, largest, sums,
                   arg_u32(B), arg_u32(V));
    if (methods & 1 << SAMPLING_LIKELIEST)
        run_choice(run, "sampling", choose_sampling(B, SAMPLING_LIKELIEST), logits, sampling, ids,
                   arg_u32(V));
    if (methods & 1 << SAMPLING_LIKELIEST_OF_GROUPS)
        run_choice(run, "sampling", choose_sampling(B, SAMPLING_LIKELIEST_OF_GROUPS), logits,
                   sampling, largest, ids, arg_u32(V));
    if (methods & 1 << SAMPLING_DRAWN)
        run_choice(run, "sampling", choose_sampling(B, SAMPLING_DRAWN), logits, sampling, lengths,
                   counts, p, ids, arg_u32(V));
    if (methods & 1 << SAMPLING_SHORTLISTED)
        run_choice(run, "sampling", choose_sampling(B, SAMPLING_SHORTLISTED), logits, sampling,
                   largest, sums, lengths, counts, p, ids, arg_u32(V));
}

_Static_assert(SAMPLING_TOLD_MOST == 1 + LLM_LOGPROBS_MOST, "the chosen token, and the likeliest");

static void tell_logprobs(Run *run) {
    const Buffers *buffers = &run->buffers;
    size_t row = SAMPLING_SLOTS * SAMPLING_TOLD_MOST;
    run_choice(run, "logprobs", choose_logprobs(run->pass.B), of_logits(run, buffers->logits),
               samplings(run), of_pass(run, buffers->lengths), of_pass(run, buffers->counts),
               of_pass(run, buffers->ids), rows_of(run, buffers->logprob_tokens, row),
               rows_of(run, buffers->logprobs, row), arg_u32(run->sizes.vocabulary));
}

/* The order of the samplers: bias, JSON, penalties, temperature, top-k, typical, top-p, min-p,
 * draw; the last four of them in one kernel, where typical is not asked for with what comes before
 * it. */
void sample(Run *run, const Samplers *samplers) {
    bool biases = samplers->flags & SAMPLING_BIASED, masks = samplers->flags & SAMPLING_MASKED;
    bool changes = biases || masks || samplers->window || samplers->typical;
    if (changes) bias(run, biases);
    if (masks) mask(run);
    if (samplers->window) penalise(run, samplers->window);
    if (samplers->typical) keep_typical(run);
    draw(run, samplers->methods, changes ? run->buffers.changed : run->buffers.logits);
    if (samplers->tells) tell_logprobs(run);
}

void sample_alike(Run *run, const RowSampling *sampling) {
    Samplers samplers = {0};
    samplers_add(&samplers, sampling);
    sample(run, &samplers);
}

void advance_rows(Run *run) {
    const Buffers *buffers = &run->buffers;
    uint32_t B = run->pass.B;
    run_choice(run, "step", choose_step(B), of_pass(run, buffers->ids),
               of_pass(run, buffers->lengths), of_pass(run, buffers->counts), history(run),
               rows_of(run, buffers->drawn, SAMPLING_SLOTS), arg_u32(B),
               arg_u32(run->sizes.capacity));
}
