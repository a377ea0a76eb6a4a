/* grammar.h — the JSON texts that a schema allows, as a graph of values.
 *
 * A schema becomes nodes, each the values that may stand in a place: matcher.h reads a text by them
 * byte by byte. What is made is compact: one space at most after a colon or a comma, and none
 * elsewhere; the properties of an object in the schema's order, others after them.
 */
#ifndef METAL_LLM_GRAMMAR_H
#define METAL_LLM_GRAMMAR_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    GRAMMAR_BYTES_MOST = 64 << 10, /* of a schema */
    GRAMMAR_NODES_MOST = 4096,
    GRAMMAR_LEVELS_MOST = 64, /* arrays and objects within each other */
    GRAMMAR_ALTERNATIVES_MOST = 64,
    GRAMMAR_INSIDE_MOST = 256, /* schemas within each other */
    GRAMMAR_LEAST_MOST = 4096  /* that minItems and minLength may ask for */
};

#define GRAMMAR_NONE      UINT32_MAX
#define GRAMMAR_UNLIMITED UINT32_MAX

typedef enum NodeKind {
    NODE_ANY_OF,   /* parts: the values of any of these nodes, none of this kind */
    NODE_LITERALS, /* one of so many texts */
    NODE_STRING,   /* least to most characters */
    NODE_NUMBER,   /* any */
    NODE_RANGE,    /* numbers from low to high, in units of 10^-places */
    NODE_ARRAY,    /* least to most items: the first by the parts, more of them by `rest` */
    NODE_OBJECT,   /* properties, and others by `rest` */
} NodeKind;

typedef struct Property {
    char *key; /* [size] as it is written, after its first quote and with the last */
    uint32_t size;
    uint32_t node;
    bool required;
} Property;

typedef struct Literal {
    char *text;
    uint32_t size;
} Literal;

typedef struct Node {
    NodeKind kind;
    uint32_t levels; /* of arrays and objects in the flattest value; GRAMMAR_NONE: there is none */
    uint32_t count;  /* of what is next */
    uint32_t *parts; /* nodes */
    Property *properties;
    Literal *literals; /* sorted by their bytes */
    uint32_t rest;     /* node, GRAMMAR_NONE: no more than these */
    uint32_t least, most;
    uint32_t places;
    int64_t low, high;
} Node;

typedef struct Grammar {
    Node *nodes;
    uint32_t count, capacity;
    uint32_t root;
} Grammar;

/* Of a schema, a text of JSON. The caller frees it. NULL and `error` if the text is no schema, if
 * it asks for what is not known here, which is named, if no text could ever be one of its values,
 * or if it is too large. */
Grammar *grammar_new(const char *schema, LLMError *error);
void grammar_free(Grammar *grammar); /* NULL is fine */

/* Levels that every value has, and alternatives as one list: the second part of grammar_new. */
bool grammar_settle(Grammar *grammar, LLMError *error);

/* The node of an array's item, GRAMMAR_NONE if it may not have so many. */
static inline uint32_t node_item(const Node *array, uint32_t index) {
    if (index >= array->most) return GRAMMAR_NONE;
    return index < array->count ? array->parts[index] : array->rest;
}

#endif
