/* sample.c — from the last norm to logits, and from logits to ids and losses. */
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

void sample(Run *run, const LLMGeneration *generation, uint32_t B) {
    const Buffers *buffers = &run->buffers;
    uint32_t V = run->sizes.vocabulary;
    uint32_t top_k = generation->top_k && generation->top_k < V ? generation->top_k : V;
    float top_p = generation->top_p > 0.0f && generation->top_p < 1.0f ? generation->top_p : 1.0f;
    DeviceArgument seed = {.value.u64 = generation->seed, .size = 8};
    Choice choice = choose_sampling(B, generation->temperature > 0.0f && top_k > 1);
    if (generation->temperature > 0.0f && top_k > 1)
        run_choice(run, "sampling", choice, FLOATS(buffers->logits, (size_t)B * V),
                   FLOATS(buffers->lengths, B), FLOATS(buffers->counts, B),
                   FLOATS(buffers->p, (size_t)B * V), FLOATS(buffers->ids, B), arg_u32(V),
                   arg_f32(generation->temperature), arg_u32(top_k), arg_f32(top_p), seed);
    else
        run_choice(run, "sampling", choice, FLOATS(buffers->logits, (size_t)B * V),
                   FLOATS(buffers->ids, B), arg_u32(V));
    Choice step = choose_step(B);
    run_choice(run, "step", step, FLOATS(buffers->ids, B), FLOATS(buffers->lengths, B),
               FLOATS(buffers->counts, B), FLOATS(buffers->history, B), arg_u32(B),
               arg_u32(run->sizes.capacity));
}
