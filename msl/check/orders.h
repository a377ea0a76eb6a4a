/* orders.h — whether a buffer is the same after two orders of the threads. */
#ifndef METAL_LLM_MSL_CHECK_ORDERS_H
#define METAL_LLM_MSL_CHECK_ORDERS_H

#include "array.h"
#include "checker.h"

/* What a launch left in a buffer. */
typedef struct Left {
    const unsigned char *data;
    const uint64_t *writers; /* of each element, see checker_writer; NULL: not known */
} Left;

typedef struct OrderOptions {
    bool may_be_floats; /* integers of 32 bits that may stand for floats */
    bool unordered;     /* the elements count, not their places */
} OrderOptions;

typedef enum OrderResult {
    ORDER_SAME,
    ORDER_MOVED,  /* the same elements in other places, each put there by another thread: a list */
    ORDER_LINKED, /* with another buffer the same elements: heads and links of lists */
    ORDER_DIFFERENT,
} OrderResult;

/* More than rounding apart: the first element that is, and its two values. */
typedef struct OrderDifference {
    size_t element;
    double a, b;
} OrderDifference;

OrderResult orders_compare(const Array *array, const Left *first, const Left *other,
                           OrderOptions options, OrderDifference *difference);

/* A buffer after two orders. */
typedef struct OrderPart {
    const Array *array;
    const unsigned char *first, *other;
} OrderPart;

/* A thread puts itself at the head of a list and keeps what was there as its link: heads and links
 * (which may be one buffer) together have the same elements in every order. */
bool orders_linked(OrderPart heads, OrderPart links);

#endif
