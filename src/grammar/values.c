/* values.c — nodes of a type, by the keywords that are about it. */
#include "compile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool compile_count(Compiler *compiler, const cJSON *schema, const char *keyword, uint32_t *count) {
    const cJSON *item = compile_find(schema, keyword);
    if (!item) return true;
    double value = item->valuedouble;
    if (!cJSON_IsNumber(item) || !(value >= 0) || value != floor(value))
        return compile_refuse(compiler, keyword, "is a whole number from 0 on"), false;
    *count = value < GRAMMAR_UNLIMITED ? (uint32_t)value : GRAMMAR_UNLIMITED;
    return true;
}

/* Least and most of something. */
static bool compile_counts(Compiler *compiler, const cJSON *schema, const char *least,
                           const char *most, Node *node) {
    node->most = GRAMMAR_UNLIMITED;
    if (!compile_count(compiler, schema, least, &node->least) ||
        !compile_count(compiler, schema, most, &node->most))
        return false;
    if (node->least > node->most)
        return compile_refuse(compiler, least, "is more than the most"), false;
    if (node->least > GRAMMAR_LEAST_MOST)
        return compile_refuse(compiler, least, "is more than 4096"), false;
    return true;
}

/* --- texts --- */

static int compare_literals(const void *a, const void *b) {
    return strcmp(((const Literal *)a)->text, ((const Literal *)b)->text);
}

static char *copy(const char *text, size_t size) {
    char *result = cJSON_malloc(size + 1);
    if (result) memcpy(result, text, size);
    if (result) result[size] = 0;
    return result;
}

/* Sorted, each once. */
static uint32_t sort_literals(Literal *list, uint32_t count) {
    uint32_t kept = 0;
    qsort(list, count, sizeof *list, compare_literals);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && !strcmp(list[kept - 1].text, list[i].text))
            cJSON_free(list[i].text);
        else
            list[kept++] = list[i];
    }
    return kept;
}

uint32_t compile_texts(Compiler *compiler, const char *const *texts, uint32_t count) {
    Node node = {.kind = NODE_LITERALS, .literals = calloc(count, sizeof *node.literals)};
    for (uint32_t i = 0; node.literals && i < count; i++) {
        uint32_t size = (uint32_t)strlen(texts[i]);
        node.literals[i] = (Literal){copy(texts[i], size), size};
        if (!node.literals[i].text) break;
        node.count++;
    }
    uint32_t index = GRAMMAR_NONE;
    if (node.count == count) {
        node.count = sort_literals(node.literals, count);
        index = compile_node(compiler, &node);
    } else {
        error_memory(compiler->error, count * sizeof *node.literals);
    }
    if (index != GRAMMAR_NONE) return index;
    for (uint32_t i = 0; i < node.count; i++)
        cJSON_free(node.literals[i].text);
    free(node.literals);
    return index;
}

/* --- strings and numbers --- */

uint32_t compile_string(Compiler *compiler, const cJSON *schema) {
    Node node = {.kind = NODE_STRING};
    if (!compile_counts(compiler, schema, "minLength", "maxLength", &node)) return GRAMMAR_NONE;
    return compile_node(compiler, &node);
}

/* Numbers have at most so many digits, those after the point among them: a double has them all. */
static const int64_t most_units = 999999999999999;
enum { PLACES = 6 };

static bool bound(Compiler *compiler, const cJSON *schema, const char *keyword, double *value) {
    const cJSON *item = compile_find(schema, keyword);
    if (!item) return true;
    if (!cJSON_IsNumber(item)) return compile_refuse(compiler, keyword, "is a number"), false;
    *value = item->valuedouble;
    return true;
}

/* The least number of units that is at least, or more than, a bound. Divided by a power of ten it
 * is rounded as the text of the number will be. */
