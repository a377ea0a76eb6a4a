/* measure.h — the step after a text, each of its kernels timed. */
#ifndef METAL_LLM_ENGINE_MEASURE_H
#define METAL_LLM_ENGINE_MEASURE_H

#include "model/plan.h"

#include <stdbool.h>

typedef struct Request Request;

enum { MEASURED_STEPS = 5 };

typedef struct Measurement {
    LLMPlan *plan;  /* the client's, with the quickest of each call so far */
    uint32_t steps; /* that have run; the first warms up, and is not timed */
} Measurement;

/* By the engine's thread: a piece of the text, or a step. False and `error` on failure. */
bool measure_some(Request *request, LLMError *error);
bool measure_done(const Request *request);

#endif
