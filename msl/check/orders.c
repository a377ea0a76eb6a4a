#include "orders.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- elements --- */

static bool differs(ElementType type, double a, double b, double scale) {
    if (isnan(a) || isnan(b)) return isnan(a) != isnan(b);
    if (a == b) return false;
    if (!element_is_float(type) || isinf(a) || isinf(b)) return true;
    return fabs(a - b) > scale * (type == ELEMENT_F16 ? 1e-2 : 1e-4);
}

/* The largest finite value: sums of floats may differ by rounding that goes with it. */
static double magnitude(ElementType type, size_t count, const unsigned char *data) {
    double largest = 0;
    size_t size = element_size(type);
    for (size_t i = 0; i < count; i++) {
        double value = fabs(element_value(type, data + i * size));
        if (isfinite(value) && value > largest) largest = value;
    }
    return largest;
}

/* Floats whose bits an integer has: numbers that are neither tiny, as counters would be, nor huge.
 */
static bool is_float(double value) {
    return value == 0 || (fabs(value) > 1e-30 && fabs(value) < 1e30);
}

/* The first element that differs, `count` if none does. */
static size_t first_difference(const Array *array, const unsigned char *first,
                               const unsigned char *other, bool may_be_floats) {
    size_t size = element_size(array->type);
    double scale = magnitude(array->type, array->count, first);
    bool as_floats = may_be_floats && size == sizeof(float);
    double float_scale = as_floats ? magnitude(ELEMENT_F32, array->count, first) : 0;
    for (size_t i = 0; i < array->count; i++) {
        const unsigned char *a = first + i * size, *b = other + i * size;
        if (!differs(array->type, element_value(array->type, a), element_value(array->type, b),
                     scale))
            continue;
        double x = as_floats ? element_value(ELEMENT_F32, a) : 0;
        double y = as_floats ? element_value(ELEMENT_F32, b) : 0;
        if (as_floats && is_float(x) && is_float(y) && !differs(ELEMENT_F32, x, y, float_scale))
            continue;
        return i;
    }
    return array->count;
}

/* --- lists, in which places do not matter --- */

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

/* To be freed by the caller. */
static double *sorted(const OrderPart *parts, size_t count, bool other, size_t *total) {
    *total = 0;
    for (size_t p = 0; p < count; p++)
        *total += parts[p].array->count;
    double *values = malloc((*total + 1) * sizeof *values), *value = values;
    if (!values) abort();
    for (size_t p = 0; p < count; p++) {
        const Array *array = parts[p].array;
        const unsigned char *data = other ? parts[p].other : parts[p].first;
        for (size_t i = 0; i < array->count; i++)
            *value++ = element_value(array->type, data + i * element_size(array->type));
    }
    qsort(values, *total, sizeof *values, compare_numbers);
    return values;
}

/* `scale`: of the rounding that is allowed. */
static bool same_elements(const OrderPart *parts, size_t count, double scale) {
    size_t total;
    double *a = sorted(parts, count, false, &total), *b = sorted(parts, count, true, &total);
    bool same = true;
    for (size_t i = 0; i < total && same; i++)
        same = !differs(parts->array->type, a[i], b[i], scale);
    free(a);
    free(b);
    return same;
}

bool orders_linked(OrderPart heads, OrderPart links) {
    OrderPart parts[] = {heads, links};
    return same_elements(parts, heads.first == links.first ? 1 : 2, 0);
}

/* A thread that appends chooses a place; one whose number depends on the order keeps its place. */
static bool by_others(const Array *array, const Left *first, const Left *other) {
    size_t size = element_size(array->type);
    if (!first->writers || !other->writers) return false;
    for (size_t i = 0; i < array->count; i++)
        if (memcmp(first->data + i * size, other->data + i * size, size) != 0 &&
            first->writers[i] == other->writers[i])
            return false;
    return true;
}

OrderResult orders_compare(const Array *array, const Left *first, const Left *other,
                           OrderOptions options, OrderDifference *difference) {
    if (!memcmp(first->data, other->data, array->size)) return ORDER_SAME;
    size_t size = element_size(array->type);
    size_t i = first_difference(array, first->data, other->data, options.may_be_floats);
    if (i == array->count) return ORDER_SAME;
    double scale = magnitude(array->type, array->count, first->data);
    OrderPart whole = {array, first->data, other->data};
    if (options.unordered && same_elements(&whole, 1, scale)) return ORDER_SAME;
    *difference = (OrderDifference){i, element_value(array->type, first->data + i * size),
                                    element_value(array->type, other->data + i * size)};
    bool moved = by_others(array, first, other) && same_elements(&whole, 1, 0);
    return moved ? ORDER_MOVED : ORDER_DIFFERENT;
}
