/* inspect.h — what `inspect` has seen of a text, and the forms in which it is told. */
#ifndef METAL_LLM_CLI_INSPECT_H
#define METAL_LLM_CLI_INSPECT_H

#include "error.h"

typedef struct Seen {
    LLMPipeline *llm;
    LLMTokens tokens;
    LLMInspection in; /* with its arrays, but for the logits */
    bool has_head;    /* in.head_attention is there */
    bool has_lens;
} Seen;

/* The text of a token between quotes, in one line: what is no UTF-8 as \xNN. It is cut to `most`
 * characters, at most 60. Returns their number. */
size_t token_label(const LLMPipeline *llm, uint32_t token, size_t most, char label[256]);

/* Its arrays and its tokens; the pipeline stays. */
void seen_free(Seen *seen);

/* A heat map for people, on standard output. */
void print_seen(const Seen *seen);
/* What the kernels of the step after a text of so many tokens take, on standard output. */
void print_kernels(const LLMPlan *plan, size_t tokens);
/* Arrays for numpy.load. */
void write_npz(const Seen *seen, const char *path, LLMError *error);
/* What of it there is; the caller frees it. NULL and `error` if memory is out. */
char *seen_json(const Seen *seen, LLMError *error);
/* A page that needs nothing but itself. */
void write_html(const Seen *seen, const char *path, LLMError *error);

#endif
