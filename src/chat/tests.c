/* tests.c — the tests that come after "is". */
#include "jinja.h"

#define TEST(name, condition)                                                                      \
    static Value test_##name(Jinja *jinja, Value subject, const Arguments *arguments) {            \
        (void)jinja, (void)arguments;                                                              \
        return jinja_boolean(condition);                                                           \
    }

TEST(defined, subject.kind != VALUE_UNDEFINED)
TEST(undefined, subject.kind == VALUE_UNDEFINED)
TEST(none, subject.kind == VALUE_NONE)
TEST(boolean, subject.kind == VALUE_BOOLEAN)
TEST(true, subject.kind == VALUE_BOOLEAN && subject.boolean)
TEST(false, subject.kind == VALUE_BOOLEAN && !subject.boolean)
TEST(integer, subject.kind == VALUE_INTEGER)
TEST(float, subject.kind == VALUE_FLOAT)
TEST(number, jinja_is_number(subject))
TEST(string, subject.kind == VALUE_TEXT)
TEST(mapping, subject.kind == VALUE_MAPPING)
TEST(iterable, jinja_is_iterable(subject) || subject.kind == VALUE_LOOP)
/* An undefined value only fails when it is called. */
TEST(callable, subject.kind == VALUE_UNDEFINED ||
                   (subject.kind >= VALUE_MACRO && subject.kind <= VALUE_METHOD))
TEST(escaped, subject.kind == VALUE_TEXT && subject.text->safe)
TEST(lower, jinja_is_lower(jinja, jinja_print(jinja, subject)))
TEST(upper, jinja_is_upper(jinja, jinja_print(jinja, subject)))
TEST(filter, jinja_find_filter(jinja_want_text(jinja, subject, "the name of a filter")))
TEST(test, jinja_find_test(jinja_want_text(jinja, subject, "the name of a test")))
TEST(in, jinja_contains(jinja, arguments->positional[0], subject))
TEST(eq, jinja_relate(jinja, EQUAL, subject, arguments->positional[0]))
TEST(ne, jinja_relate(jinja, NOT_EQUAL, subject, arguments->positional[0]))
TEST(lt, jinja_relate(jinja, LESS, subject, arguments->positional[0]))
TEST(le, jinja_relate(jinja, LESS_EQUAL, subject, arguments->positional[0]))
TEST(gt, jinja_relate(jinja, GREATER, subject, arguments->positional[0]))
TEST(ge, jinja_relate(jinja, GREATER_EQUAL, subject, arguments->positional[0]))

/* What has a length and elements by key or number; an undefined value does not fail here. */
TEST(sequence, jinja_is_sequence(subject) || subject.kind == VALUE_TEXT ||
                   subject.kind == VALUE_MAPPING || subject.kind == VALUE_UNDEFINED)

static bool rest_is(Jinja *jinja, Value value, Value divisor, int64_t rest) {
    return jinja_equal(jinja, jinja_operate(jinja, MODULO, value, divisor), jinja_integer(rest));
}

TEST(odd, rest_is(jinja, subject, jinja_integer(2), 1))
TEST(even, rest_is(jinja, subject, jinja_integer(2), 0))
TEST(divisible, rest_is(jinja, subject, arguments->positional[0], 0))

/* Python's "is": certain for none, true and false, and for what was made once. */
static Value test_same(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value other = arguments->positional[0];
    bool simple = subject.kind == VALUE_NONE || subject.kind == VALUE_BOOLEAN;
    if (subject.kind != other.kind) return jinja_boolean(false);
    if (simple) return jinja_boolean(jinja_equal(jinja, subject, other));
    if (subject.kind < VALUE_LIST)
        jinja_fail(jinja, "whether texts or numbers are the same object is not known here; compare "
                          "them with ==");
    return jinja_boolean(subject.list == other.list);
}

const Builtin jinja_tests[] = {
    {"defined", test_defined, ""},     {"undefined", test_undefined, ""},
    {"none", test_none, ""},           {"boolean", test_boolean, ""},
    {"true", test_true, ""},           {"false", test_false, ""},
    {"integer", test_integer, ""},     {"float", test_float, ""},
    {"number", test_number, ""},       {"string", test_string, ""},
    {"mapping", test_mapping, ""},     {"sequence", test_sequence, ""},
    {"iterable", test_iterable, ""},   {"callable", test_callable, ""},
    {"escaped", test_escaped, ""},     {"lower", test_lower, ""},
    {"upper", test_upper, ""},         {"filter", test_filter, ""},
    {"test", test_test, ""},           {"odd", test_odd, ""},
    {"even", test_even, ""},           {"divisibleby", test_divisible, "num"},
    {"sameas", test_same, "other"},    {"in", test_in, "seq"},
    {"==", test_eq, "other"},          {"eq", test_eq, "other"},
    {"equalto", test_eq, "other"},     {"!=", test_ne, "other"},
    {"ne", test_ne, "other"},          {"<", test_lt, "other"},
    {"lt", test_lt, "other"},          {"lessthan", test_lt, "other"},
    {"<=", test_le, "other"},          {"le", test_le, "other"},
    {">", test_gt, "other"},           {"gt", test_gt, "other"},
    {"greaterthan", test_gt, "other"}, {">=", test_ge, "other"},
    {"ge", test_ge, "other"},          {NULL, NULL, NULL},
};
