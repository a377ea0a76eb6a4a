/* plan.h — the kernels of a pass, collected as they are told. */
#ifndef METAL_LLM_PLAN_H
#define METAL_LLM_PLAN_H

#include "device/device.h"

typedef struct Collection {
    LLMPlan *plan;
    size_t step_room, call_room;
    LLMError *error;
} Collection;

/* NULL and `error` if memory is out; llm_plan_free is due. */
LLMPlan *plan_new(LLMError *error);
/* A DeviceTrace whose context is the collection. The layers do the same: a step that has been seen
 * is only counted. */
void plan_collect(void *context, const TracedCommand *command);
/* What has been collected is forgotten. */
void plan_restart(Collection *collection);

#endif
