/* reach.h — what of a file a kernel can come to. */
#ifndef METAL_LLM_MSL_CHECK_REACH_H
#define METAL_LLM_MSL_CHECK_REACH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Reach Reach;

/* Of a source as the binder writes it for one kernel. NULL without memory. */
Reach *reach_new(const char *source, size_t size);
void reach_free(Reach *reach); /* NULL is fine */

/* Does the kernel's function, or what it names, or what that names in turn, name a declaration? By
 * its name alone, so that sometimes more is reached than the kernel would call. */
bool reach_has(const Reach *reach, const char *name);

#endif
