#include "digits.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* After a text, which begins at its quotation mark. */
static const char *skip_text(const char *at) {
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1]) at++;
    return *at ? at + 1 : at;
}

/* The digits of the next number. */
static const char *find_number(const char *at) {
    while (*at && !strchr("-0123456789", *at))
        at = *at == '"' ? skip_text(at) : at + 1;
    return at;
}

/* cJSON prints what is within an int as it should; 007 is no number to others. */
static bool is_kept(const cJSON *number, const char *digits, size_t size) {
    const char *first = digits + (*digits == '-');
    bool whole = first + strspn(first, "0123456789") == digits + size && *first != '0';
    return whole && fabs(number->valuedouble) > INT_MAX;
}

static bool keep(cJSON *number, const char *digits, size_t size) {
    if (!is_kept(number, digits, size)) return true;
    char *copy = cJSON_malloc(size + 1);
    if (!copy) return false;
    memcpy(copy, digits, size);
    copy[size] = 0;
    number->valuestring = copy;
    number->type = cJSON_Raw | (number->type & ~0xFF);
    return true;
}

/* An item and all that is in it, in the order of the text. */
static bool keep_all(cJSON *item, const char **at) {
    if (cJSON_IsNumber(item)) {
        const char *digits = find_number(*at);
        size_t size = strspn(digits, "+-.0123456789eE");
        *at = digits + size;
        return keep(item, digits, size);
    }
    cJSON *inner;
    cJSON_ArrayForEach(inner, item) {
        if (!keep_all(inner, at)) return false;
    }
    return true;
}

bool digits_keep(cJSON *value, const char *text) {
    return keep_all(value, &text);
}
