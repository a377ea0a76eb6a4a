#include "matcher.h"

#include "automaton.h"

#include <stdlib.h>
#include <string.h>

/* The lists of an automaton behind so many bytes of a token, and its states. */
typedef struct Place {
    size_t first, count;
    uint32_t frames, keys;
} Place;

struct Matcher {
    Automaton automaton;
    const TokenTrie *trie;
    size_t size;                       /* bytes of the text */
    Place places[TRIE_BYTES_MOST + 1]; /* places[0]: behind the text */
};

static void keep_place(Matcher *matcher, size_t depth, size_t first, size_t count) {
    const Automaton *automaton = &matcher->automaton;
    matcher->places[depth] = (Place){first, count, automaton->frame_count, automaton->key_count};
}

/* Forget all but the text and `depth` bytes behind it. */
static void go_back(Matcher *matcher, size_t depth) {
    Automaton *automaton = &matcher->automaton;
    const Place *place = &matcher->places[depth];
    automaton->count = place->first + place->count;
    automaton->frame_count = place->frames;
    automaton->key_count = place->keys;
    automaton->size = matcher->size + depth;
}

Matcher *matcher_new(const Grammar *grammar, const TokenTrie *trie, LLMError *error) {
    Matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher) return error_memory(error, sizeof *matcher);
    matcher->trie = trie;
    bool begun = automaton_begin(&matcher->automaton, grammar);
    keep_place(matcher, 0, 0, matcher->automaton.count);
    if (begun) return matcher;
    matcher_free(matcher);
    return error_memory(error, sizeof(State));
}

void matcher_free(Matcher *matcher) {
    if (!matcher) return;
    automaton_free(&matcher->automaton);
    free(matcher);
}

/* --- the mask --- */

/* Tokens of a tree that lead somewhere. */
static void add_tokens(Matcher *matcher, const Trie *trie, uint32_t *allowed) {
    for (uint32_t i = 0; i < trie->count;) {
        const TrieNode *node = &trie->nodes[i];
        go_back(matcher, node->depth);
        const Place *place = &matcher->places[node->depth];
        size_t first = matcher->automaton.count;
        size_t count = automaton_step(&matcher->automaton, place->first, place->count, node->byte);
        if (!count) {
            i = node->end;
            continue;
        }
        keep_place(matcher, node->depth + (size_t)1, first, count);
        for (uint32_t k = node->first; k < node->first + node->count; k++)
            allowed[trie->tokens[k] / 32] |= (uint32_t)1 << trie->tokens[k] % 32;
        i++;
    }
    go_back(matcher, 0);
}

/* Where the one state is within a string that goes on as long as a token, the tokens that stay in
 * it; else NULL. */
static const uint32_t *within_string(const Matcher *matcher) {
    const Automaton *automaton = &matcher->automaton;
    const State *state = &automaton->states[0];
    if (matcher->places[0].count != 1 || state->inside != INSIDE_NONE) return NULL;
    if (state->where == AT_KEY && state->open && state->part == GRAMMAR_NONE)
        return matcher->trie->in_keys;
    if (state->where != AT_STRING) return NULL;
    uint32_t most = automaton->grammar->nodes[state->node].most;
    bool is_far = most == GRAMMAR_UNLIMITED || most - state->part >= matcher->trie->longest;
    return is_far ? matcher->trie->inside : NULL;
}

bool matcher_mask(Matcher *matcher, uint32_t *allowed, LLMError *error) {
    size_t bytes = matcher->trie->words * sizeof *allowed;
    const uint32_t *inside = within_string(matcher);
    if (inside)
        memcpy(allowed, inside, bytes);
    else
        memset(allowed, 0, bytes);
    add_tokens(matcher, inside ? &matcher->trie->closing : &matcher->trie->all, allowed);
    return !matcher->automaton.failed || error_memory(error, sizeof(State));
}

/* --- the text --- */

bool matcher_accept(Matcher *matcher, const char *bytes, size_t size, LLMError *error) {
    Automaton *automaton = &matcher->automaton;
    Place now = matcher->places[0];
    for (size_t i = 0; i < size; i++) {
        size_t first = automaton->count;
        now.count = automaton_step(automaton, now.first, now.count, bytes[i]);
        now.first = first;
        if (automaton->failed) return error_memory(error, sizeof(State));
        if (!now.count)
            return error_set(error, LLM_ERROR_ARGUMENT,
                             "a token was drawn that the schema forbids");
    }
    memmove(automaton->states, automaton->states + now.first, now.count * sizeof(State));
    automaton->count = now.count;
    matcher->size += size;
    keep_place(matcher, 0, 0, now.count);
    return true;
}

bool matcher_may_end(const Matcher *matcher) {
    for (size_t i = 0; i < matcher->places[0].count; i++)
        if (matcher->automaton.states[i].where == AT_END) return true;
    return false;
}

/* Behind the last digit that a number can have there are other states, too. */
bool matcher_must_end(Matcher *matcher) {
    bool follows = !matcher_may_end(matcher);
    for (int byte = 0; byte < 256 && !follows; byte++) {
        const Place *place = &matcher->places[0];
        follows = automaton_step(&matcher->automaton, place->first, place->count, (char)byte);
        go_back(matcher, 0);
    }
    return !follows;
}
