/* cuda_cache.h — compiled kernels on disk, so that the second start need not compile.
 *
 * One file per key in $XDG_CACHE_HOME/metal-llm, by default ~/.cache/metal-llm. A file appears
 * whole or not at all, whichever of two processes writes it; one that is damaged is not used. The
 * folder is its owner's alone; what was not used for 90 days, and beyond 256 MiB, is removed.
 */
#ifndef METAL_LLM_CUDA_CACHE_H
#define METAL_LLM_CUDA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two different hashes of all that the code depends on. */
typedef struct CacheKey {
    uint64_t first, second;
} CacheKey;

/* Whether there is a folder that new code can go to. */
bool cuda_cache_is_writable(void);
/* The code, to be freed by the caller, or NULL if there is none that is whole. */
void *cuda_cache_read(CacheKey key, size_t *size);
/* Keep a copy. Failing is no error: the next start compiles again. */
void cuda_cache_write(CacheKey key, const void *code, size_t size);

#endif
