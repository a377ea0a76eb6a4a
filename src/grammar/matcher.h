/* matcher.h — which tokens may come next in a text that a grammar allows. */
#ifndef METAL_LLM_GRAMMAR_MATCHER_H
#define METAL_LLM_GRAMMAR_MATCHER_H

#include "grammar.h"
#include "token_trie.h"

/* Of one text; one thread at a time. */
typedef struct Matcher Matcher;

/* `grammar` and `trie` are to outlive it. NULL and `error` if memory is out. */
Matcher *matcher_new(const Grammar *grammar, const TokenTrie *trie, LLMError *error);
void matcher_free(Matcher *matcher); /* NULL is fine */

/* allowed[words]: a bit for each token, set where the text may go on with it. False and `error` if
 * memory is out. */
bool matcher_mask(Matcher *matcher, uint32_t *allowed, LLMError *error);
/* Go on by a token's bytes. False and `error` if they may not stand there, or memory is out. */
bool matcher_accept(Matcher *matcher, const char *bytes, size_t size, LLMError *error);

/* Whether what there is can be all: the text is a value; and whether nothing can follow. */
bool matcher_may_end(const Matcher *matcher);
bool matcher_must_end(Matcher *matcher);

#endif
