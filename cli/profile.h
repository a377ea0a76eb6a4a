/* profile.h — what each kernel has cost. */
#ifndef METAL_LLM_PROFILE_H
#define METAL_LLM_PROFILE_H

#include "metal_llm.h"

/* llm_timings as a table on stderr, dearest kernel first. */
void print_profile(LLMPipeline *llm);

#endif
