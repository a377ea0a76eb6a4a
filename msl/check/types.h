/* types.h — the types of a compiled kernel's parameters, from its debug information. */
#ifndef METAL_LLM_MSL_CHECK_TYPES_H
#define METAL_LLM_MSL_CHECK_TYPES_H

#include "symbols.h"

typedef enum TypeKind {
    TYPE_VALUE, /* a number or a vector, or what is not looked into */
    TYPE_POINTER,
    TYPE_ARRAY,
    TYPE_STRUCT,
    TYPE_TEXTURE,
    TYPE_SAMPLER,
} TypeKind;

enum { TYPE_NAME = 96 };

typedef struct Type {
    TypeKind kind;
    char name[TYPE_NAME];  /* in Metal's words: "float4", "texture2d_array" */
    char texel[TYPE_NAME]; /* of a texture: "float" */
    unsigned access;       /* of a texture: metal::access */
    size_t size, count;    /* bytes; elements of an array */
    bool is_const;
    const Symbols *symbols;
    uint64_t die; /* its place in the debug information */
} Type;

/* Of the n-th parameter of a function, "image::blur<float>", whose name is in this line; references
 * are pointers. False if it is not known. */
bool type_of_parameter(const Symbols *symbols, const char *function, int line, unsigned n,
                       Type *type);
/* What a pointer points to, or the element of an array. */
bool type_inside(const Type *type, Type *inside);
/* A member of a structure, by its name or by its number. */
bool type_member(const Type *type, const char *name, size_t length, Type *member, size_t *offset);
const char *type_member_at(const Type *type, unsigned n, Type *member, size_t *offset);
/* Does it hold pointers, textures or samplers? */
bool type_has_handles(const Type *type);

/* "const metal::vec<_Float16, 4>" → "half4" */
void type_metal_name(const char *type, char *name, size_t size);

#endif
