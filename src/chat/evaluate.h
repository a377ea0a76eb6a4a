/* evaluate.h — running the tree of a template. */
#ifndef METAL_LLM_JINJA_EVALUATE_H
#define METAL_LLM_JINJA_EVALUATE_H

#include "parser.h"

/* The variables of a template, of a pass through a loop, or of a macro's call. */
typedef struct Scope {
    struct Scope *outer;
    Mapping variables; /* by name, a text */
} Scope;

/* A macro and the scope that it was defined in. */
struct Macro {
    const Signature *signature;
    Scope *scope;
};

typedef enum Flow { GO_ON, BREAK_LOOP, NEXT_PASS } Flow;

Value evaluate(Jinja *, Scope *, const Node *expression);
Arguments evaluate_arguments(Jinja *, Scope *, const Node *arguments);
/* A value through the filters of a filter or set block. */
Value evaluate_filters(Jinja *, Scope *, const Node *filters, Value);
/* Run statements, which write to `out`. */
Flow execute(Jinja *, Scope *, const Node *statements, TextBuilder *out);

#endif
