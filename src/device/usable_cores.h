/* usable_cores.h — how many threads can run at once in this process. */
#ifndef METAL_LLM_USABLE_CORES_H
#define METAL_LLM_USABLE_CORES_H

#include <stdint.h>

/* At least 1: the cores that the process may run on, or fewer whole ones if a control group gives
 * it less time than theirs, as a container's limit does. (A thread more than that would be stopped
 * again and again, while the others wait for it.) `root` is "", or where a test keeps its /proc and
 * /sys. */
uint32_t usable_cores(const char *root);

#endif
