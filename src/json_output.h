/* json_output.h — a model's vocabulary, as those who restrict its texts need it. */
#ifndef METAL_LLM_JSON_OUTPUT_H
#define METAL_LLM_JSON_OUTPUT_H

#include "grammar/token_trie.h"
#include "model/pipeline.h"

/* Of the tokens that are text; made by the first who asks. NULL and `error` if the model has no
 * tokenizer, or memory is out. */
const TokenTrie *json_trie_of(LLMPipeline *llm, LLMError *error);

#endif
