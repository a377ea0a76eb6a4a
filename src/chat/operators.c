/* operators.c — arithmetic, comparisons and "in", with Python's meaning. */
#include "jinja.h"

#include <math.h>

_Noreturn static void unsuitable(Jinja *jinja, const char *symbol, Value a, Value b) {
    if (a.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", a.missing);
    if (b.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", b.missing);
    jinja_fail(jinja, "%s does not go between %s and %s", symbol, jinja_kind_name(a),
               jinja_kind_name(b));
}

_Noreturn static void too_large(Jinja *jinja) {
    jinja_fail(jinja, "an integer grows beyond 64 bits");
}

/* --- integers --- */

static int64_t checked(Jinja *jinja, bool overflow, int64_t result) {
    if (overflow) too_large(jinja);
    return result;
}

static int64_t multiply(Jinja *jinja, int64_t a, int64_t b) {
    int64_t product;
    bool overflow = __builtin_mul_overflow(a, b, &product);
    return checked(jinja, overflow, product);
}

static void check_divisor(Jinja *jinja, bool zero) {
    if (zero) jinja_fail(jinja, "a division by zero");
}

/* Towards −∞; the remainder has the sign of b. */
static int64_t floor_divide(Jinja *jinja, int64_t a, int64_t b) {
    check_divisor(jinja, b == 0);
    if (b == -1) return checked(jinja, a == INT64_MIN, -(a == INT64_MIN ? 0 : a));
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t modulo(Jinja *jinja, int64_t a, int64_t b) {
    check_divisor(jinja, b == 0);
    if (b == -1) return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static int64_t power(Jinja *jinja, int64_t base, int64_t exponent) {
    int64_t result = 1;
    if (base == 0 || base == 1) return exponent ? base : 1;
    if (base == -1) return exponent % 2 ? -1 : 1;
    for (; exponent > 0; exponent--)
        result = multiply(jinja, result, base);
    return result;
}

static Value float_operation(Jinja *, Operator, double, double);

static Value integer_operation(Jinja *jinja, Operator operator, int64_t a, int64_t b) {
    int64_t result;
    bool overflow;
    switch (operator) {
    case ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        return jinja_integer(checked(jinja, overflow, result));
    case SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &result);
        return jinja_integer(checked(jinja, overflow, result));
    case MULTIPLY:
        return jinja_integer(multiply(jinja, a, b));
    case FLOOR_DIVIDE:
        return jinja_integer(floor_divide(jinja, a, b));
    case MODULO:
        return jinja_integer(modulo(jinja, a, b));
    case POWER:
        if (b >= 0) return jinja_integer(power(jinja, a, b));
        return float_operation(jinja, operator, (double)a, (double)b);
    default:
        return float_operation(jinja, operator, (double)a, (double)b);
    }
}

/* --- floats --- */

static double float_modulo(double a, double b) {
    double rest = fmod(a, b);
    if (rest == 0) return copysign(0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

static double float_floor_divide(double a, double b) {
    double rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
    if (quotient == 0) return copysign(0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static double float_power(Jinja *jinja, double a, double b) {
    check_divisor(jinja, a == 0 && b < 0);
    double result = pow(a, b);
    if (isnan(result) && !isnan(a) && !isnan(b)) jinja_fail(jinja, "the power is no real number");
    if (isinf(result) && !isinf(a) && !isinf(b)) jinja_fail(jinja, "the power is too large");
    return result;
}

static Value float_operation(Jinja *jinja, Operator operator, double a, double b) {
    switch (operator) {
    case ADD:
        return jinja_float(a + b);
    case SUBTRACT:
        return jinja_float(a - b);
    case MULTIPLY:
        return jinja_float(a * b);
    case POWER:
        return jinja_float(float_power(jinja, a, b));
    default:
        break;
    }
    check_divisor(jinja, b == 0);
    if (operator == DIVIDE) return jinja_float(a / b);
    return jinja_float(operator == MODULO ? float_modulo(a, b) : float_floor_divide(a, b));
}

/* --- texts and lists --- */

static Text escaped(Jinja *jinja, Text text) {
    if (text.safe) return text;
    return *jinja_call_builtin(jinja, jinja_find_filter(jinja_literal(jinja, "escape")),
                               jinja_from_text(jinja, text), &(Arguments){0})
                .text;
}

/* What is safe makes the other side so. */
static Value add_texts(Jinja *jinja, Text a, Text b) {
    bool safe = a.safe || b.safe;
    if (safe) {
        a = escaped(jinja, a);
        b = escaped(jinja, b);
    }
    Text sum = jinja_concatenate(jinja, a, b);
    sum.safe = safe;
    return jinja_from_text(jinja, sum);
}

static Value add_lists(Jinja *jinja, Value a, Value b) {
    List *sum = jinja_list(jinja);
    for (size_t i = 0; i < a.list->count; i++)
        jinja_add(jinja, sum, a.list->items[i]);
    for (size_t i = 0; i < b.list->count; i++)
        jinja_add(jinja, sum, b.list->items[i]);
    return jinja_from_list(a.kind, sum);
}

static bool is_plain_list(Value value) {
    return value.kind == VALUE_LIST || value.kind == VALUE_TUPLE;
}

static Value repeat(Jinja *jinja, Value value, int64_t times) {
    if (value.kind == VALUE_TEXT) {
        Text text = jinja_repeat(jinja, *value.text, times);
        text.safe = value.text->safe;
        return jinja_from_text(jinja, text);
    }
    List *list = jinja_list(jinja);
    for (int64_t i = 0; value.list->count > 0 && i < times; i++)
        for (size_t k = 0; k < value.list->count; k++)
            jinja_add(jinja, list, value.list->items[k]);
    return jinja_from_list(value.kind, list);
}

static bool can_repeat(Value value, Value times) {
    return jinja_is_integral(times) && (value.kind == VALUE_TEXT || is_plain_list(value));
}

Value jinja_operate(Jinja *jinja, Operator operator, Value a, Value b) {
    static const char *const symbols[] = {"", "+", "-", "*", "/", "//", "%", "**"};
    if (jinja_is_integral(a) && jinja_is_integral(b))
        return integer_operation(jinja, operator, jinja_as_integer(a), jinja_as_integer(b));
    if (jinja_is_number(a) && jinja_is_number(b))
        return float_operation(jinja, operator, jinja_as_float(a), jinja_as_float(b));
    if (operator == ADD && a.kind == VALUE_TEXT && b.kind == VALUE_TEXT)
        return add_texts(jinja, *a.text, *b.text);
    if (operator == ADD && is_plain_list(a) && a.kind == b.kind) return add_lists(jinja, a, b);
    if (operator == MULTIPLY && can_repeat(a, b)) return repeat(jinja, a, jinja_as_integer(b));
    if (operator == MULTIPLY && can_repeat(b, a)) return repeat(jinja, b, jinja_as_integer(a));
    if (operator == MODULO && a.kind == VALUE_TEXT)
        return jinja_from_text(jinja, jinja_percent(jinja, *a.text, b));
    unsuitable(jinja, symbols[operator], a, b);
}

Value jinja_negate(Jinja *jinja, Value value) {
    if (value.kind == VALUE_FLOAT) return jinja_float(-value.number);
    if (!jinja_is_integral(value)) unsuitable(jinja, "-", jinja_integer(0), value);
    return integer_operation(jinja, SUBTRACT, 0, jinja_as_integer(value));
}

/* --- relations --- */

static bool list_contains(Jinja *jinja, const List *list, Value value) {
    for (size_t i = 0; i < list->count; i++)
        if (jinja_equal(jinja, list->items[i], value)) return true;
    return false;
}

bool jinja_contains(Jinja *jinja, Value container, Value value) {
    if (container.kind == VALUE_TEXT) {
        if (value.kind != VALUE_TEXT) unsuitable(jinja, "in", value, container);
        return jinja_find(jinja, *container.text, *value.text, 0) != NOT_FOUND;
    }
    if (container.kind == VALUE_MAPPING) return jinja_get(jinja, container.mapping, value) != NULL;
    if (!jinja_is_iterable(container) && container.kind != VALUE_LOOP)
        unsuitable(jinja, "in", value, container);
    return list_contains(jinja, jinja_elements(jinja, container), value);
}

static bool is_nan(Value value) {
    return value.kind == VALUE_FLOAT && isnan(value.number);
}

bool jinja_relate(Jinja *jinja, Operator operator, Value a, Value b) {
    switch (operator) {
    case EQUAL:
        return jinja_equal(jinja, a, b);
    case NOT_EQUAL:
        return !jinja_equal(jinja, a, b);
    case IN:
        return jinja_contains(jinja, b, a);
    case NOT_IN:
        return !jinja_contains(jinja, b, a);
    default:
        break;
    }
    int order = jinja_compare(jinja, a, b);
    if (is_nan(a) || is_nan(b)) return false;
    return operator == LESS         ? order < 0
           : operator == LESS_EQUAL ? order <= 0
           : operator == GREATER    ? order > 0
                                    : order >= 0;
}
