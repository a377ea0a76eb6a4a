/* row_sampling.h — how the next tokens of a pass's rows are drawn. */
#ifndef METAL_LLM_ROW_SAMPLING_H
#define METAL_LLM_ROW_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

/* A row's, as kernels/parts/sampling.h has it. Of zeros: nothing is drawn. */
typedef struct RowSampling {
    uint64_t seed;
    uint32_t method, flags; /* SAMPLING_LIKELIEST …; SAMPLING_BIASED, SAMPLING_MASKED */
    float temperature;
    uint32_t top_k; /* V: all */
    float top_p, min_p;
    float typical;   /* 0: all are kept */
    uint32_t window; /* 0: no penalties */
    float repetition, presence, frequency;
    uint32_t told; /* logprobs */
} RowSampling;
_Static_assert(sizeof(RowSampling) == 56, "the kernels' size");

/* What rows ask for, all together: a kernel that none of them needs is left out. */
typedef struct Samplers {
    uint32_t methods, flags; /* bits 1 << method */
    bool typical, tells;
    uint32_t window; /* the longest */
} Samplers;

static inline void samplers_add(Samplers *samplers, const RowSampling *sampling) {
    samplers->methods |= 1u << sampling->method;
    samplers->flags |= sampling->flags;
    samplers->typical = samplers->typical || sampling->typical > 0.0f;
    samplers->tells = samplers->tells || sampling->told;
    if (sampling->window > samplers->window) samplers->window = sampling->window;
}

#endif
