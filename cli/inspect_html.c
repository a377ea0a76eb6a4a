/* inspect_html.c — what is seen inside the model, as a page by itself. */
#include "inspect.h"
#include "output_file.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

/* Numbers that a browser still shows at once. */
enum { WEIGHTS_MOST = 16 << 20 };

static bool fits_page(const Seen *seen, LLMError *error) {
    const LLMInfo *info = llm_info(seen->llm);
    size_t weights = (size_t)info->layers * info->heads * seen->in.token_count * seen->tokens.count;
    return weights <= WEIGHTS_MOST ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "the attention of %zu tokens is too much for a page; use a shorter text, or "
                     "--token N for the attention of one of them",
                     seen->tokens.count);
}

void write_html(const Seen *seen, const char *path, LLMError *error) {
    char *json = fits_page(seen, error) ? seen_json(seen, error) : NULL;
    char *page = json ? page_with_data("report.html", json, error) : NULL;
    OutputFile *file = page ? output_file_open(path, error) : NULL;
    if (file) output_file_write(file, page, strlen(page), error);
    output_file_close(file, error);
    free(page);
    free(json);
}
