#include "fields.h"

#include <stdlib.h>
#include <string.h>

const cJSON *field_find(const Fields *fields, const char *name) {
    if (fields->problem->status) return NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(fields->body->json, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static bool wrong_type(const Fields *fields, const char *name, const char *wanted) {
    return problem_set(fields->problem, 400, "invalid_type", name, "%s must be %s", name, wanted);
}

void field_bool(const Fields *fields, const char *name, bool *target) {
    const cJSON *item = field_find(fields, name);
    if (!item) return;
    if (cJSON_IsBool(item))
        *target = cJSON_IsTrue(item);
    else
        wrong_type(fields, name, "true or false");
}

void field_text(const Fields *fields, const char *name, const char **target) {
    const cJSON *item = field_find(fields, name);
    if (!item) return;
    if (cJSON_IsString(item))
        *target = item->valuestring;
    else
        wrong_type(fields, name, "a text");
}

static bool number(const Fields *fields, const char *name, double least, double most,
                   double *target) {
    const cJSON *item = field_find(fields, name);
    if (!item) return false;
    if (!cJSON_IsNumber(item)) return wrong_type(fields, name, "a number");
    *target = item->valuedouble;
    if (*target >= least && *target <= most) return true;
    return problem_set(fields->problem, 400, "invalid_value", name,
                       "%s must be from %.10g to %.10g", name, least, most);
}

void field_float(const Fields *fields, const char *name, double least, double most, float *target) {
    double value = 0;
    if (number(fields, name, least, most, &value)) *target = (float)value;
}

void field_uint32(const Fields *fields, const char *name, uint32_t least, uint32_t most,
                  uint32_t *target) {
    double value = 0;
    if (!number(fields, name, least, most, &value)) return;
    if (value == (uint32_t)value)
        *target = (uint32_t)value;
    else
        wrong_type(fields, name, "a whole number");
}

void field_seed(const Fields *fields, uint64_t *target) {
    const cJSON *item = field_find(fields, "seed");
    if (!item) return;
    const char *digits = fields->body->seed;
    char *end;
    errno = 0;
    uint64_t value =
        digits[0] == '-' ? (uint64_t)strtoll(digits, &end, 10) : strtoull(digits, &end, 10);
    if (cJSON_IsNumber(item) && end != digits && !*end && !errno)
        *target = value;
    else
        wrong_type(fields, "seed", "a whole number of at most 64 bits");
}

static bool is_among(const char *name, const char *const *list) {
    for (; *list; list++)
        if (!strcmp(*list, name)) return true;
    return false;
}

void fields_known(const Fields *fields, const char *const *known, const char *const *also) {
    const cJSON *item;
    const char *model;
    field_text(fields, "model", &model);
    cJSON_ArrayForEach(item, fields->body->json) {
        if (cJSON_IsNull(item) || is_among(item->string, known) || is_among(item->string, also))
            continue;
        problem_set(fields->problem, 400, "unsupported_parameter", item->string,
                    "%s is not a parameter that is supported here", item->string);
    }
}
