/* body.h — the JSON of a request. */
#ifndef METAL_LLM_SERVE_BODY_H
#define METAL_LLM_SERVE_BODY_H

#include "problem.h"

enum { BODY_DEPTH_MOST = 64 };

/* Zero-initialise; release with body_free. */
typedef struct Body {
    cJSON *json;   /* an object */
    char seed[24]; /* its digits, as far as there are any: cJSON would round them */
} Body;

/* Read `size` bytes, a NUL after them. What cJSON would not notice is refused: bytes that are no
 * UTF-8, a NUL in a text, which would end it, and nesting that is too deep. */
bool body_read(Body *body, const char *text, size_t size, Problem *problem);
void body_free(Body *body);

#endif
