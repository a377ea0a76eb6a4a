#include "json_output.h"

#include "tokenizer/tokenizer.h"

#include <pthread.h>
#include <stdlib.h>

/* Special tokens are no part of a text, whatever is written on them. */
static TokenTrie *new_trie(const LLMPipeline *llm, LLMError *error) {
    const Tokenizer *tokenizer = llm->model->tokenizer;
    uint32_t V = llm->info.vocabulary;
    if (!tokenizer) {
        error_set(error, LLM_ERROR_FORMAT, "the model brings no tokenizer, which JSON needs");
        return NULL;
    }
    TrieText *texts = calloc(V, sizeof *texts);
    if (!texts) return error_memory(error, V * sizeof *texts);
    size_t count = 0;
    for (uint32_t id = 0; id < V && id < tokenizer_vocabulary(tokenizer); id++) {
        TrieText text = {.token = id};
        text.bytes = llm_token_bytes(llm, id, &text.size);
        bool is_text = tokenizer_has(tokenizer, id) && !llm_is_end(llm, id) &&
                       tokenizer_token_kind(tokenizer, id) != TOKEN_SPECIAL;
        if (is_text) texts[count++] = text;
    }
    TokenTrie *trie = token_trie_new(texts, count, V, error);
    free(texts);
    return trie;
}

const TokenTrie *json_trie_of(LLMPipeline *llm, LLMError *error) {
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&making);
    if (!llm->trie) llm->trie = new_trie(llm, error);
    const TokenTrie *trie = llm->trie;
    pthread_mutex_unlock(&making);
    return trie;
}
