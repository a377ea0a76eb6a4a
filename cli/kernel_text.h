/* kernel_text.h — what there is to be read of a kernel: its file, and its page of the docs. */
#ifndef METAL_LLM_KERNEL_TEXT_H
#define METAL_LLM_KERNEL_TEXT_H

#include "error.h"

/* A file of kernels/ as it runs: out of `folder`, or if that is NULL as it is built in. The caller
 * frees it. NULL and `error` on failure. */
char *kernel_text(const char *folder, const char *file, LLMError *error);
/* What docs/kernels/ has about a file, in Markdown, from its heading on. The caller frees it. NULL
 * where there is nothing, or with `error` if memory is out. */
char *kernel_page(const char *file, LLMError *error);

#endif
