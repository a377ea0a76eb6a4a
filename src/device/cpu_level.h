/* cpu_level.h — which instructions the kernels of this CPU use. */
#ifndef METAL_LLM_CPU_LEVEL_H
#define METAL_LLM_CPU_LEVEL_H

#include "cpu.h"
#include "error.h"

#include <stdbool.h>

typedef struct CPULevel {
    const char *name;          /* "AVX-512 with VNNI" */
    cpu_entry *const *entries; /* in the order of kernel_table */
    bool byte_products;        /* see DeviceFacts */
} CPULevel;

/* The best that this CPU has. The environment's LLM_CPU caps it, so that each level can be tested
 * and measured on one machine: v2, v3, v3-vnni, v4-no-vnni or v4 on x86, neon, neon-dotprod or
 * neon-i8mm on ARM. False and `error` if the CPU has too little, or the name is unknown. */
bool cpu_level_choose(CPULevel *level, LLMError *error);

#endif
