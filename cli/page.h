/* page.h — pages of cli/page/, which are built in: one file of HTML, CSS and JavaScript each. */
#ifndef METAL_LLM_PAGE_H
#define METAL_LLM_PAGE_H

#include "error.h"

/* A page's text, a "{{name}}" in it replaced by the file of this name, and "{{data}}" by `data`, in
 * which no "<" stands. The caller frees it. NULL and `error` if memory is out. */
char *page_with_data(const char *name, const char *data, LLMError *error);

#endif
