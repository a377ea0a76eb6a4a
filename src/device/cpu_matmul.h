/* cpu_matmul.h — matrix products on a CPU: Accelerate on a Mac, OpenBLAS elsewhere. */
#ifndef METAL_LLM_CPU_MATMUL_H
#define METAL_LLM_CPU_MATMUL_H

#include "error.h"

/* Open the library, for one thread per product; once per process, at the first product: opening
 * takes longer than the first token of a short prompt. False and `error` if it is missing. */
bool cpu_matmul_open(LLMError *error);

/* A product and its extents: out[M,N] = x[M,K] · weight[N,K]ᵀ, rows of `out` `stride` floats apart.
 */
typedef struct CPUMatmul {
    const float *x, *weight;
    float *out;
    size_t M, N, K, stride;
} CPUMatmul;

/* Threads may call this side by side, after cpu_matmul_open. */
void cpu_matmul(const CPUMatmul *product);

#endif