static int64_t least_units(double value, double unit, bool beyond) {
    if (value * unit > (double)most_units) return most_units + 1;
    if (value * unit < -(double)most_units) return -most_units;
    int64_t units = (int64_t)floor(value * unit) - 2;
    while (beyond ? (double)units / unit <= value : (double)units / unit < value)
        units++;
    return units < -most_units ? -most_units : units;
}

uint32_t compile_number(Compiler *compiler, const cJSON *schema, bool whole) {
    double low = -INFINITY, high = INFINITY, above = -INFINITY, below = INFINITY;
    if (!bound(compiler, schema, "minimum", &low) || !bound(compiler, schema, "maximum", &high) ||
        !bound(compiler, schema, "exclusiveMinimum", &above) ||
        !bound(compiler, schema, "exclusiveMaximum", &below))
        return GRAMMAR_NONE;
    bool free = low == -INFINITY && above == -INFINITY && high == INFINITY && below == INFINITY;
    if (free && !whole) return compile_node(compiler, &(Node){.kind = NODE_NUMBER});
    double unit = whole ? 1 : 1e6;
    int64_t from = least_units(low, unit, false), past = least_units(above, unit, true);
    int64_t to = -least_units(-high, unit, false), before = -least_units(-below, unit, true);
    Node node = {.kind = NODE_RANGE,
                 .places = whole ? 0 : PLACES,
                 .low = from > past ? from : past,
                 .high = to < before ? to : before};
    if (node.low <= node.high) return compile_node(compiler, &node);
    return compile_refuse(compiler, "minimum",
                          whole ? "and the like leave no integer of at most 15 digits"
                                : "and the like leave no number of at most 9 digits before the "
                                  "point and 6 after it");
}

/* --- arrays --- */

static bool compile_parts(Compiler *compiler, const cJSON *list, Node *node) {
    const cJSON *item;
    if (!list) return true;
    if (!cJSON_IsArray(list))
        return compile_refuse(compiler, "prefixItems", "is a list of schemas"), false;
    node->parts = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *node->parts);
    if (!node->parts) return error_memory(compiler->error, 64);
    cJSON_ArrayForEach(item, list) {
        uint32_t part = compile_schema(compiler, item);
        if (part == GRAMMAR_NONE) return false;
        node->parts[node->count++] = part;
    }
    return true;
}

/* What is after the parts: nothing, if it need not be, where the schema says nothing of it. */
static bool compile_items(Compiler *compiler, const cJSON *items, Node *node) {
    if (cJSON_IsArray(items))
        return compile_refuse(compiler, "items", "is one schema; a list of them is prefixItems"),
               false;
    bool any = !items && (node->count == 0 || node->least > node->count);
    bool none = cJSON_IsFalse(items) || (!items && !any);
    node->rest = any || none ? GRAMMAR_NONE : compile_schema(compiler, items);
    if (any) node->rest = compile_any(compiler);
    if (none && node->count < node->most) node->most = node->count;
    if (node->least > node->most)
        return compile_refuse(compiler, "minItems", "is more than there are items"), false;
    return none || node->rest != GRAMMAR_NONE;
}

uint32_t compile_array(Compiler *compiler, const cJSON *schema) {
    Node node = {.kind = NODE_ARRAY};
    uint32_t index = GRAMMAR_NONE;
    if (compile_counts(compiler, schema, "minItems", "maxItems", &node) &&
        compile_parts(compiler, compile_find(schema, "prefixItems"), &node) &&
        compile_items(compiler, compile_find(schema, "items"), &node))
        index = compile_node(compiler, &node);
    if (index == GRAMMAR_NONE) free(node.parts);
    return index;
}

/* --- objects --- */

/* "name" as it is written in a text, without the first quote. */
static char *spell_key(const char *name, uint32_t *size) {
    cJSON *string = cJSON_CreateString(name);
    char *text = string ? cJSON_PrintUnformatted(string) : NULL;
    cJSON_Delete(string);
    if (!text) return NULL;
    *size = (uint32_t)strlen(text) - 1;
    memmove(text, text + 1, *size + (size_t)1);
    return text;
}

