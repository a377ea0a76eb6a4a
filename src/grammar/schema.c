/* schema.c — a JSON Schema to nodes: what it may say, and of which types its values are. */
#include "compile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a keyword is about. */
typedef enum Group {
    GROUP_STRING = 1,
    GROUP_NUMBER = 2,
    GROUP_ARRAY = 4,
    GROUP_OBJECT = 8,
    GROUP_TYPE = 16,
    GROUP_VALUES = 32,
    GROUP_WHOLE = 64, /* stands alone */
    GROUP_NOTE = 128, /* allows and forbids nothing */
    GROUP_TYPES = GROUP_STRING | GROUP_NUMBER | GROUP_ARRAY | GROUP_OBJECT,
} Group;

typedef struct Keyword {
    const char *name;
    Group group;
} Keyword;

static const Keyword keywords[] = {
    {"$ref", GROUP_WHOLE},
    {"anyOf", GROUP_WHOLE},
    {"allOf", GROUP_WHOLE},
    {"type", GROUP_TYPE},
    {"enum", GROUP_VALUES},
    {"const", GROUP_VALUES},
    {"minLength", GROUP_STRING},
    {"maxLength", GROUP_STRING},
    {"minimum", GROUP_NUMBER},
    {"maximum", GROUP_NUMBER},
    {"exclusiveMinimum", GROUP_NUMBER},
    {"exclusiveMaximum", GROUP_NUMBER},
    {"items", GROUP_ARRAY},
    {"prefixItems", GROUP_ARRAY},
    {"minItems", GROUP_ARRAY},
    {"maxItems", GROUP_ARRAY},
    {"properties", GROUP_OBJECT},
    {"required", GROUP_OBJECT},
    {"additionalProperties", GROUP_OBJECT},
    {"$schema", GROUP_NOTE},
    {"$id", GROUP_NOTE},
    {"$defs", GROUP_NOTE},
    {"definitions", GROUP_NOTE},
    {"$comment", GROUP_NOTE},
    {"title", GROUP_NOTE},
    {"description", GROUP_NOTE},
    {"default", GROUP_NOTE},
    {"examples", GROUP_NOTE},
    {"deprecated", GROUP_NOTE},
    {"readOnly", GROUP_NOTE},
    {"writeOnly", GROUP_NOTE},
};

uint32_t compile_refuse(Compiler *compiler, const char *keyword, const char *why) {
    error_set(compiler->error, LLM_ERROR_ARGUMENT, "the schema: \"%.80s\" %s", keyword, why);
    return GRAMMAR_NONE;
}

uint32_t compile_node(Compiler *compiler, const Node *node) {
    Grammar *grammar = compiler->grammar;
    if (grammar->count == GRAMMAR_NODES_MOST) {
        error_set(compiler->error, LLM_ERROR_ARGUMENT,
                  "the schema is too large: it has more than %d parts", GRAMMAR_NODES_MOST);
        return GRAMMAR_NONE;
    }
    if (grammar->count == grammar->capacity) {
        uint32_t capacity = 2 * grammar->capacity + 16;
        Node *larger = realloc(grammar->nodes, capacity * sizeof *larger);
        if (!larger) {
            error_memory(compiler->error, capacity * sizeof *larger);
            return GRAMMAR_NONE;
        }
        grammar->nodes = larger;
        grammar->capacity = capacity;
    }
    grammar->nodes[grammar->count] = *node;
    return grammar->count++;
}

/* --- alternatives --- */

/* Another part of a node that is any of several. False and the error if there is none. */
static bool add_part(Compiler *compiler, uint32_t any, uint32_t part) {
    if (part == GRAMMAR_NONE) return false;
    Node *node = &compiler->grammar->nodes[any];
    uint32_t *larger = realloc(node->parts, (node->count + (size_t)1) * sizeof *larger);
    if (!larger) return error_memory(compiler->error, node->count * sizeof *larger);
    node->parts = larger;
    larger[node->count++] = part;
    return true;
}

static uint32_t compile_bool(Compiler *compiler) {
    static const char *const texts[] = {"false", "true"};
    return compile_texts(compiler, texts, 2);
}

static uint32_t compile_null(Compiler *compiler) {
    static const char *const text = "null";
    return compile_texts(compiler, &text, 1);
}

