/* call.c — calls of macros, and of filters, tests, methods and functions written in C. */
#include "evaluate.h"

#include <string.h>

/* --- written in C --- */

const Builtin *jinja_find_builtin(const Builtin *table, Text name) {
    for (; table->name; table++)
        if (jinja_text_is(name, table->name)) return table;
    return NULL;
}

const Builtin *jinja_find_filter(Text name) {
    const Builtin *filter = jinja_find_builtin(jinja_text_filters, name);
    return filter ? filter : jinja_find_builtin(jinja_list_filters, name);
}

const Builtin *jinja_find_test(Text name) {
    return jinja_find_builtin(jinja_tests, name);
}

Value jinja_method(Jinja *jinja, const Builtin *function, Value subject) {
    Method *method = jinja_allocate(jinja, sizeof *method);
    *method = (Method){function, subject};
    return (Value){.kind = VALUE_METHOD, .method = method};
}

enum { MAX_PARAMETERS = 8 };

/* The names of a builtin's parameters, and how many of them must be given. */
typedef struct Parameters {
    Text names[MAX_PARAMETERS];
    size_t count, required;
} Parameters;

static Parameters parameters_of(const Builtin *builtin) {
    static const unsigned char origins[80];
    Parameters parameters = {.required = SIZE_MAX};
    for (const char *c = builtin->parameters; *c;) {
        if (*c == '|') {
            parameters.required = parameters.count;
            c++;
        }
        size_t size = strcspn(c, " |");
        if (size) parameters.names[parameters.count++] = (Text){c, origins, size, false};
        c += size + (c[size] == ' ');
    }
    if (parameters.required > parameters.count) parameters.required = parameters.count;
    return parameters;
}

static size_t find_parameter(const Parameters *parameters, Text name) {
    size_t i = 0;
    while (i < parameters->count && !jinja_text_equal(parameters->names[i], name))
        i++;
    return i;
}

/* One value for each parameter, absent where none is given. */
static void bind(Jinja *jinja, const Builtin *builtin, const Arguments *arguments,
                 Value values[MAX_PARAMETERS]) {
    Parameters parameters = parameters_of(builtin);
    if (arguments->count > parameters.count)
        jinja_fail(jinja, "\"%s\" takes %zu arguments, not %zu", builtin->name, parameters.count,
                   arguments->count);
    for (size_t i = 0; i < arguments->count; i++)
        values[i] = arguments->positional[i];
    for (size_t i = 0; i < arguments->named_count; i++) {
        Text name = arguments->named[i].name;
        size_t at = find_parameter(&parameters, name);
        if (at == parameters.count || values[at].kind != VALUE_ABSENT)
            jinja_fail(jinja, "\"%s\" takes no argument \"%.*s\" here", builtin->name,
                       TEXT_ARGUMENTS(name));
        values[at] = arguments->named[i].value;
    }
    for (size_t i = 0; i < parameters.required; i++)
        if (values[i].kind == VALUE_ABSENT)
            jinja_fail(jinja, "\"%s\" misses its argument \"%.*s\"", builtin->name,
                       TEXT_ARGUMENTS(parameters.names[i]));
}

/* Python's Markup has methods of its own, which escape their arguments; these do not differ. */
static void check_safe(Jinja *jinja, const Builtin *builtin, Value subject) {
    static const char *const same[] = {"safe",  "e",      "escape",  "string", "length",
                                       "count", "tojson", "default", "d",      NULL};
    if (subject.kind != VALUE_TEXT || !subject.text->safe) return;
    bool is_test = jinja_find_test(jinja_literal(jinja, builtin->name)) == builtin;
    if (is_test) return;
    for (const char *const *name = same; *name; name++)
        if (strcmp(builtin->name, *name) == 0) return;
    jinja_fail(jinja, "\"%s\" after \"safe\" or \"escape\" is not supported", builtin->name);
}

Value jinja_call_builtin(Jinja *jinja, const Builtin *builtin, Value subject,
                         const Arguments *arguments) {
    jinja_charge(jinja, 0);
    if (!builtin->call) jinja_fail(jinja, "\"%s\" is not supported", builtin->name);
    check_safe(jinja, builtin, subject);
    if (!builtin->parameters) return builtin->call(jinja, subject, arguments);
    Value values[MAX_PARAMETERS] = {0};
    bind(jinja, builtin, arguments, values);
    return builtin->call(jinja, subject, &(Arguments){.positional = values});
}

/* --- macros --- */

/* The named argument, which is then taken; absent if it was not given. */
static Value take_named(Arguments *arguments, Text name) {
    Value value = {.kind = VALUE_ABSENT};
    size_t kept = 0;
    for (size_t i = 0; i < arguments->named_count; i++) {
        if (jinja_text_equal(arguments->named[i].name, name))
            value = arguments->named[i].value;
        else
            arguments->named[kept++] = arguments->named[i];
    }
    arguments->named_count = kept;
    return value;
}

static void set_variable(Jinja *jinja, Scope *scope, Text name, Value value) {
    jinja_put(jinja, &scope->variables, jinja_from_text(jinja, name), value);
}

