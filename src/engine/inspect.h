/* inspect.h — a text that is read with the taps open, piece by piece. */
#ifndef METAL_LLM_ENGINE_INSPECT_H
#define METAL_LLM_ENGINE_INSPECT_H

#include "model/pipeline.h"

typedef struct Request Request;

/* Tokens of a piece, at most: as many as buffers.logits has rows for. */
enum { INSPECT_TOKENS = LOGITS_PER_PASS };

typedef struct Inspection {
    const LLMInspection *wanted;
    bool *heads_off, *mlps_off; /* [layers, nh] and [layers] */
    Taps taps;
    float *logits;  /* [V] of a row */
    uint32_t layer; /* whose predictions come next; all layers' number: the next piece does */
    Value normed;   /* what the piece's layers have come to */
    /* On the device, from the first piece on. */
    DeviceBuffer *keys, *values, *weights, *merged;
} Inspection;

/* Memory on the host, by any thread. False and `error` on failure, after which inspection_free is
 * still due. */
bool inspection_begin(Inspection *inspection, LLMPipeline *llm, const LLMInspection *wanted,
                      uint32_t tokens, LLMError *error);
void inspection_free(Inspection *inspection);

/* By the engine's thread: a piece, or what one of its layers predicts. */
bool inspect_some(Request *request, LLMError *error);
bool inspect_done(const Request *request);
/* And memory on the device. */
void inspect_release(Request *request);

#endif
