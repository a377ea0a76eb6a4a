/* fields.h — the parameters of a request, each read and checked by its name. */
#ifndef METAL_LLM_SERVE_FIELDS_H
#define METAL_LLM_SERVE_FIELDS_H

#include "body.h"

/* Where something is already wrong, the functions do nothing. One that is absent or null leaves
 * its target as it is. */
typedef struct Fields {
    const Body *body;
    Problem *problem;
} Fields;

/* NULL: it is absent, or null. */
const cJSON *field_find(const Fields *fields, const char *name);
void field_bool(const Fields *fields, const char *name, bool *target);
void field_float(const Fields *fields, const char *name, double least, double most, float *target);
void field_uint32(const Fields *fields, const char *name, uint32_t least, uint32_t most,
                  uint32_t *target);
/* The text is the body's. */
void field_text(const Fields *fields, const char *name, const char **target);
/* A whole number of at most 64 bits, which may be negative. */
void field_seed(const Fields *fields, uint64_t *target);

/* Refuse by name what is in neither list; each ends with a NULL. A model is a text, whichever:
 * there is one. */
void fields_known(const Fields *fields, const char *const *known, const char *const *also);

#endif