static bool add_property(Compiler *compiler, Node *node, const char *name, uint32_t value,
                         bool required) {
    if (value == GRAMMAR_NONE) return false;
    Property property = {.node = value, .required = required};
    property.key = spell_key(name, &property.size);
    Property *larger = realloc(node->properties, (node->count + (size_t)1) * sizeof *larger);
    if (larger) node->properties = larger;
    if (property.key && larger) {
        larger[node->count++] = property;
        return true;
    }
    cJSON_free(property.key);
    return error_memory(compiler->error, sizeof property);
}

static bool is_in(const cJSON *list, const char *name) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) if (!strcmp(item->valuestring, name)) return true;
    return false;
}

static bool check_required(Compiler *compiler, const cJSON *required) {
    const cJSON *item;
    bool names = !required || cJSON_IsArray(required);
    cJSON_ArrayForEach(item, required) names = names && cJSON_IsString(item);
    return names || (compile_refuse(compiler, "required", "is a list of names"), false);
}

static bool add_properties(Compiler *compiler, const cJSON *properties, const cJSON *required,
                           Node *node) {
    const cJSON *item;
    if (properties && !cJSON_IsObject(properties))
        return compile_refuse(compiler, "properties", "is an object of schemas"), false;
    cJSON_ArrayForEach(item, properties) {
        if (compile_find(properties, item->string) != item)
            return compile_refuse(compiler, item->string, "is there twice"), false;
        bool needed = is_in(required, item->string);
        if (!needed && cJSON_IsFalse(item) && node->rest == GRAMMAR_NONE)
            continue; /* never there */
        if (!add_property(compiler, node, item->string, compile_schema(compiler, item), needed))
            return false;
    }
    return true;
}

/* Those that are required without a schema of their own. */
static bool add_required(Compiler *compiler, const cJSON *properties, const cJSON *required,
                         Node *node) {
    const cJSON *item;
    cJSON_ArrayForEach(item, required) {
        const char *name = item->valuestring;
        if (compile_find(properties, name)) continue;
        bool known = false;
        uint32_t size = 0;
        char *key = spell_key(name, &size);
        for (uint32_t i = 0; key && i < node->count; i++)
            known = known || !strcmp(node->properties[i].key, key);
        cJSON_free(key);
        if (known) continue;
        if (node->rest == GRAMMAR_NONE)
            return compile_refuse(compiler, name, "is required, but there is no such property"),
                   false;
        if (!add_property(compiler, node, name, node->rest, true)) return false;
    }
    return true;
}

static void free_properties(Node *node) {
    for (uint32_t i = 0; i < node->count; i++)
        cJSON_free(node->properties[i].key);
    free(node->properties);
}

/* Where the schema names properties and does not speak of others, there are none. */
static bool compile_rest(Compiler *compiler, const cJSON *schema, Node *node) {
    const cJSON *others = compile_find(schema, "additionalProperties");
    node->rest = GRAMMAR_NONE;
    if (cJSON_IsFalse(others)) return true;
    if (!others && compile_find(schema, "properties")) return true;
    node->rest = others ? compile_schema(compiler, others) : compile_any(compiler);
    return node->rest != GRAMMAR_NONE;
}

uint32_t compile_object(Compiler *compiler, const cJSON *schema) {
    Node node = {.kind = NODE_OBJECT};
    const cJSON *properties = compile_find(schema, "properties");
    const cJSON *required = compile_find(schema, "required");
    uint32_t index = GRAMMAR_NONE;
    if (compile_rest(compiler, schema, &node) && check_required(compiler, required) &&
        add_properties(compiler, properties, required, &node) &&
        add_required(compiler, properties, required, &node))
        index = compile_node(compiler, &node);
    if (index == GRAMMAR_NONE) free_properties(&node);
    return index;
}
