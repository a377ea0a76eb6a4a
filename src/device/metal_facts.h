/* metal_facts.h — what an Apple GPU says of itself. */
#ifndef METAL_LLM_METAL_FACTS_H
#define METAL_LLM_METAL_FACTS_H

#include "metal_objc.h"

#include <stddef.h>

/* Why this program cannot use the GPU, which may be NULL, as a clause; NULL if it can. */
const char *metal_unsuited(id device);
/* Whether it multiplies matrices of 8×8 across a simdgroup. */
bool metal_has_matrices(id device);
/* Its families and limits: "Apple7 Metal3; a buffer has at most 8.0 GiB". */
void metal_details(id device, char *text, size_t size);

#endif
