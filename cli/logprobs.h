/* logprobs.h — how likely the tokens of a text were, kept while it is made and printed after it.
 */
#ifndef METAL_LLM_CLI_LOGPROBS_H
#define METAL_LLM_CLI_LOGPROBS_H

#include "error.h"

/* Zero-initialise. */
typedef struct Logprobs {
    LLMLogprob *list; /* [count, width]: a token's own, then those of the likeliest */
    size_t count, width, capacity;
} Logprobs;

/* False if memory runs out. */
bool logprobs_add(Logprobs *logprobs, const LLMLogprob *list, size_t width);
/* To standard error, a line for each token. */
void logprobs_print(const LLMPipeline *llm, const Logprobs *logprobs);
void logprobs_free(Logprobs *logprobs);

#endif
