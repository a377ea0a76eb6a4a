/* tools.h — tools that a chat may call: what a request says of them, and how its model calls them.
 *
 * Each model has its own way to write a call; its chat template tells which. That is tried out: an
 * object with the tool's name and its arguments, after a marker or alone. */
#ifndef METAL_LLM_SERVE_TOOLS_H
#define METAL_LLM_SERVE_TOOLS_H

#include "fields.h"

/* Zero-initialise; release with tools_free. */
typedef struct Tools {
    const cJSON *list;     /* the request's; NULL: nothing may be called */
    const char *name;      /* the one that must be called; NULL: any */
    bool forced;           /* a call must come */
    bool single;           /* and no second one */
    char *opener;          /* what stands before a call's object */
    char *marker;          /* the same without white space and brackets; "" if nothing is left */
    const char *arguments; /* the object's key for them: "arguments" or "parameters" */
} Tools;

/* "tools", "tool_choice" and "parallel_tool_calls". False and the fields' problem if they are
 * wrong.
 */
bool tools_read(Tools *tools, const Fields *fields);
void tools_free(Tools *tools);

/* How the model writes calls. False and `problem` if it has no way that is known here. */
bool tools_learn_form(Tools *tools, LLMPipeline *llm, Problem *problem);
/* The JSON Schema of a call's object, to be released with cJSON_free. NULL and `problem` if there
 * is none. */
char *tools_schema(const Tools *tools, Problem *problem);

/* Of a text that goes on, the bytes that are part of no call whatever follows; `begun`: there was
 * text before. */
size_t tools_plain(const Tools *tools, const char *text, size_t size, bool begun);
/* The calls in a text's end, as a message has them, and the bytes before them. NULL: there are
 * none. */
cJSON *tools_calls(const Tools *tools, const char *text, const char *id, size_t *before);

#endif
