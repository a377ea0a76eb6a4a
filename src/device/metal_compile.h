/* metal_compile.h — Metal's compiler, which every Apple system has: from a kernel's source to what
 * a GPU runs. */
#ifndef METAL_LLM_METAL_COMPILE_H
#define METAL_LLM_METAL_COMPILE_H

#include "error.h"
#include "metal_objc.h"

/* The MTLLibrary of one .metal file's text, without fast-math. The caller releases it; NULL and
 * `error`, with the compiler's first complaint, if the text is not accepted. */
id metal_compile(id device, const char *file, const char *text, LLMError *error);
/* The MTLComputePipelineState of one kernel. The caller releases it; NULL and `error` if it is not
 * there or the GPU cannot run it. */
id metal_pipeline(id device, id library, const char *kernel, LLMError *error);
/* The text of an NSError, which may be NULL; temporary. */
const char *metal_error_text(id error);

#endif
