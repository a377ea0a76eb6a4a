/* levels.c — how flat a node's values can be, and whether it has any; alternatives of alternatives.
 */
#include "grammar.h"

#include <stdlib.h>
#include <string.h>

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* As far as it is known by now: it only falls. */
static uint32_t levels_of(const Grammar *grammar, const Node *node) {
    uint32_t inner = 0;
    switch (node->kind) {
    case NODE_ANY_OF:
        inner = GRAMMAR_NONE;
        for (uint32_t i = 0; i < node->count; i++)
            if (grammar->nodes[node->parts[i]].levels < inner)
                inner = grammar->nodes[node->parts[i]].levels;
        return inner;
    case NODE_ARRAY: /* what is after the parts is all alike */
        for (uint32_t i = 0; i < node->least && i <= node->count; i++)
            inner = larger(inner, grammar->nodes[node_item(node, i)].levels);
        break;
    case NODE_OBJECT:
        for (uint32_t i = 0; i < node->count; i++)
            if (node->properties[i].required)
                inner = larger(inner, grammar->nodes[node->properties[i].node].levels);
        break;
    default:
        return 0;
    }
    return inner == GRAMMAR_NONE ? GRAMMAR_NONE : inner + 1;
}

static void find_levels(Grammar *grammar) {
    for (uint32_t i = 0; i < grammar->count; i++)
        grammar->nodes[i].levels = GRAMMAR_NONE;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = grammar->count; i-- > 0;) {
            uint32_t levels = levels_of(grammar, &grammar->nodes[i]);
            changed = changed || levels != grammar->nodes[i].levels;
            grammar->nodes[i].levels = levels;
        }
    }
}

/* --- alternatives of alternatives become one list, each in it once --- */

typedef enum Mark { NEW, OPEN, CLOSED } Mark;

typedef struct Flattening {
    Grammar *grammar;
    uint8_t *marks;  /* [nodes] of those that are any of several */
    uint8_t *listed; /* [nodes] */
    uint32_t *list;  /* [count] */
    uint32_t count;
    LLMError *error;
} Flattening;

/* The parts' parts, which are flat already, in the order in which they come. */
static void list_parts(Flattening *flattening, const Node *any) {
    for (uint32_t i = 0; i < any->count; i++) {
        const Node *part = &flattening->grammar->nodes[any->parts[i]];
        bool is_list = part->kind == NODE_ANY_OF;
        for (uint32_t k = 0; k < (is_list ? part->count : 1); k++) {
            uint32_t leaf = is_list ? part->parts[k] : any->parts[i];
            if (!flattening->listed[leaf]) flattening->list[flattening->count++] = leaf;
            flattening->listed[leaf] = 1;
        }
    }
}

static bool replace_parts(Flattening *flattening, Node *any) {
    flattening->count = 0;
    list_parts(flattening, any);
    for (uint32_t i = 0; i < flattening->count; i++)
        flattening->listed[flattening->list[i]] = 0;
    if (flattening->count > GRAMMAR_ALTERNATIVES_MOST)
        return error_set(
            flattening->error, LLM_ERROR_ARGUMENT,
            "the schema: \"anyOf\" can have at most %d alternatives here, and one has %u",
            GRAMMAR_ALTERNATIVES_MOST, flattening->count);
    size_t bytes = flattening->count * sizeof *any->parts;
    uint32_t *parts = realloc(any->parts, bytes);
    if (!parts) return error_memory(flattening->error, bytes);
    memcpy(parts, flattening->list, bytes);
    any->parts = parts;
    any->count = flattening->count;
    return true;
}

static bool flatten(Flattening *flattening, uint32_t index) {
    Node *any = &flattening->grammar->nodes[index];
    if (any->kind != NODE_ANY_OF || flattening->marks[index] == CLOSED) return true;
    if (flattening->marks[index] == OPEN)
        return error_set(flattening->error, LLM_ERROR_ARGUMENT,
                         "the schema: a $ref leads back to itself without a level of array or "
                         "object between");
    flattening->marks[index] = OPEN;
    for (uint32_t i = 0; i < any->count; i++)
        if (!flatten(flattening, any->parts[i])) return false;
    flattening->marks[index] = CLOSED;
    return replace_parts(flattening, any);
}

static bool flatten_all(Grammar *grammar, LLMError *error) {
    Flattening flattening = {.grammar = grammar,
                             .marks = calloc(grammar->count, 2),
                             .list = calloc(grammar->count, sizeof *flattening.list),
                             .error = error};
    bool done = flattening.marks && flattening.list;
    if (!done) error_memory(error, grammar->count * sizeof *flattening.list);
    if (done) flattening.listed = flattening.marks + grammar->count;
    for (uint32_t i = 0; i < grammar->count && done; i++)
        done = flatten(&flattening, i);
    free(flattening.marks);
    free(flattening.list);
    return done;
}

bool grammar_settle(Grammar *grammar, LLMError *error) {
    if (!flatten_all(grammar, error)) return false;
    find_levels(grammar);
    uint32_t levels = grammar->nodes[grammar->root].levels;
    if (levels == GRAMMAR_NONE)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the schema has no value that ends: what it requires requires itself");
    if (levels > GRAMMAR_LEVELS_MOST)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "every value of the schema has more than %d levels", GRAMMAR_LEVELS_MOST);
    return true;
}
