/* machine.h — what this machine can do at most: the measures of a benchmark. */
#ifndef METAL_LLM_MACHINE_H
#define METAL_LLM_MACHINE_H

#include "metal_llm.h"

/* Bytes per second that `threads` CPU threads (0: one per core) read from memory together. */
double memory_bandwidth(uint32_t threads, LLMError *error);
/* FLOP per second of the device's matrix library on [512,768] · [768,3072]. */
double matmul_speed(const char *device, uint32_t threads, LLMError *error);

#endif
