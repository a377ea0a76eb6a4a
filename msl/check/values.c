#include "values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Scalar {
    const char *name;
    ElementType type;
} Scalar;

static const Scalar scalars[] = {
    {"float", ELEMENT_F32}, {"half", ELEMENT_F16},   {"int", ELEMENT_I32}, {"uint", ELEMENT_U32},
    {"short", ELEMENT_I16}, {"ushort", ELEMENT_U16}, {"char", ELEMENT_I8}, {"uchar", ELEMENT_U8},
    {"long", ELEMENT_I64},  {"ulong", ELEMENT_U64},  {"bool", ELEMENT_U8},
};

/* Where the values of a member go, one after the other. */
typedef struct Member {
    ElementType element;
    bool is_bool;
    size_t offset, count; /* of all elements */
    size_t lanes, stride; /* those of a vector, and the bytes from one vector to the next */
} Member;

/* "packed_float3" → float, 3 */
static bool read_element(const char *name, Member *member) {
    if (!strncmp(name, "packed_", 7)) name += 7;
    size_t length = strlen(name);
    bool is_vector = length > 1 && name[length - 1] >= '2' && name[length - 1] <= '4';
    member->lanes = is_vector ? (size_t)(name[--length] - '0') : 1;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        if (strlen(scalars[i].name) != length || strncmp(scalars[i].name, name, length)) continue;
        member->element = scalars[i].type;
        member->is_bool = !strcmp(scalars[i].name, "bool");
        return true;
    }
    return false;
}

/* "float4x3" → 4 columns of 3 floats */
static bool read_matrix(const Type *type, Member *member, size_t *columns) {
    size_t length = strlen(type->name);
    if (length < 4 || type->name[length - 2] != 'x') return false;
    char element[TYPE_NAME];
    snprintf(element, sizeof element, "%.*s", (int)length - 3, type->name);
    if (!read_element(element, member)) return false;
    *columns = (size_t)(type->name[length - 3] - '0');
    member->lanes = (size_t)(type->name[length - 1] - '0');
    member->stride = type->size / *columns;
    return true;
}

/* What a type holds, at this offset, as elements. */
static bool describe(const Type *type, size_t offset, Member *member) {
    Type inside = *type;
    size_t vectors = 1;
    for (Type array = *type; array.kind == TYPE_ARRAY; array = inside) {
        if (!type_inside(&array, &inside)) return false;
        vectors *= array.count;
    }
    *member = (Member){.offset = offset, .stride = inside.size};
    size_t columns = 1;
    if (!read_matrix(&inside, member, &columns) &&
        (inside.kind != TYPE_VALUE || !read_element(inside.name, member)))
        return false;
    member->count = vectors * columns * member->lanes;
    return true;
}

static bool is_name(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static size_t name_length(const char *text) {
    size_t length = 0;
    while (is_name(text[length]))
        length++;
    return length;
}

/* One step into a type: ".low", or "[3]"; *at moves after it. */
static bool step(const char **at, Type *type, size_t *offset) {
    Type inside;
    size_t start;
    if (**at == '[' && type->kind == TYPE_ARRAY) {
        char *end;
        unsigned long long index = strtoull(*at + 1, &end, 10);
        if (end == *at + 1 || *end != ']' || index >= type->count || !type_inside(type, &inside))
            return false;
        start = index * inside.size;
        *at = end + 1;
    } else if (**at == '.') {
        size_t length = name_length(*at + 1);
        if (!type_member(type, *at + 1, length, &inside, &start)) return false;
        *at += 1 + length;
    } else {
        return false;
    }
    *offset += start;
    *type = inside;
    return true;
}

/* "box.low=": what is named there; *at moves after the '='. */
static bool find_member(const char **at, const Type *whole, Member *member, char error[256]) {
    const char *begin = *at;
    Type type = *whole, inside;
    size_t offset, length = name_length(begin);
    if (!length || !type_member(whole, begin, length, &inside, &offset))
        return array_refuse(error, "a %s has no member '%.*s'", whole->name,
                            (int)strcspn(begin, "=,"), begin);
    type = inside;
    *at += length;
    while (**at && **at != '=')
        if (!step(at, &type, &offset))
            return array_refuse(error, "a %s has no '%.*s'", whole->name, (int)strcspn(begin, "=,"),
                                begin);
    if (**at != '=') return array_refuse(error, "'%s': write it as MEMBER=VALUE", begin);
    ++*at;
    return describe(&type, offset, member) ||
           array_refuse(error, "'%.*s' is a %s: name its members", (int)strcspn(begin, "="), begin,
                        type.name);
}

/* Is this text a further value, not the name of the next member? */
static bool is_value(const char *text) {
    return text[strcspn(text, "=,")] != '=';
}

static bool store(const Member *member, const char **at, unsigned char *place) {
    static const char *const words[] = {"false", "true"};
    for (unsigned char i = 0; i < 2 && member->is_bool; i++)
        if (!strncmp(*at, words[i], strlen(words[i]))) {
            *place = i;
            *at += strlen(words[i]);
            return true;
        }
    char *end;
    if (!element_parse(member->element, *at, &end, place)) return false;
    *at = end;
    return true;
}

/* "1,2,3", up to the next member. */
static bool read_values(const Member *member, const char **at, unsigned char *data,
                        char error[256]) {
    for (size_t i = 0;; i++) {
        size_t size = element_size(member->element);
        size_t offset =
            member->offset + i / member->lanes * member->stride + i % member->lanes * size;
        int length = (int)strcspn(*at, ",");
        const char *text = *at;
        if (i == member->count)
            return array_refuse(error, "'%.*s' is one value too many: there is room for %zu",
                                length, text, member->count);
        if (!store(member, at, data + offset) || (**at && **at != ','))
            return array_refuse(error, "'%.*s' is no %s", length, text,
                                member->is_bool ? "bool" : element_name(member->element));
        if (!**at) return true;
        ++*at;
        if (!is_value(*at)) return true;
    }
}

bool values_parse(Array *array, const char *text, const Type *type, char error[256]) {
    if (type->kind != TYPE_STRUCT)
        return array_refuse(error, "'%s' has no members: write it as TYPE:VALUE", type->name);
    unsigned char *data = calloc(type->size ? type->size : 1, 1);
    if (!data) return array_refuse(error, "no memory");
    *array = (Array){.type = ELEMENT_U8,
                     .count = type->size,
                     .size = type->size,
                     .data = data,
                     .dimensions = 1,
                     .shape = {type->size}};
    for (const char *at = text; *at;) {
        Member member;
        if (!find_member(&at, type, &member, error) || !read_values(&member, &at, data, error))
            return false;
    }
    return true;
}
