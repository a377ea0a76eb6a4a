/* call.h — who is at work with a pipeline: it lives as long as anybody holds it. */
#ifndef METAL_LLM_CALL_H
#define METAL_LLM_CALL_H

#include "model/pipeline.h"

/* A call that computes, on the stack of the thread that made it. */
typedef struct Call {
    LLMPipeline *llm;
    struct Call *outer; /* the thread's call from whose callback this one comes, or NULL */
} Call;

/* False if `error` is or becomes set: where the pipeline is closed, belongs to another process, or
 * called this thread back. Else call_end is due, after which the pipeline may be gone. */
bool call_begin(Call *call, LLMPipeline *llm, LLMError *error);
void call_end(Call *call);

/* Hold a pipeline, and let go of it: the last holder frees it. */
void pipeline_hold(LLMPipeline *llm);
void pipeline_let_go(LLMPipeline *llm);

#endif
