/* cuda_compile.h — a .metal file to machine code for one NVIDIA architecture, by NVRTC. */
#ifndef METAL_LLM_CUDA_COMPILE_H
#define METAL_LLM_CUDA_COMPILE_H

#include "error.h"

/* kernel_source_text() with what CUDA has in msl/cuda/parts/ instead of the kernels' own. */
char *cuda_source_text(const char *folder, const char *file, LLMError *error);

/* Device code of all kernels of a file, named metal_<kernel> each (see MSL_ENTRY in
 * msl/cuda/metal_stdlib), from the cache if it is there. `file` names it in messages.
 * `architecture` is 90 for sm_90; for one that NVRTC doesn't know yet, PTX of the newest that it
 * does. With `partial_simdgroups` for threadgroups that need not be a multiple of 32 threads, which
 * costs every simd function some time. To be freed by the caller. NULL and `error`, with the
 * compiler's first message, on failure.
 */
void *cuda_compile(const char *file, const char *text, int architecture, bool partial_simdgroups,
                   size_t *size, LLMError *error);

/* The files of all kernels for whole simdgroups, several at once, into the cache, where
 * cuda_compile finds them; what fails is left to it. False where there is no cache, or one thread.
 */
bool cuda_compile_ahead(const char *folder, int architecture);

#endif