/* A schema without keywords: each type's values, whatever they are. */
uint32_t compile_any(Compiler *compiler) {
    if (compiler->any != GRAMMAR_NONE) return compiler->any;
    uint32_t any = compiler->any = compile_node(compiler, &(Node){.kind = NODE_ANY_OF});
    bool whole = any != GRAMMAR_NONE && add_part(compiler, any, compile_object(compiler, NULL)) &&
                 add_part(compiler, any, compile_array(compiler, NULL)) &&
                 add_part(compiler, any, compile_string(compiler, NULL)) &&
                 add_part(compiler, any, compile_number(compiler, NULL, false)) &&
                 add_part(compiler, any, compile_bool(compiler)) &&
                 add_part(compiler, any, compile_null(compiler));
    return whole ? any : GRAMMAR_NONE;
}

/* --- references --- */

/* "/a~1b/0": the next name of a pointer, in the text's place; NULL at its end. */
static char *next_name(char **pointer) {
    if (!**pointer) return NULL;
    char *name = *pointer + 1, *out = name, *in = name;
    for (; *in && *in != '/'; in++) {
        bool escapes = *in == '~' && (in[1] == '0' || in[1] == '1');
        *out++ = escapes ? (in[1] == '0' ? '~' : '/') : *in;
        in += escapes;
    }
    *pointer = *in ? in : in + strlen(in);
    if (out != in) *out = 0;
    return name;
}

static const cJSON *item_named(const cJSON *list, const char *name) {
    bool is_number = *name && name[strspn(name, "0123456789")] == 0 && strlen(name) < 8;
    return is_number ? cJSON_GetArrayItem(list, atoi(name)) : NULL;
}

static const cJSON *find_place(const cJSON *root, char *pointer) {
    char first = *pointer, *rest = pointer;
    const cJSON *place = first && first != '/' ? NULL : root;
    while (place && *rest) {
        char *end = rest + 1 + strcspn(rest + 1, "/"), kept = *end;
        *end = 0;
        char *part = rest;
        const char *name = next_name(&part);
        place = cJSON_IsArray(place) ? item_named(place, name) : compile_find(place, name);
        *end = kept;
        rest = end;
    }
    return place;
}

static uint32_t compile_ref(Compiler *compiler, const cJSON *ref) {
    const char *text = cJSON_GetStringValue(ref);
    if (!text || *text != '#')
        return compile_refuse(compiler, "$ref", "can only be within the schema: \"#/$defs/name\"");
    char *pointer = strdup(text + 1);
    if (!pointer) {
        error_memory(compiler->error, strlen(text));
        return GRAMMAR_NONE;
    }
    const cJSON *place = find_place(compiler->root, pointer);
    free(pointer);
    return place ? compile_schema(compiler, place)
                 : compile_refuse(compiler, text, "is nowhere in it");
}

/* --- the keywords of a schema --- */

static Group group_of(const char *name) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(keywords[i].name, name)) return keywords[i].group;
    return 0;
}

static bool is_twice(const cJSON *object, const cJSON *item) {
    return compile_find(object, item->string) != item;
}

/* The groups of its keywords; false and the error for one that is not known, or beside which others
 * would have to hold. */
static bool check_keywords(Compiler *compiler, const cJSON *schema, unsigned *groups) {
    const cJSON *item, *whole = NULL, *values = NULL;
    uint32_t others = 0;
    *groups = 0;
    cJSON_ArrayForEach(item, schema) {
        Group group = group_of(item->string);
        if (!group) return compile_refuse(compiler, item->string, "is not known here"), false;
        if (is_twice(schema, item))
            return compile_refuse(compiler, item->string, "is there twice"), false;
        if (group == GROUP_WHOLE) whole = item;
        if (group == GROUP_VALUES) values = item;
        others += group != GROUP_NOTE && !(group == GROUP_TYPE);
        *groups |= group;
    }
    if (whole && (others > 1 || *groups & GROUP_TYPE))
        return compile_refuse(compiler, whole->string, "cannot stand beside other keywords here"),
               false;
    if (values && others > 1)
        return compile_refuse(compiler, values->string, "can stand beside \"type\" alone here"),
               false;
    return true;
}

typedef enum Type {
    TYPE_OBJECT = 1,
    TYPE_ARRAY = 2,
    TYPE_STRING = 4,
    TYPE_NUMBER = 8,
    TYPE_INTEGER = 16,
    TYPE_BOOLEAN = 32,
    TYPE_NULL = 64,
} Type;

