/* parser.h — a template as a tree. */
#ifndef METAL_LLM_JINJA_PARSER_H
#define METAL_LLM_JINJA_PARSER_H

#include "jinja.h"

typedef enum NodeKind {
    /* expressions */
    NODE_CONSTANT,  /* value */
    NODE_NAME,      /* value: a text */
    NODE_LIST,      /* first: list of expressions */
    NODE_TUPLE,     /* the same */
    NODE_MAPPING,   /* first: list of NODE_PAIR */
    NODE_PAIR,      /* first: first */
    NODE_ATTRIBUTE, /* first . value */
    NODE_ITEM,      /* first [ second ] */
    NODE_SLICE,     /* first [ second : third : fourth ], each but the first may be NULL */
    NODE_CALL,      /* first ( second: list of NODE_ARGUMENT ) */
    NODE_ARGUMENT,  /* first; value: the keyword, or absent; spread: 1 for *, 2 for ** */
    NODE_FILTER,    /* first | builtin ( second ); first is NULL in a filter or set block */
    NODE_TEST,      /* first is builtin ( second ) */
    NODE_NEGATIVE,  /* - first */
    NODE_POSITIVE,
    NODE_NOT,
    NODE_AND, /* first and second */
    NODE_OR,
    NODE_ARITHMETIC,    /* first operator second */
    NODE_CONCATENATION, /* first: list of expressions */
    NODE_COMPARISON,    /* first; second: list of NODE_RELATION */
    NODE_RELATION,      /* operator first */
    NODE_CHOICE,        /* second if first else third, which may be NULL */
    /* statements; bodies are lists of statements */
    NODE_TEXT,         /* value */
    NODE_OUTPUT,       /* first */
    NODE_IF,           /* first: list of NODE_BRANCH; second: body of else */
    NODE_BRANCH,       /* if first then second */
    NODE_FOR,          /* for first in second if third; fourth: body; otherwise: body of else */
    NODE_SET,          /* first = second */
    NODE_SET_BLOCK,    /* first = fourth, through the filters of second, or NULL */
    NODE_MACRO,        /* signature */
    NODE_CALL_BLOCK,   /* first: a NODE_CALL; signature: its caller() */
    NODE_FILTER_BLOCK, /* fourth through the filters of first */
    NODE_WITH,         /* first: list of NODE_SET; fourth: body */
    NODE_GENERATION,   /* fourth */
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_FIELD, /* as a target: namespace first . value */
} NodeKind;

typedef struct Node Node;

/* What a macro takes. */
typedef struct Signature {
    Text name;
    Node *parameters; /* list of NODE_PAIR: a name, and its default or NULL */
    Node *body;
    bool takes_rest, takes_named, takes_caller; /* varargs, kwargs, caller are used in it */
} Signature;

struct Node {
    NodeKind kind;
    Operator operator;
    unsigned line;
    int spread;
    Value value;
    const Builtin *builtin;
    Signature *signature;
    Node *first, *second, *third, *fourth, *otherwise;
    Node *next; /* in a list */
};

/* The statements of a template. */
Node *jinja_parse(Jinja *, const char *source, size_t size);

/* --- shared by parser.c (statements) and expressions.c --- */

typedef struct MacroScope {
    struct MacroScope *outer;
    Signature *signature;
} MacroScope;

typedef struct Parser {
    Jinja *jinja;
    const struct Token *token;
    unsigned nesting, loops;
    MacroScope *macros; /* that are being parsed, the innermost first */
    bool guarded;       /* directly in an if: names that are not known may not be reached */
} Parser;

/* A list that nodes are added to at its end. */
typedef struct NodeList {
    Node *first, **end;
} NodeList;

Node *parser_node(Parser *, NodeKind);
void parser_add(NodeList *, Node *);
_Noreturn void parser_unexpected(Parser *, const char *wanted);
bool parser_at(const Parser *, const char *name_or_operator);
bool parser_take(Parser *, const char *name_or_operator);
void parser_expect(Parser *, const char *name_or_operator);
Text parser_expect_name(Parser *);
void parser_nest(Parser *);
void parser_unnest(Parser *);

Node *parse_expression(Parser *, bool with_choice);
/* One expression, or several with commas between, which are a tuple. It ends before the name
 * `end`, too, unless that is NULL. */
Node *parse_tuple(Parser *, bool with_choice, bool in_parentheses, const char *end);
/* "| upper | indent(2)" after a value, which may be NULL. */
Node *parse_filters(Parser *, Node *value, bool starts_with_name);
/* What can be assigned to: a name, a tuple of such, or a field of a namespace. */
Node *parse_target(Parser *, bool with_fields, const char *end);

#endif
