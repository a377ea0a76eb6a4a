/* cache.h — a folder of compiled kernels, from which only what metal-check wrote itself is loaded.
 *
 * A file belongs to the user, nobody else may write to it, and it ends with a hash of its content
 * that only who has the user's key can make. The key, 16 random bytes, is made when there is none,
 * and lies apart from the files: in metal-llm's cache folder (~/.cache/metal-llm). Without such a
 * folder nothing counts as written here, so that all is compiled anew.
 */
#ifndef METAL_LLM_MSL_CHECK_CACHE_H
#define METAL_LLM_MSL_CHECK_CACHE_H

#include "error.h"

#include <stdbool.h>

/* Did metal-check write it for this user? */
bool cache_wrote(const char *path);
/* Write the file that was compiled under its name in the cache. */
bool cache_keep(const char *compiled, const char *path, LLMError *error);

#endif
