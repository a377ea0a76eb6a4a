/* cpu_matmul.h — matrix products on a CPU: Accelerate on a Mac, OpenBLAS elsewhere. */
#ifndef METAL_LLM_CPU_MATMUL_H
#define METAL_LLM_CPU_MATMUL_H

#include "error.h"

/* So many more threads will call cpu_matmul, one thread per product. The first call opens the
 * library; a host program's own copy of it stays as it is. False and `error` if it is missing or
 * there is no memory for its buffers. Close with the same number. */
bool cpu_matmul_open(uint32_t threads, LLMError *error);
void cpu_matmul_close(uint32_t threads);

/* A product and its extents: out[M,N] = x[M,K] · weight[N,K]ᵀ, rows of `out` `stride` floats apart.
 */
typedef struct CPUMatmul {
    const float *x, *weight;
    float *out;
    size_t M, N, K, stride;
} CPUMatmul;

/* Threads may call this in parallel, between cpu_matmul_open and cpu_matmul_close. */
void cpu_matmul(const CPUMatmul *product);

#endif
