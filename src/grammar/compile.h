/* compile.h — what the files that make a grammar of a schema share. */
#ifndef METAL_LLM_GRAMMAR_COMPILE_H
#define METAL_LLM_GRAMMAR_COMPILE_H

#include "grammar.h"

#include <cjson/cJSON.h>

/* Schemas that have become nodes, by the place where they stand. */
typedef struct Compiled {
    const cJSON *schema;
    uint32_t node;
} Compiled;

typedef struct Compiler {
    Grammar *grammar;
    const cJSON *root;
    Compiled *compiled; /* [compiled_count] */
    uint32_t compiled_count;
    uint32_t any;    /* the node of any value, GRAMMAR_NONE until one is needed */
    uint32_t inside; /* schemas that are not done, each within the one before */
    LLMError *error;
} Compiler;

/* A node of its own, or GRAMMAR_NONE and the error where there are too many. */
uint32_t compile_node(Compiler *compiler, const Node *node);
/* The node of a schema. */
uint32_t compile_schema(Compiler *compiler, const cJSON *schema);
/* The node of any value, or of any of one type. */
uint32_t compile_any(Compiler *compiler);
/* Texts as they are written: true and false, null, and those of enum and const. */
uint32_t compile_texts(Compiler *compiler, const char *const *texts, uint32_t count);

/* Nodes of a schema's values that are of one type. */
uint32_t compile_string(Compiler *compiler, const cJSON *schema);
uint32_t compile_number(Compiler *compiler, const cJSON *schema, bool whole);
uint32_t compile_array(Compiler *compiler, const cJSON *schema);
uint32_t compile_object(Compiler *compiler, const cJSON *schema);

/* GRAMMAR_NONE, with the error of a keyword. */
uint32_t compile_refuse(Compiler *compiler, const char *keyword, const char *why);
/* A count such as minItems: false and the error if it is none; what it was if it is not there. */
bool compile_count(Compiler *compiler, const cJSON *schema, const char *keyword, uint32_t *count);

static inline const cJSON *compile_find(const cJSON *schema, const char *keyword) {
    return cJSON_GetObjectItemCaseSensitive(schema, keyword);
}

#endif