static const char *const type_names[] = {"object",  "array",   "string", "number",
                                         "integer", "boolean", "null"};

static unsigned type_of(const cJSON *name) {
    const char *text = cJSON_GetStringValue(name);
    for (unsigned i = 0; text && i < sizeof type_names / sizeof *type_names; i++)
        if (!strcmp(type_names[i], text)) return 1u << i;
    return 0;
}

/* Of "type", a name or a list of them; 0 and the error if it is neither. */
static unsigned types_of(Compiler *compiler, const cJSON *type) {
    unsigned types = 0;
    const cJSON *item;
    if (!cJSON_IsArray(type)) types = type_of(type);
    bool whole = true;
    if (!cJSON_IsArray(type)) type = NULL;
    cJSON_ArrayForEach(item, type) {
        types |= type_of(item);
        whole = whole && type_of(item);
    }
    if (types && whole) return types & TYPE_NUMBER ? types & ~(unsigned)TYPE_INTEGER : types;
    compile_refuse(compiler, "type",
                   "is object, array, string, number, integer, boolean or null, or a list of them");
    return 0;
}

/* Where there is no "type", what the keywords are about. */
static unsigned types_about(unsigned groups) {
    return (groups & GROUP_OBJECT ? TYPE_OBJECT : 0u) | (groups & GROUP_ARRAY ? TYPE_ARRAY : 0u) |
           (groups & GROUP_STRING ? TYPE_STRING : 0u) | (groups & GROUP_NUMBER ? TYPE_NUMBER : 0u);
}

static uint32_t compile_type(Compiler *compiler, const cJSON *schema, Type type) {
    switch (type) {
    case TYPE_OBJECT:
        return compile_object(compiler, schema);
    case TYPE_ARRAY:
        return compile_array(compiler, schema);
    case TYPE_STRING:
        return compile_string(compiler, schema);
    case TYPE_NUMBER:
        return compile_number(compiler, schema, false);
    case TYPE_INTEGER:
        return compile_number(compiler, schema, true);
    case TYPE_BOOLEAN:
        return compile_bool(compiler);
    case TYPE_NULL:
        return compile_null(compiler);
    }
    return GRAMMAR_NONE;
}

static bool add_types(Compiler *compiler, uint32_t any, const cJSON *schema, unsigned types) {
    for (unsigned type = 1; type <= TYPE_NULL; type <<= 1)
        if (types & type && !add_part(compiler, any, compile_type(compiler, schema, (Type)type)))
            return false;
    return true;
}

/* --- values that are listed --- */

static bool is_of(const cJSON *value, unsigned types) {
    bool whole = cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble);
    return (types & TYPE_OBJECT && cJSON_IsObject(value)) ||
           (types & TYPE_ARRAY && cJSON_IsArray(value)) ||
           (types & TYPE_STRING && cJSON_IsString(value)) ||
           (types & TYPE_NUMBER && cJSON_IsNumber(value)) || (types & TYPE_INTEGER && whole) ||
           (types & TYPE_BOOLEAN && cJSON_IsBool(value)) ||
           (types & TYPE_NULL && cJSON_IsNull(value));
}

/* Numbers as text that reads back as the same: cJSON's own may lose the last digit. */
static bool spell_numbers(Compiler *compiler, cJSON *value) {
    cJSON *item;
    cJSON_ArrayForEach(item, value) if (!spell_numbers(compiler, item)) return false;
    if (!cJSON_IsNumber(value)) return true;
    const double most = 9007199254740992.0; /* 2^53 */
    if (!(value->valuedouble >= -most && value->valuedouble <= most))
        return compile_refuse(compiler, "enum", "or \"const\" has a number beyond 2^53"), false;
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value->valuedouble);
        if (strtod(text, NULL) == value->valuedouble) break;
    }
    char *comma = strchr(text, ','); /* as some languages have it */
    if (comma) *comma = '.';
    cJSON raw = {.type = cJSON_Raw};
    value->valuestring = cJSON_malloc(strlen(text) + 1);
    if (!value->valuestring) return error_memory(compiler->error, sizeof text);
    memcpy(value->valuestring, text, strlen(text) + 1);
    value->type = raw.type;
    return true;
}

static char *spell(Compiler *compiler, const cJSON *value) {
    cJSON *copy = cJSON_Duplicate(value, true);
    char *text = NULL;
    if (copy && spell_numbers(compiler, copy)) text = cJSON_PrintUnformatted(copy);
    cJSON_Delete(copy);
    if (!text) error_memory(compiler->error, 64);
    return text;
}

