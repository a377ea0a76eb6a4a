/* digits.h — whole numbers of JSON that cJSON would round. */
#ifndef METAL_LLM_SERVE_DIGITS_H
#define METAL_LLM_SERVE_DIGITS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Let the numbers in a value be printed by their digits in `text`, which it was parsed from: as
 * doubles they would become 1e+15, or another number beyond 2⁵³. False if memory is out. */
bool digits_keep(cJSON *value, const char *text);

#endif
