/* metrics.h — what has been done so far, counted from any thread. */
#ifndef METAL_LLM_SERVE_METRICS_H
#define METAL_LLM_SERVE_METRICS_H

#include <stdatomic.h>

enum { METRICS_STATUSES = 6 };

typedef struct Metrics {
    atomic_ullong replies[METRICS_STATUSES]; /* by the first digit of their status */
    atomic_ullong prompt_tokens, cached_tokens, generated_tokens;
    atomic_ullong hang_ups; /* of clients while an answer was generated */
} Metrics;

#endif
