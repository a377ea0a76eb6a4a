#include "token_trie.h"

#include "automaton.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    const TrieText *left = a, *right = b;
    size_t size = left->size < right->size ? left->size : right->size;
    int order = memcmp(left->bytes, right->bytes, size);
    if (order) return order;
    if (left->size != right->size) return left->size < right->size ? -1 : 1;
    return left->token < right->token ? -1 : left->token > right->token;
}

static size_t common(const TrieText *a, const TrieText *b) {
    size_t size = 0;
    while (size < a->size && size < b->size && a->bytes[size] == b->bytes[size])
        size++;
    return size;
}

/* The bytes of a sorted text that are no node yet, `path` being the last node of each depth. */
static void add_nodes(Trie *trie, const TrieText *text, size_t known, uint32_t *path) {
    for (size_t depth = known; depth < text->size; depth++) {
        path[depth] = trie->count;
        trie->nodes[trie->count++] =
            (TrieNode){.depth = (uint8_t)depth, .byte = text->bytes[depth]};
    }
}

static void close_nodes(Trie *trie, size_t from, size_t to, const uint32_t *path) {
    for (size_t depth = from; depth < to; depth++)
        trie->nodes[path[depth]].end = trie->count;
}

/* Of sorted texts. */
static bool build(Trie *trie, const TrieText *texts, size_t count, LLMError *error) {
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++)
        bytes += texts[i].size - (i ? common(&texts[i - 1], &texts[i]) : 0);
    trie->nodes = calloc(bytes, sizeof *trie->nodes);
    trie->tokens = calloc(count + 1, sizeof *trie->tokens);
    if (!trie->nodes || !trie->tokens) return error_memory(error, bytes * sizeof *trie->nodes);
    uint32_t path[TRIE_BYTES_MOST];
    for (size_t i = 0; i < count; i++) {
        size_t known = i ? common(&texts[i - 1], &texts[i]) : 0;
        if (i) close_nodes(trie, known, texts[i - 1].size, path);
        add_nodes(trie, &texts[i], known, path);
        TrieNode *last = &trie->nodes[path[texts[i].size - 1]];
        if (!last->count++) last->first = (uint32_t)i;
        trie->tokens[i] = texts[i].token;
    }
    if (count) close_nodes(trie, 0, texts[count - 1].size, path);
    return true;
}

/* --- strings --- */

typedef enum Course { STAYS, CLOSES, FAILS } Course;

/* What a token does to a string that it begins within, and how many characters begin in it. */
static Course course_of(const TrieText *text, bool *escapes, uint32_t *characters) {
    uint8_t inside = INSIDE_NONE;
    for (size_t i = 0; i < text->size; i++) {
        char byte = text->bytes[i];
        if (inside == INSIDE_NONE && byte == '"') return CLOSES;
        *characters += inside == INSIDE_NONE;
        *escapes = *escapes || byte == '\\';
        inside = string_inside(inside, (unsigned char)byte);
        if (inside == INSIDE_BAD) return FAILS;
    }
    return STAYS;
}

static void set_bit(uint32_t *bits, uint32_t token) {
    bits[token / 32] |= (uint32_t)1 << token % 32;
}

/* Texts that close a string are put to the front, in their order; returns their number.
 * lengths[token]: characters of those that stay within it. */
static size_t sort_courses(TokenTrie *trie, TrieText *texts, size_t count, uint8_t *lengths) {
    size_t closing = 0;
    for (size_t i = 0; i < count; i++) {
        bool escapes = false;
        uint32_t characters = 0, token = texts[i].token;
        Course course = course_of(&texts[i], &escapes, &characters);
        if (course == CLOSES) texts[closing++] = texts[i];
        if (course != STAYS) continue;
        set_bit(trie->inside, token);
        if (!escapes) set_bit(trie->in_keys, token);
        lengths[token] = (uint8_t)characters;
    }
    return closing;
}

static void sort_by_length(TokenTrie *trie, const uint8_t *lengths, uint32_t vocabulary) {
    uint32_t next[TRIE_BYTES_MOST + 1] = {0};
    for (uint32_t token = 0; token < vocabulary; token++)
        for (uint32_t length = 0; length < lengths[token]; length++)
            trie->longer[length]++;
    memcpy(next, trie->longer, sizeof next);
    for (uint32_t token = 0; token < vocabulary; token++)
        if (lengths[token]) trie->by_length[next[lengths[token]]++] = token;
}

void token_trie_inside(const TokenTrie *trie, uint32_t characters, uint32_t *bits) {
    memcpy(bits, trie->inside, trie->words * sizeof *bits);
    if (characters > TRIE_BYTES_MOST) return;
    for (uint32_t i = 0; i < trie->longer[characters]; i++)
        bits[trie->by_length[i] / 32] &= ~((uint32_t)1 << trie->by_length[i] % 32);
}

/* --- all of it --- */

static size_t leave_out(TrieText *texts, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (texts[i].size && texts[i].size <= TRIE_BYTES_MOST) texts[kept++] = texts[i];
    return kept;
}

static bool build_courses(TokenTrie *trie, TrieText *texts, size_t count, uint32_t vocabulary,
                          LLMError *error) {
    uint8_t *lengths = calloc(vocabulary + (size_t)1, 1);
    trie->inside = calloc(2 * (size_t)trie->words + 1, sizeof *trie->inside);
    trie->by_length = calloc(vocabulary + (size_t)1, sizeof *trie->by_length);
    bool has_room = lengths && trie->inside && trie->by_length;
    if (has_room) {
        trie->in_keys = trie->inside + trie->words;
        count = sort_courses(trie, texts, count, lengths);
        sort_by_length(trie, lengths, vocabulary);
    }
    free(lengths);
    if (!has_room) return error_memory(error, vocabulary * sizeof *trie->by_length);
    return build(&trie->closing, texts, count, error);
}

TokenTrie *token_trie_new(TrieText *texts, size_t count, uint32_t vocabulary, LLMError *error) {
    TokenTrie *trie = calloc(1, sizeof *trie);
    if (!trie) return error_memory(error, sizeof *trie);
    count = leave_out(texts, count);
    qsort(texts, count, sizeof *texts, compare);
    trie->words = vocabulary / 32 + (vocabulary % 32 != 0);
    if (build(&trie->all, texts, count, error) &&
        build_courses(trie, texts, count, vocabulary, error))
        return trie;
    token_trie_free(trie);
    return NULL;
}

void token_trie_free(TokenTrie *trie) {
    if (!trie) return;
    free(trie->all.nodes);
    free(trie->all.tokens);
    free(trie->closing.nodes);
    free(trie->closing.tokens);
    free(trie->inside);
    free(trie->by_length);
    free(trie);
}
