/* jinja.h — what the parts of the interpreter share: its memory and limits, texts, values.
 *
 * One `Jinja` serves one compilation or one rendering. All memory comes from its arena and is
 * released at once, so values are plain structures that share freely; a failure anywhere leaves by
 * jinja_fail and is caught in jinja_try. Values never change once made, but for namespaces.
 */
#ifndef METAL_LLM_JINJA_H
#define METAL_LLM_JINJA_H

#include "error.h"

#include <setjmp.h>
#include <time.h>

enum {
    JINJA_MAX_SOURCE = 1 << 20, /* bytes of a template */
    JINJA_MAX_MEMORY = 1 << 28, /* bytes of all values of a rendering */
    JINJA_MAX_OUTPUT = 1 << 25, /* bytes of its result */
    JINJA_MAX_STEPS = 20000000, /* expressions, elements and 64s of bytes that it looks at */
    JINJA_MAX_DEPTH = 500,      /* expressions and values within each other */
    JINJA_MAX_NESTING = 100,    /* statements and brackets of a template within each other */
    JINJA_MAX_RANGE = 100000,   /* elements of range(), Jinja's own limit */
};

/* --- memory, limits, errors: jinja.c --- */

typedef struct Block Block;

typedef struct Jinja {
    LLMError *error;
    jmp_buf failed;
    Block *blocks;
    size_t memory, steps;
    unsigned depth;
    unsigned line; /* of what is at work, for errors; 0: none */
    time_t now;
} Jinja;

