/* grammar.c — a grammar's beginning and end. */
#include "compile.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* --- the schema's text --- */

static bool is_utf8(const char *text) {
    uint32_t character;
    for (size_t size = strlen(text), length; size; text += length, size -= length)
        if (!(length = utf8_decode(text, size, &character))) return false;
    return true;
}

static bool check_text(const char *schema, LLMError *error) {
    if (strlen(schema) > GRAMMAR_BYTES_MOST)
        return error_set(error, LLM_ERROR_ARGUMENT, "the schema has more than %d bytes",
                         GRAMMAR_BYTES_MOST);
    if (!is_utf8(schema))
        return error_set(error, LLM_ERROR_ARGUMENT, "the schema is not UTF-8: save it as such");
    if (strstr(schema, "\\u0000"))
        return error_set(error, LLM_ERROR_ARGUMENT, "the schema has a NUL in it (\\u0000)");
    return true;
}

static cJSON *parse(const char *schema, LLMError *error) {
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithOpts(schema, &end, true);
    if (!json)
        error_set(error, LLM_ERROR_ARGUMENT, "the schema is no JSON (error near byte %zu)",
                  end ? (size_t)(end - schema) : 0);
    return json;
}

/* --- beginning and end --- */

static void free_node(Node *node) {
    for (uint32_t i = 0; node->properties && i < node->count; i++)
        cJSON_free(node->properties[i].key);
    for (uint32_t i = 0; node->literals && i < node->count; i++)
        cJSON_free(node->literals[i].text);
    free(node->parts);
    free(node->properties);
    free(node->literals);
}

void grammar_free(Grammar *grammar) {
    if (!grammar) return;
    for (uint32_t i = 0; i < grammar->count; i++)
        free_node(&grammar->nodes[i]);
    free(grammar->nodes);
    free(grammar);
}

static bool compile(Grammar *grammar, const cJSON *root, LLMError *error) {
    Compiler compiler = {.grammar = grammar, .root = root, .any = GRAMMAR_NONE, .error = error};
    compiler.compiled = calloc(GRAMMAR_NODES_MOST, sizeof *compiler.compiled);
    if (!compiler.compiled) return error_memory(error, GRAMMAR_NODES_MOST * sizeof(Compiled));
    grammar->root = compile_schema(&compiler, root);
    free(compiler.compiled);
    return !error_is_set(error) && grammar_settle(grammar, error);
}

Grammar *grammar_new(const char *schema, LLMError *error) {
    if (!check_text(schema, error)) return NULL;
    cJSON *json = parse(schema, error);
    if (!json) return NULL;
    Grammar *grammar = calloc(1, sizeof *grammar);
    bool whole = grammar && compile(grammar, json, error);
    if (!grammar) error_memory(error, sizeof *grammar);
    cJSON_Delete(json);
    if (whole) return grammar;
    grammar_free(grammar);
    return NULL;
}
