/* levels.c — how flat a node's values can be, and whether it has any. */
#include "grammar.h"

#include <stdlib.h>

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
    case NODE_ARRAY: /* what is behind the parts is all alike */
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

/* --- loops of alternatives, which would never come to a byte --- */

typedef enum Mark { NEW, OPEN, CLOSED } Mark;

static bool loops(const Grammar *grammar, uint32_t node, uint8_t *marks) {
    const Node *any = &grammar->nodes[node];
    if (any->kind != NODE_ANY_OF || marks[node] == CLOSED) return false;
    if (marks[node] == OPEN) return true;
    marks[node] = OPEN;
    for (uint32_t i = 0; i < any->count; i++)
        if (loops(grammar, any->parts[i], marks)) return true;
    marks[node] = CLOSED;
    return false;
}

static bool check_loops(const Grammar *grammar, LLMError *error) {
    uint8_t *marks = calloc(grammar->count, sizeof *marks);
    if (!marks) return error_memory(error, grammar->count);
    bool found = false;
    for (uint32_t i = 0; i < grammar->count && !found; i++)
        found = loops(grammar, i, marks);
    free(marks);
    return !found || error_set(error, LLM_ERROR_ARGUMENT,
                               "the schema: a $ref leads back to itself without a level of array "
                               "or object between");
}

bool grammar_settle(Grammar *grammar, LLMError *error) {
    if (!check_loops(grammar, error)) return false;
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
