/* list.h — what metal-check --list tells of a file's kernels. */
#ifndef METAL_LLM_MSL_CHECK_LIST_H
#define METAL_LLM_MSL_CHECK_LIST_H

#include "bind/bind.h"

/* {"kernels": […], "constants": […]} as JSON. False without memory. */
bool list_json(const BoundFile *file, FILE *out);
/* The same for people: each kernel's parameters, and a launch of it to begin with. */
bool list_text(const BoundFile *file, FILE *out);

#endif
