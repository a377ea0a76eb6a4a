/* selftest_draw.h — what the buffers of a launch hold: the same numbers for the same seed. */
#ifndef METAL_LLM_SELFTEST_DRAW_H
#define METAL_LLM_SELFTEST_DRAW_H

#include "selftest_launches.h"

/* The contents of a buffer; no data for a value. */
typedef struct Drawn {
    unsigned char *data;
    size_t bytes;
} Drawn;

/* drawn[launch->count], zeros before; to be released with drawn_free. False and `error` if memory
 * is out. */
bool draw_all(const Launch *launch, uint64_t seed, Drawn *drawn, LLMError *error);
void drawn_free(Drawn *drawn, size_t count);

/* Numbers of mean 0.5 and deviation 1. */
void draw_normal(uint64_t seed, float *floats, size_t count);

size_t number_size(Number number);

#endif