/* The parameters become variables, undefined where no argument is given. True if one is called
 * "caller". */
static bool set_parameters(Jinja *jinja, Scope *scope, const Signature *signature,
                           Arguments *arguments) {
    bool named_caller = false;
    size_t given = 0;
    for (const Node *parameter = signature->parameters; parameter; parameter = parameter->next) {
        Text name = *parameter->value.text;
        named_caller = named_caller || jinja_text_is(name, "caller");
        Value value =
            given < arguments->count ? arguments->positional[given++] : take_named(arguments, name);
        bool absent = value.kind == VALUE_ABSENT;
        if (absent)
            value =
                jinja_undefined(jinja, "parameter '%.*s' was not provided", TEXT_ARGUMENTS(name));
        set_variable(jinja, scope, name, value);
        if (absent && parameter->second)
            set_variable(jinja, scope, name, evaluate(jinja, scope, parameter->second));
    }
    if (given > 0) arguments->positional += given;
    arguments->count -= given;
    return named_caller;
}

/* What no parameter takes becomes varargs and kwargs, if the macro uses them. */
static void set_rest(Jinja *jinja, Scope *scope, const Signature *signature,
                     const Arguments *arguments) {
    Text macro = signature->name;
    if (!signature->takes_rest && arguments->count > 0)
        jinja_fail(jinja, "the macro \"%.*s\" gets too many arguments", TEXT_ARGUMENTS(macro));
    if (!signature->takes_named && arguments->named_count > 0)
        jinja_fail(jinja, "the macro \"%.*s\" takes no argument \"%.*s\"", TEXT_ARGUMENTS(macro),
                   TEXT_ARGUMENTS(arguments->named[0].name));
    List *rest = jinja_list(jinja);
    Mapping *named = jinja_mapping(jinja);
    for (size_t i = 0; i < arguments->count; i++)
        jinja_add(jinja, rest, arguments->positional[i]);
    for (size_t i = 0; i < arguments->named_count; i++)
        jinja_put(jinja, named, jinja_from_text(jinja, arguments->named[i].name),
                  arguments->named[i].value);
    if (signature->takes_rest)
        set_variable(jinja, scope, jinja_literal(jinja, "varargs"),
                     jinja_from_list(VALUE_TUPLE, rest));
    if (signature->takes_named)
        set_variable(jinja, scope, jinja_literal(jinja, "kwargs"), jinja_from_mapping(named));
}

static Value call_macro(Jinja *jinja, const Macro *macro, const Arguments *given) {
    const Signature *signature = macro->signature;
    Scope *scope = jinja_allocate(jinja, sizeof *scope);
    scope->outer = macro->scope;
    Arguments arguments = *given;
    arguments.named = jinja_allocate(jinja, (given->named_count + 1) * sizeof *given->named);
    for (size_t i = 0; i < given->named_count; i++)
        arguments.named[i] = given->named[i];

    bool named_caller = set_parameters(jinja, scope, signature, &arguments);
    if (signature->takes_caller && !named_caller) {
        Text name = jinja_literal(jinja, "caller");
        Value caller = take_named(&arguments, name);
        if (caller.kind == VALUE_ABSENT) caller = jinja_undefined(jinja, "there is no caller");
        set_variable(jinja, scope, name, caller);
    }
    set_rest(jinja, scope, signature, &arguments);
    TextBuilder builder = jinja_builder(jinja);
    execute(jinja, scope, signature->body, &builder);
    return jinja_from_text(jinja, jinja_built(&builder));
}

Value jinja_call(Jinja *jinja, Value callee, const Arguments *arguments) {
    switch (callee.kind) {
    case VALUE_MACRO:
        return call_macro(jinja, callee.macro, arguments);
    case VALUE_FUNCTION:
        return jinja_call_builtin(jinja, callee.function, (Value){.kind = VALUE_ABSENT}, arguments);
    case VALUE_METHOD:
        return jinja_call_builtin(jinja, callee.method->function, callee.method->subject,
                                  arguments);
    case VALUE_UNDEFINED:
        jinja_fail(jinja, "%s, so it cannot be called", callee.missing);
    default:
        jinja_fail(jinja, "%s cannot be called", jinja_kind_name(callee));
    }
}

/* --- arguments --- */

Text jinja_want_text(Jinja *jinja, Value value, const char *what) {
    if (value.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", value.missing);
    if (value.kind != VALUE_TEXT)
        jinja_fail(jinja, "%s must be a text, not %s", what, jinja_kind_name(value));
    return *value.text;
}

int64_t jinja_want_integer(Jinja *jinja, Value value, const char *what, int64_t otherwise) {
    if (value.kind == VALUE_ABSENT) return otherwise;
    if (value.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", value.missing);
    if (!jinja_is_integral(value))
        jinja_fail(jinja, "%s must be an integer, not %s", what, jinja_kind_name(value));
    return jinja_as_integer(value);
}

bool jinja_want_boolean(Value value, bool otherwise) {
    return value.kind == VALUE_ABSENT ? otherwise : jinja_truth(value);
}
