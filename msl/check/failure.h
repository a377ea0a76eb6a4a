/* failure.h — why a kernel could not be run, as JSON, too. */
#ifndef METAL_LLM_MSL_CHECK_FAILURE_H
#define METAL_LLM_MSL_CHECK_FAILURE_H

#include <stdbool.h>
#include <stdio.h>

/* From here on what goes to stderr is also kept. False if there is nowhere to keep it. */
bool failure_listen(void);
/* No more of it. What was kept goes to stderr, and if `out` is not NULL there as
 * {"file": …, "kernel": …, "errors": [{"file": …, "line": …, "message": …}]}, of which all but the
 * messages may be missing. */
void failure_tell(const char *file, const char *kernel, FILE *out);

#endif
