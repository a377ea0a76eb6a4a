/* list.h — what metal-check --list tells of a file's kernels. */
#ifndef METAL_LLM_MSL_CHECK_LIST_H
#define METAL_LLM_MSL_CHECK_LIST_H

#include "bind/bind.h"

/* {"kernels": […], "constants": […]} as JSON. False without memory. */
bool list_kernels(const BoundFile *file, FILE *out);

#endif
