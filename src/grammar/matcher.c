#include "matcher.h"

#include "automaton.h"

#include <stdlib.h>
#include <string.h>

/* The lists of an automaton after so many bytes of a token, and its states. */
typedef struct Place {
    size_t first, count;
    uint32_t frames, keys;
} Place;

struct Matcher {
    Automaton automaton;
    const TokenTrie *trie;
    size_t size;                       /* bytes of the text */
    Place places[TRIE_BYTES_MOST + 1]; /* places[0]: after the text */
};

static void keep_place(Matcher *matcher, size_t depth, size_t first, size_t count) {
    const Automaton *automaton = &matcher->automaton;
    matcher->places[depth] = (Place){first, count, automaton->frame_count, automaton->key_count};
}

/* Forget all but the text and `depth` bytes after it. */
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

/* What a token can do that stays within the strings that the text is in. */
typedef struct Strings {
    bool only;           /* the text is in nothing else */
    bool keys;           /* one is a key */
    uint32_t characters; /* that the roomiest value still takes */
} Strings;

static Strings strings_of(const Matcher *matcher) {
    const Automaton *automaton = &matcher->automaton;
    Strings strings = {.only = true};
    for (size_t i = 0; i < matcher->places[0].count && strings.only; i++) {
        const State *state = &automaton->states[i];
        bool value = state->where == AT_STRING;
        bool key = state->where == AT_KEY && state->open && state->part == GRAMMAR_NONE;
        strings.only = state->inside == INSIDE_NONE && (value || key);
        strings.keys = strings.keys || key;
        uint32_t most = value ? automaton->grammar->nodes[state->node].most : 0;
        if (most != GRAMMAR_UNLIMITED) most -= value ? state->part : 0;
        if (most > strings.characters) strings.characters = most;
    }
    return strings;
}

bool matcher_mask(Matcher *matcher, uint32_t *allowed, LLMError *error) {
    const TokenTrie *trie = matcher->trie;
    Strings strings = strings_of(matcher);
    if (strings.only && strings.characters)
        token_trie_inside(trie, strings.characters, allowed);
    else
        memset(allowed, 0, trie->words * sizeof *allowed);
    for (uint32_t i = 0; i < trie->words && strings.only && strings.keys; i++)
        allowed[i] |= trie->in_keys[i];
    add_tokens(matcher, strings.only ? &trie->closing : &trie->all, allowed);
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

/* After the last digit that a number can have there are other states, too. */
bool matcher_must_end(Matcher *matcher) {
    bool follows = !matcher_may_end(matcher);
    for (int byte = 0; byte < 256 && !follows; byte++) {
        const Place *place = &matcher->places[0];
        follows = automaton_step(&matcher->automaton, place->first, place->count, (char)byte);
        go_back(matcher, 0);
    }
    return !follows;
}