/* Run work(jinja, context) and catch its failure: false, and jinja->error is set. */
bool jinja_try(Jinja *, void (*work)(Jinja *, void *), void *context);
void jinja_release(Jinja *);
/* Zeroed memory that lives until jinja_release. */
void *jinja_allocate(Jinja *, size_t size);
/* Grow array[count of `size` bytes each] to hold one more. */
void *jinja_grow(Jinja *, void *array, size_t count, size_t *capacity, size_t size);
/* Leave with LLM_ERROR_FORMAT, the line and this message. */
_Noreturn void jinja_fail(Jinja *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Leave with LLM_ERROR_ARGUMENT: the input is at fault. */
_Noreturn void jinja_refuse(Jinja *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Count work, here on `bytes` bytes, against JINJA_MAX_STEPS. */
void jinja_charge(Jinja *, size_t bytes);
/* Around recursion. */
void jinja_enter(Jinja *);
void jinja_leave(Jinja *);

/* --- texts: text.c; searching and taking apart: text_parts.c --- */

typedef enum Origin { FROM_TEMPLATE, FROM_INPUT } Origin;

/* UTF-8 with the origin of each byte. A byte that begins no valid character counts as one. */
typedef struct Text {
    const char *bytes;            /* [size] */
    const unsigned char *origins; /* [size], of Origin */
    size_t size;
    bool safe; /* went through `safe` or `escape`: Python's Markup */
} Text;

/* For messages: printf("%.*s", TEXT_ARGUMENTS(text)). */
#define TEXT_ARGUMENTS(text) (int)((text).size < 80 ? (text).size : 80), (text).bytes

typedef struct TextBuilder {
    Jinja *jinja;
    char *bytes;
    unsigned char *origins;
    size_t size, capacity, limit;
} TextBuilder;

Text jinja_text(Jinja *, const char *bytes, size_t size, Origin); /* not copied */
Text jinja_text_copy(Jinja *, const char *bytes, size_t size, Origin);
Text jinja_literal(Jinja *, const char *string); /* from the template */
bool jinja_text_is(Text, const char *string);
bool jinja_text_equal(Text, Text);
int jinja_text_compare(Text, Text);

TextBuilder jinja_builder(Jinja *);
void jinja_append(TextBuilder *, Text);
void jinja_append_bytes(TextBuilder *, const char *bytes, size_t size, Origin);
void jinja_append_string(TextBuilder *, const char *string); /* from the template */
Text jinja_built(const TextBuilder *);
Text jinja_concatenate(Jinja *, Text, Text);

/* One character: its bytes (0 at the end) and code point (UINT32_MAX for a stray byte). */
size_t jinja_character(Text, size_t at, uint32_t *character);
size_t jinja_length(Jinja *, Text);                   /* characters */
Text jinja_part(Text, size_t from, size_t to);        /* bytes [from, to) */
size_t jinja_offset(Jinja *, Text, size_t character); /* where it begins, at most text.size */
void jinja_append_character(TextBuilder *, uint32_t character, Origin);
bool jinja_is_space(uint32_t character); /* as Python's str.isspace */

enum { NOT_FOUND = -1 };
/* Byte offset of `part` in text at or after `from`, NOT_FOUND if it is not there. */
ptrdiff_t jinja_find(Jinja *, Text, Text part, size_t from);
ptrdiff_t jinja_find_last(Jinja *, Text, Text part);
bool jinja_starts_with(Text, Text prefix);
bool jinja_ends_with(Text, Text suffix);

typedef enum Sides { LEFT = 1, RIGHT = 2 } Sides;
/* Without the white space at these sides, or without the characters of *set. */
Text jinja_strip(Jinja *, Text, const Text *set, Sides);
Text jinja_replace(Jinja *, Text, Text old, Text new, int64_t count); /* count < 0: all */
Text jinja_repeat(Jinja *, Text, int64_t times);

/* --- letters: letters.c --- */

Text jinja_upper(Jinja *, Text);
Text jinja_lower(Jinja *, Text);
Text jinja_capitalize(Jinja *, Text);
Text jinja_title_words(Jinja *, Text);  /* str.title */
Text jinja_title_filter(Jinja *, Text); /* Jinja's filter */
Text jinja_swap_case(Jinja *, Text);
bool jinja_is_upper(Jinja *, Text);
bool jinja_is_lower(Jinja *, Text);
bool jinja_is_title(Jinja *, Text);
bool jinja_is_printable(uint32_t character);
bool jinja_is_alpha(uint32_t character);
bool jinja_is_decimal(uint32_t character);
bool jinja_is_digit(uint32_t character);
bool jinja_is_numeric(uint32_t character);
bool jinja_is_alphanumeric(uint32_t character);

/* --- values: value.c --- */

typedef enum ValueKind {
    VALUE_ABSENT, /* an argument that was not given; never seen by a template */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_MAPPING,
    VALUE_RANGE,    /* what range() returns */
    VALUE_VIEW,     /* what a mapping's keys(), values() and items() return */
    VALUE_ITERATOR, /* what map and select return: can be gone through once */
    VALUE_NAMESPACE,
    VALUE_MACRO,
    VALUE_FUNCTION,
    VALUE_METHOD,
    VALUE_LOOP,
} ValueKind;

typedef struct List List;
typedef struct Mapping Mapping;
typedef struct Method Method;
typedef struct Macro Macro;
typedef struct Loop Loop;
typedef struct Builtin Builtin;

typedef struct Value {
    ValueKind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const Text *text;
        List *list;       /* list, tuple, range, view, iterator */
        Mapping *mapping; /* and namespace */
        const Macro *macro;
        const Builtin *function;
        const Method *method;
        Loop *loop;
        const char *missing; /* undefined: what is, in words */
    };
} Value;

struct List {
    Value *items;
    size_t count, capacity;
    size_t next;               /* iterator: the first that was not taken yet */
    const char *label;         /* view: "dict_items" */
    int64_t start, stop, step; /* range */
};

typedef struct Entry {
    Value key, value;
    uint64_t hash;
} Entry;

/* In the order of insertion. */
struct Mapping {
    Entry *entries;
    size_t count, capacity;
    uint32_t
        *slots; /* [slot_count], a power of two: 1 + index of an entry, or 0; from 9 entries on */
    size_t slot_count;
};

Value jinja_none(void);
Value jinja_boolean(bool);
Value jinja_integer(int64_t);
Value jinja_float(double);
Value jinja_from_text(Jinja *, Text);
Value jinja_from_string(Jinja *, const char *);
Value jinja_from_list(ValueKind, List *);
Value jinja_from_mapping(Mapping *);
Value jinja_undefined(Jinja *, const char *format, ...) __attribute__((format(printf, 2, 3)));

List *jinja_list(Jinja *);
void jinja_add(Jinja *, List *, Value);
Value jinja_pair(Jinja *, Value, Value); /* a tuple of two */

Mapping *jinja_mapping(Jinja *);
void jinja_put(Jinja *, Mapping *, Value key, Value value);
const Value *jinja_get(Jinja *, const Mapping *, Value key); /* NULL if it is not there */
const Value *jinja_get_string(Jinja *, const Mapping *, const char *key);

const char *jinja_kind_name(Value); /* Python's name of its type, for messages */
bool jinja_truth(Value);
bool jinja_equal(Jinja *, Value, Value);
/* -1, 0, 1; values of different kinds have no order. */
int jinja_compare(Jinja *, Value, Value);
uint64_t jinja_hash(Jinja *, Value);

bool jinja_is_sequence(Value); /* list, tuple, range */
/* The elements of anything that can be gone through; an iterator is then used up. */
const List *jinja_elements(Jinja *, Value);
bool jinja_is_iterable(Value);
/* Its number of elements or characters; -1 if it has none. */
int64_t jinja_size(Jinja *, Value);
/* Stable, by the keys. */
void jinja_sort(Jinja *, Value *items, Value *keys, size_t count, bool reverse);

/* --- numbers: number.c --- */

bool jinja_is_number(Value);     /* booleans are */
bool jinja_is_integral(Value);   /* booleans and integers */
int64_t jinja_as_integer(Value); /* of booleans and integers */
double jinja_as_float(Value);
int64_t jinja_from_double(Jinja *, double); /* truncated; fails beyond 64 bits */
/* The shortest digits that give the same number, as Python's repr; at least 32 bytes at `out`. */
void jinja_format_float(double, char *out);
/* "-12", "0x1f" in `base`, as Python's int(); false if it is not one. */
bool jinja_parse_integer(Jinja *, Text, int base, int64_t *value);
/* "1.5e3", as Python's float(). */
bool jinja_parse_float(Jinja *, Text, double *value);

/* --- values as text: print.c, json.c --- */

Text jinja_print(Jinja *, Value); /* Python's str() */
Text jinja_repr(Jinja *, Value);
void jinja_append_value(TextBuilder *, Value); /* str() */

/* `size` bytes of JSON as a value whose texts are from the input; `name` is for messages. */
Value jinja_parse_json(Jinja *, const char *text, size_t size, const char *name);

typedef struct JsonStyle {
    bool ascii, sorted, lines;
    Text indent, between, after_key; /* one level of indent, "," and ": " */
} JsonStyle;

Text jinja_to_json(Jinja *, Value, const JsonStyle *);

/* --- operators: operators.c --- */

typedef enum Operator {
    ADD = 1,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    FLOOR_DIVIDE,
    MODULO,
    POWER,
    EQUAL,
    NOT_EQUAL,
    LESS,
    LESS_EQUAL,
    GREATER,
    GREATER_EQUAL,
    IN,
    NOT_IN,
} Operator;

Value jinja_operate(Jinja *, Operator, Value, Value); /* arithmetic */
bool jinja_relate(Jinja *, Operator, Value, Value);   /* comparisons */
Value jinja_negate(Jinja *, Value);
bool jinja_contains(Jinja *, Value container, Value);

/* --- attributes, items, slices: access.c --- */

Value jinja_attribute(Jinja *, Value, Text name);
Value jinja_item(Jinja *, Value, Value index);
Value jinja_slice(Jinja *, Value, Value start, Value stop, Value step);
/* item.a.b.0, as the argument of map(attribute=…) has it. */
Value jinja_follow(Jinja *, Value, Value path);

/* --- calls: call.c --- */

typedef struct Keyword {
    Text name;
    Value value;
} Keyword;

typedef struct Arguments {
    Value *positional;
    size_t count;
    Keyword *named;
    size_t named_count;
} Arguments;

/* A filter, test, method or function written in C. `parameters` names what it takes, with spaces
 * between; those after a '|' may be left out and are then VALUE_ABSENT. It is called with exactly
 * one value for each. NULL: it takes everything as it comes. */
struct Builtin {
    const char *name;
    Value (*call)(Jinja *, Value subject, const Arguments *);
    const char *parameters;
};

/* A function bound to what it is a method of. */
struct Method {
    const Builtin *function;
    Value subject;
};

/* format % values: values in a tuple, or one, or a mapping; format.format(arguments): format.c. */
Text jinja_percent(Jinja *, Text format, Value values);
Text jinja_format(Jinja *, Text format, const Arguments *);

const Builtin *jinja_find_builtin(const Builtin *table, Text name);
Value jinja_call_builtin(Jinja *, const Builtin *, Value subject, const Arguments *);
Value jinja_method(Jinja *, const Builtin *, Value subject);
/* Call anything. */
Value jinja_call(Jinja *, Value callee, const Arguments *);

/* Tables that end with a name of NULL. */
extern const Builtin jinja_text_filters[], jinja_list_filters[], jinja_tests[];
extern const Builtin jinja_text_methods[], jinja_mapping_methods[], jinja_list_methods[],
    jinja_loop_methods[], jinja_functions[];
const Builtin *jinja_find_filter(Text name);
const Builtin *jinja_find_test(Text name);

/* Arguments of the usual kinds; the second form takes a default for what is absent. */
Text jinja_want_text(Jinja *, Value, const char *what);
int64_t jinja_want_integer(Jinja *, Value, const char *what, int64_t otherwise);
bool jinja_want_boolean(Value, bool otherwise);

struct Loop {
    const List *items;
    size_t index;
    unsigned depth;
    Value last_changed;
};
Value jinja_loop_attribute(Jinja *, Loop *, Text name);

#endif
