/* array.h — what a buffer holds before a kernel runs: from the command line or a .npy file. */
#ifndef METAL_LLM_MSL_CHECK_ARRAY_H
#define METAL_LLM_MSL_CHECK_ARRAY_H

#include "output_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARRAY_DIMENSIONS = 8 };

typedef enum ElementType {
    ELEMENT_F32,
    ELEMENT_F16,
    ELEMENT_I8,
    ELEMENT_U8,
    ELEMENT_I16,
    ELEMENT_U16,
    ELEMENT_I32,
    ELEMENT_U32,
    ELEMENT_I64,
    ELEMENT_U64,
} ElementType;

typedef struct Array {
    ElementType type;    /* of the only or the last element */
    size_t count;        /* of elements */
    size_t size;         /* bytes */
    unsigned char *data; /* [size]; NULL: nothing is written there yet */
    unsigned dimensions;
    size_t shape[ARRAY_DIMENSIONS];
} Array;

/* The line that says what is wrong; false. */
__attribute__((format(printf, 2, 3))) bool array_refuse(char error[256], const char *format, ...);

/* All of these return false, with one line in `error`, for what they cannot read or write. The
 * array's data is to be freed by the caller. */

/* "FILE.npy", "zeros:f32:64x768", ones, random (normal; integers 0 … 99), range (0, 1, 2 …), empty;
 * or values, "u32:4,5,6". `random` goes on from *state. */
bool array_parse(Array *array, const char *text, uint64_t *state, char error[256]);
/* "u32:768" or "u32:768,f32:1e-5,0.5": values one after the other, each aligned to its size. */
bool array_parse_values(Array *array, const char *text, char error[256]);

/* As a .npy file; `data` is [array->size]. */
bool array_save(const Array *array, const unsigned char *data, OutputFile *file, LLMError *error);

size_t element_size(ElementType type);
/* A number as written, at the beginning of a text; *end is after it. False if there is none, or if
 * it does not fit. */
bool element_parse(ElementType type, const char *text, char **end, unsigned char *element);
/* An element as a number; integers of 64 bits are rounded. */
double element_value(ElementType type, const unsigned char *element);
bool element_is_float(ElementType type);
const char *element_name(ElementType type); /* "f32" */
/* Can elements of this type be what Metal calls `type` ("float4", "packed_half2", "uint")? Signs do
 * not matter; bytes, structures and names that are not known take anything. */
bool element_suits(ElementType element, const char *type);

#endif
