/* pre_tokenizers.h — the rules that GGUF files call by a name, `tokenizer.ggml.pre`. */
#ifndef METAL_LLM_PRE_TOKENIZERS_H
#define METAL_LLM_PRE_TOKENIZERS_H

#include "tokenizer.h"

/* The rules that a name stands for; false if it is not known. *adds_begin: whether a text begins
 * with the beginning-of-text token, where the file doesn't say. */
bool pre_tokenizer_rules(const char *name, size_t size, TokenizerRules *rules, bool *adds_begin);
/* The name that stands for these rules, whatever they put round a text; NULL if none does. */
const char *pre_tokenizer_name(const TokenizerRules *rules);
/* "gpt-2, smollm, …" */
const char *pre_tokenizer_names(void);

#endif
