/* number.c — numbers, as Python reads and writes them, whatever the locale. */
#include "jinja.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool jinja_is_integral(Value value) {
    return value.kind == VALUE_BOOLEAN || value.kind == VALUE_INTEGER;
}

bool jinja_is_number(Value value) {
    return jinja_is_integral(value) || value.kind == VALUE_FLOAT;
}

int64_t jinja_as_integer(Value value) {
    return value.kind == VALUE_BOOLEAN ? value.boolean : value.integer;
}

double jinja_as_float(Value value) {
    return value.kind == VALUE_FLOAT ? value.number : (double)jinja_as_integer(value);
}

int64_t jinja_from_double(Jinja *jinja, double number) {
    if (!(number > -9.3e18 && number < 9.2233720368547748e18 && number >= -9223372036854775808.0))
        jinja_fail(jinja, "a number has more than 64 bits");
    return (int64_t)number;
}

/* The digits of |number| in the shortest form that gives it back; the exponent of the first. */
static int shortest_digits(double number, char digits[20]) {
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(number));
        if (strtod(text, NULL) == fabs(number)) break;
    }
    int count = 0;
    const char *c = text;
    for (; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9') digits[count++] = *c;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = 0;
    return atoi(c + 1);
}

static char *put_zeros(char *out, int count) {
    if (count > 0) memset(out, '0', (size_t)count);
    return out + (count > 0 ? count : 0);
}

static void put_fixed(char *out, const char *digits, int exponent) {
    int count = (int)strlen(digits), whole = exponent + 1;
    if (whole <= 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_zeros(out, -whole);
        strcpy(out, digits);
    } else if (whole >= count) {
        memcpy(out, digits, (size_t)count);
        strcpy(put_zeros(out + count, whole - count), ".0");
    } else {
        memcpy(out, digits, (size_t)whole);
        out[whole] = '.';
        strcpy(out + whole + 1, digits + whole);
    }
}

void jinja_format_float(double number, char *out) {
    if (isnan(number) || isinf(number)) {
        strcpy(out, isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    if (signbit(number)) *out++ = '-';
    char digits[20];
    int exponent = shortest_digits(number, digits);
    if (exponent >= -4 && exponent < 16)
        put_fixed(out, digits, exponent);
    else
        sprintf(out, "%c%s%se%c%02d", digits[0], digits[1] ? "." : "", digits + 1,
                exponent < 0 ? '-' : '+', abs(exponent));
}

/* --- reading --- */

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

/* The base that "0x", "0o" and "0b" say, 0 if the text begins otherwise. */
static int prefix_base(Text text) {
    if (text.size < 2 || text.bytes[0] != '0') return 0;
    char c = text.bytes[1] | 0x20;
    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
}

bool jinja_parse_integer(Jinja *jinja, Text text, int base, int64_t *value) {
    text = jinja_strip(jinja, text, NULL, LEFT | RIGHT);
    bool negative = text.size && text.bytes[0] == '-';
    if (text.size && (text.bytes[0] == '-' || text.bytes[0] == '+'))
        text = jinja_part(text, 1, text.size);
    bool any_base = base == 0, prefixed = false;
    if (any_base) base = prefix_base(text) ? prefix_base(text) : 10;
    if (prefix_base(text) == base) text = jinja_part(text, 2, text.size), prefixed = true;
    int64_t result = 0;
    bool after_digit = prefixed, beyond = false, some = false;
    for (size_t i = 0; i < text.size; i++) {
        int digit = digit_value(text.bytes[i]);
        bool underscore = text.bytes[i] == '_';
        if (underscore ? !after_digit : digit >= base) return false;
        after_digit = !underscore;
        if (underscore) continue;
        some = true;
        beyond = beyond || __builtin_mul_overflow(result, base, &result) ||
                 __builtin_sub_overflow(result, digit, &result);
    }
    if (!some || !after_digit) return false;
    if (beyond || (!negative && result == INT64_MIN))
        jinja_fail(jinja, "the integer %.*s has more than 64 bits", TEXT_ARGUMENTS(text));
    *value = negative ? result : -result;
    return true;
}

static bool parse_named(Text text, double *value) {
    char name[10] = "";
    if (text.size >= sizeof name) return false;
    for (size_t i = 0; i < text.size; i++)
        name[i] = (char)(text.bytes[i] | 0x20);
    if (strcmp(name, "nan") == 0)
        *value = NAN;
    else if (strcmp(name, "inf") == 0 || strcmp(name, "infinity") == 0)
        *value = INFINITY;
    else
        return false;
    return true;
}

/* Copies digits, dropping underscores between them; false if they are out of place. */
static const char *copy_digits(const char *c, const char *end, char **out, bool *valid) {
    bool after_digit = false;
    for (; c < end && ((*c >= '0' && *c <= '9') || *c == '_'); c++) {
        if (*c == '_' && (!after_digit || c + 1 == end || c[1] < '0' || c[1] > '9')) *valid = false;
        after_digit = *c != '_';
        if (after_digit) *(*out)++ = *c;
    }
    return c;
}

/* strtod takes the decimal point of the locale, so it is given none: "1.5e3" as "15e2". */
bool jinja_parse_float(Jinja *jinja, Text text, double *value) {
    text = jinja_strip(jinja, text, NULL, LEFT | RIGHT);
    bool negative = text.size && text.bytes[0] == '-';
    if (text.size && (text.bytes[0] == '-' || text.bytes[0] == '+'))
        text = jinja_part(text, 1, text.size);
    const char *c = text.bytes, *end = c + text.size;
    char *digits = jinja_allocate(jinja, text.size + 32), *out = digits;
    bool valid = true;
    c = copy_digits(c, end, &out, &valid);
    long fraction = 0;
    if (c < end && *c == '.') {
        char *start = out;
        c = copy_digits(c + 1, end, &out, &valid);
        fraction = out - start;
    }
    if (out == digits) {
        valid = parse_named(text, value);
        if (negative) *value = -*value;
        return valid;
    }
    long exponent = 0;
    if (c < end && (*c | 0x20) == 'e') {
        c++;
        bool down = c < end && *c == '-';
        if (c < end && (*c == '-' || *c == '+')) c++;
        char *power = jinja_allocate(jinja, text.size + 1), *power_end = power;
        c = copy_digits(c, end, &power_end, &valid);
        if (power_end == power) return false;
        exponent = strtol(power, NULL, 10);
        if (exponent > 100000000) exponent = 100000000;
        if (down) exponent = -exponent;
    }
    if (!valid || c < end) return false;
    sprintf(out, "e%ld", exponent - fraction);
    *value = strtod(digits, NULL);
    if (negative) *value = -*value;
    return true;
}