/* Those of a list, or the one, that are of the types. */
static uint32_t compile_values(Compiler *compiler, const cJSON *list, unsigned types) {
    const cJSON *value;
    uint32_t count = 0, node = GRAMMAR_NONE;
    size_t most = (size_t)cJSON_GetArraySize(list);
    char **texts = calloc(most + 1, sizeof *texts);
    if (!texts) return error_memory(compiler->error, most * sizeof *texts), GRAMMAR_NONE;
    cJSON_ArrayForEach(value, list) {
        if (error_is_set(compiler->error) || !is_of(value, types)) continue;
        texts[count] = spell(compiler, value);
        count += texts[count] != NULL;
    }
    if (count && !error_is_set(compiler->error))
        node = compile_texts(compiler, (const char *const *)texts, count);
    else
        compile_refuse(compiler, "enum", "has no value of the type");
    for (uint32_t i = 0; i < count; i++)
        cJSON_free(texts[i]);
    free(texts);
    return node;
}

static uint32_t compile_const(Compiler *compiler, const cJSON *value, unsigned types) {
    cJSON *list = cJSON_CreateArray();
    uint32_t node = GRAMMAR_NONE;
    if (list && cJSON_AddItemReferenceToArray(list, (cJSON *)(uintptr_t)value))
        node = compile_values(compiler, list, types);
    else
        error_memory(compiler->error, 64);
    cJSON_Delete(list);
    return node;
}

/* --- a schema --- */

static bool compile_list(Compiler *compiler, uint32_t any, const cJSON *list, bool alone) {
    const cJSON *item;
    if (!cJSON_IsArray(list) || !list->child)
        return compile_refuse(compiler, list->string, "is a list of schemas"), false;
    if (alone && list->child->next)
        return compile_refuse(compiler, list->string, "can have one schema here"), false;
    cJSON_ArrayForEach(
        item, list) if (!add_part(compiler, any, compile_schema(compiler, item))) return false;
    return true;
}

/* What a schema says becomes the parts of its node. */
static bool fill(Compiler *compiler, uint32_t any, const cJSON *schema) {
    unsigned groups, types = 0;
    if (!check_keywords(compiler, schema, &groups)) return false;
    const cJSON *ref = compile_find(schema, "$ref"), *some = compile_find(schema, "anyOf"),
                *all = compile_find(schema, "allOf"), *list = compile_find(schema, "enum"),
                *value = compile_find(schema, "const"), *type = compile_find(schema, "type");
    if (ref) return add_part(compiler, any, compile_ref(compiler, ref));
    if (some) return compile_list(compiler, any, some, false);
    if (all) return compile_list(compiler, any, all, true);
    if (type && !(types = types_of(compiler, type))) return false;
    if (list && !cJSON_IsArray(list))
        return compile_refuse(compiler, "enum", "is a list of values"), false;
    if (list) return add_part(compiler, any, compile_values(compiler, list, type ? types : ~0u));
    if (value) return add_part(compiler, any, compile_const(compiler, value, type ? types : ~0u));
    if (!type && !(groups & GROUP_TYPES)) return add_part(compiler, any, compile_any(compiler));
    return add_types(compiler, any, schema, type ? types : types_about(groups));
}

uint32_t compile_schema(Compiler *compiler, const cJSON *schema) {
    for (uint32_t i = 0; i < compiler->compiled_count; i++)
        if (compiler->compiled[i].schema == schema) return compiler->compiled[i].node;
    if (cJSON_IsTrue(schema)) return compile_any(compiler);
    if (!cJSON_IsObject(schema))
        return compile_refuse(compiler, schema->string ? schema->string : "it",
                              "is no schema that has values: an object, or true");
    uint32_t any = compile_node(compiler, &(Node){.kind = NODE_ANY_OF});
    if (any == GRAMMAR_NONE) return any;
    compiler->compiled[compiler->compiled_count++] = (Compiled){schema, any};
    if (compiler->inside == GRAMMAR_INSIDE_MOST)
        return compile_refuse(compiler, schema->string ? schema->string : "it",
                              "is within more than 256 other schemas");
    compiler->inside++;
    bool done = fill(compiler, any, schema);
    compiler->inside--;
    return done ? any : GRAMMAR_NONE;
}
