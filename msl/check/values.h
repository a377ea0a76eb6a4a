/* values.h — a structure's bytes from the names of its members. */
#ifndef METAL_LLM_MSL_CHECK_VALUES_H
#define METAL_LLM_MSL_CHECK_VALUES_H

#include "array.h"
#include "types.h"

/* "ne00=200,eps=1e-5,size[1]=3,box.low=1,2,3": the members of a structure of this type that are
 * named, of vectors and arrays from their first element on; all else is zero. The array's data is
 * to be freed by the caller. False, with one line in `error`, for what cannot be read. */
bool values_parse(Array *array, const char *text, const Type *type, char error[256]);

#endif
