/* inspect_kernels.h — kernels as a reply tells them. */
#ifndef METAL_LLM_INSPECT_KERNELS_H
#define METAL_LLM_INSPECT_KERNELS_H

#include "server.h"

/* A file's source as it runs and what the documentation has about it, once, among the `sources` and
 * `pages` of a reply. The exchange's problem is set if that fails. */
void inspect_add_file(Exchange *exchange, cJSON *reply, const char *file);

#endif
