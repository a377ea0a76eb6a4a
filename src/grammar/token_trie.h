/* token_trie.h — the texts of a vocabulary as a tree, so that what tokens begin with is read once.
 */
#ifndef METAL_LLM_GRAMMAR_TOKEN_TRIE_H
#define METAL_LLM_GRAMMAR_TOKEN_TRIE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

enum { TRIE_BYTES_MOST = 250 };

/* A byte after those of the nodes above. */
typedef struct TrieNode {
    uint32_t end;   /* the node after all below this one */
    uint32_t first; /* tokens[first … first + count) end here */
    uint16_t count;
    uint8_t depth; /* bytes above it */
    char byte;
} TrieNode;

/* Depth first. */
typedef struct Trie {
    TrieNode *nodes; /* [count] */
    uint32_t count;
    uint32_t *tokens;
} Trie;

typedef struct TrieText {
    const char *bytes;
    size_t size;
    uint32_t token;
} TrieText;

typedef struct TokenTrie TokenTrie;

/* The tokens of a vocabulary. Within a string most of them may stand, whatever is round it: those
 * are known before, and only what closes the string is looked at. */
struct TokenTrie {
    Trie all, closing;          /* tokens that close a string are in both */
    uint32_t *inside, *in_keys; /* [words] bits of tokens that stay within a string; in a key there
                                   are no escapes */
    uint32_t words;             /* of 32 tokens each */
    uint32_t *by_length;        /* the tokens of `inside`, those of the most characters first */
    uint32_t longer[TRIE_BYTES_MOST + 1]; /* so many of them have more than this */
};

/* bits[words]: the tokens that stay within a string and have at most so many characters. */
void token_trie_inside(const TokenTrie *trie, uint32_t characters, uint32_t *bits);

/* Of the texts of tokens below `vocabulary`, which are sorted; what is empty or longer than
 * TRIE_BYTES_MOST is left out. NULL and `error` if memory is out. */
TokenTrie *token_trie_new(TrieText *texts, size_t count, uint32_t vocabulary, LLMError *error);
void token_trie_free(TokenTrie *trie); /* NULL is fine */

#endif
