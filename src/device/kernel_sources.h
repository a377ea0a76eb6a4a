/* kernel_sources.h — the texts of the .metal files, for targets that compile them at run time. */
#ifndef METAL_LLM_KERNEL_SOURCES_H
#define METAL_LLM_KERNEL_SOURCES_H

#include "error.h"
#include "kernel.h"

/* What a target includes instead of the kernels' own parts, "parts/wait.h" …; none: NULL. */
typedef struct KernelParts {
    const KernelSource *part;
    size_t count;
} KernelParts;

/* The text of kernels/`file` with what it includes, marked by #line: the one built in, or with
 * `folder` not NULL that of folder/file, if its kernels still have the signatures and the shared
 * constants that the program was built with. To be freed by the caller; NULL and `error` if there
 * is none. */
char *kernel_source_text(const char *folder, const char *file, const KernelParts *parts,
                         LLMError *error);

#endif
