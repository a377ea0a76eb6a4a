#include "formats.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TEXELS = 16384, MOST_LAYERS = 2048, MOST_IN_BUFFER = 1 << 28 };

/* --- textures --- */

/* An array's axes from the outermost on, but for its channels. */
typedef struct Shape {
    const char *name, *axes, *words;
} Shape;

static const Shape shapes[] = {
    {"texture1d", "x", "width"},
    {"texture1d_array", "lx", "layers x width"},
    {"texture_buffer", "x", "width"},
    {"texture2d", "yx", "height x width"},
    {"texture2d_array", "lyx", "layers x height x width"},
    {"texture3d", "zyx", "depth x height x width"},
    {"texturecube", "lyx", "6 x height x width"},
    {"texturecube_array", "lyx", "6 faces of each x height x width"},
    {"texture2d_ms", "lyx", "samples x height x width"},
    {"depth2d", "yx", "height x width"},
    {"depth2d_ms", "lyx", "samples x height x width"},
    {"depth2d_array", "lyx", "layers x height x width"},
    {"depthcube", "lyx", "6 x height x width"},
    {"depthcube_array", "lyx", "6 faces of each x height x width"},
};

/* What elements become in a texture of float, uint and int. */
static const struct {
    ElementType type;
    unsigned bytes;
    bool in_float, in_uint, in_int;
    SimtChannel as_float;
} elements[] = {
    {ELEMENT_F32, 4, true, false, false, SIMT_FLOAT},
    {ELEMENT_F16, 2, true, false, false, SIMT_FLOAT},
    {ELEMENT_U8, 1, true, true, false, SIMT_UNORM},
    {ELEMENT_U16, 2, true, true, false, SIMT_UNORM},
    {ELEMENT_I8, 1, true, false, true, SIMT_SNORM},
    {ELEMENT_I16, 2, true, false, true, SIMT_SNORM},
    {ELEMENT_U32, 4, false, true, false, SIMT_FLOAT},
    {ELEMENT_I32, 4, false, false, true, SIMT_FLOAT},
};

static bool set_channel(SimtTexture *texture, ElementType type, const Type *wanted,
                        char error[256]) {
    const char *texel = wanted->texel;
    bool is_uint = !strcmp(texel, "uint") || !strcmp(texel, "ushort");
    bool is_int = !strcmp(texel, "int") || !strcmp(texel, "short");
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        if (elements[i].type != type) continue;
        texture->channel_bytes = elements[i].bytes;
        texture->channel = is_uint ? SIMT_UINT : is_int ? SIMT_SINT : elements[i].as_float;
        if (is_uint ? elements[i].in_uint : is_int ? elements[i].in_int : elements[i].in_float)
            return true;
    }
    return array_refuse(error, "elements of type %s in a %s<%s>; give %s", element_name(type),
                        wanted->name, texel,
                        is_uint  ? "u8, u16 or u32"
                        : is_int ? "i8, i16 or i32"
                                 : "f32, f16, u8, u16, i8 or i16");
}

static bool set_axis(SimtTexture *texture, char axis, size_t extent, size_t most, char error[256]) {
    unsigned *extents[] = {&texture->width, &texture->height, &texture->depth, &texture->layers};
    bool is_flat = axis == 'x' || axis == 'y';
    if (!extent || extent > (is_flat ? most : MOST_LAYERS))
        return array_refuse(error, "Metal has no texture with an extent of %zu", extent);
    *extents[strchr("xyzl", axis) - "xyzl"] = (unsigned)extent;
    return true;
}

static const Shape *find_shape(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(shapes[i].name, name)) return &shapes[i];
    return NULL;
}

bool texture_describe(SimtTexture *texture, const Array *array, const Type *type, char error[256]) {
    const Shape *shape = find_shape(type->name);
    if (!shape) return array_refuse(error, "a %s is not supported", type->name);
    *texture = (SimtTexture){.width = 1, .height = 1, .depth = 1, .layers = 1, .channels = 1};
    size_t count = strlen(shape->axes), further = array->dimensions - count;
    bool is_depth = !strncmp(type->name, "depth", 5);
    if (array->dimensions < count || further > (is_depth ? 0 : 1))
        return array_refuse(error, "a %s<%s> is %s%s", type->name, type->texel, shape->words,
                            is_depth ? "" : ", or that x channels");
    bool is_buffer = !strcmp(type->name, "texture_buffer");
    for (size_t i = 0; i < count; i++)
        if (!set_axis(texture, shape->axes[i], array->shape[i],
                      is_buffer ? MOST_IN_BUFFER : MOST_TEXELS, error))
            return false;
    if (further) texture->channels = (unsigned)array->shape[count];
    if (further && array->shape[count] != 1 && array->shape[count] != 2 && array->shape[count] != 4)
        return array_refuse(error, "Metal has textures of 1, 2 and 4 channels, not of %zu",
                            array->shape[count]);
    texture->is_cube = strstr(type->name, "cube") != NULL;
    if (texture->is_cube && (texture->layers % 6 || texture->width != texture->height))
        return array_refuse(error, "a cube has 6 square faces, not %u of %u x %u", texture->layers,
                            texture->height, texture->width);
    texture->axes = (unsigned)count - (*shape->axes == 'l');
    return set_channel(texture, array->type, type, error);
}

bool texture_is_writable(const Type *type) {
    enum { WRITE = 2, READ_WRITE = 3 }; /* of metal::access */
    return type->access == WRITE || type->access == READ_WRITE;
}

/* --- samplers --- */

typedef enum Setting {
    COORD,
    FILTER,
    MAG,
    MIN,
    ADDRESS,
    S,
    T,
    R,
    BORDER,
    COMPARE,
    NOTHING
} Setting;

static const char *const kinds[] = {"coord",        "filter",       "mag_filter", "min_filter",
                                    "address",      "s_address",    "t_address",  "r_address",
                                    "border_color", "compare_func", "mip_filter"};

static const struct {
    Setting setting; /* if it stands alone */
    const char *word;
    unsigned char value;
} words[] = {
    {COORD, "normalized", 0},
    {COORD, "pixel", 1},
    {FILTER, "nearest", 0},
    {FILTER, "linear", 1},
    {ADDRESS, "clamp_to_edge", SIMT_CLAMP_TO_EDGE},
    {ADDRESS, "repeat", SIMT_REPEAT},
    {ADDRESS, "mirrored_repeat", SIMT_MIRRORED_REPEAT},
    {ADDRESS, "clamp_to_zero", SIMT_CLAMP_TO_ZERO},
    {ADDRESS, "clamp_to_border", SIMT_CLAMP_TO_BORDER},
    {BORDER, "transparent_black", SIMT_TRANSPARENT_BLACK},
    {BORDER, "opaque_black", SIMT_OPAQUE_BLACK},
    {BORDER, "opaque_white", SIMT_OPAQUE_WHITE},
    {COMPARE, "never", 0},
    {COMPARE, "less", 1},
    {COMPARE, "equal", 2},
    {COMPARE, "less_equal", 3},
    {COMPARE, "greater", 4},
    {COMPARE, "not_equal", 5},
    {COMPARE, "greater_equal", 6},
    {COMPARE, "always", 7},
};

static void set(SimtSampler *sampler, Setting setting, unsigned char value) {
    if (setting == COORD) sampler->is_pixel = value;
    if (setting == FILTER || setting == MAG) sampler->magnifies = value;
    if (setting == FILTER || setting == MIN) sampler->minifies = value;
    if (setting == ADDRESS || setting == S) sampler->address[0] = value;
    if (setting == ADDRESS || setting == T) sampler->address[1] = value;
    if (setting == ADDRESS || setting == R) sampler->address[2] = value;
    if (setting == BORDER) sampler->border = value;
    if (setting == COMPARE) sampler->compare = value;
}

/* Which of a sampler's settings a word may be. */
static bool suits(Setting setting, Setting word) {
    if (setting >= MAG && setting <= MIN) return word == FILTER;
    if (setting >= S && setting <= R) return word == ADDRESS;
    return setting == word || (setting == NOTHING && word == FILTER);
}

/* "linear" or "mag_filter::linear" */
static bool set_word(SimtSampler *sampler, const char *text, size_t length) {
    const char *colons = memmem(text, length, "::", 2), *word = colons ? colons + 2 : text;
    size_t kind = 0, kinds_count = sizeof kinds / sizeof *kinds;
    size_t kind_length = colons ? (size_t)(colons - text) : 0,
           rest = length - (size_t)(word - text);
    while (colons && kind < kinds_count &&
           (strlen(kinds[kind]) != kind_length || memcmp(kinds[kind], text, kind_length) != 0))
        kind++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) != rest || memcmp(words[i].word, word, rest) != 0) continue;
        Setting setting = colons ? (Setting)kind : words[i].setting;
        if (!suits(setting, words[i].setting)) return false;
        set(sampler, setting, words[i].value);
        return true;
    }
    return false;
}

bool sampler_parse(SimtSampler *sampler, const char *text, char error[256]) {
    *sampler = (SimtSampler){0};
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        if (!set_word(sampler, at, length))
            return array_refuse(
                error,
                "'%.*s' says nothing of a sampler; words are normalized pixel nearest linear "
                "clamp_to_edge repeat mirrored_repeat clamp_to_zero clamp_to_border …, also "
                "s_address::repeat",
                (int)length, at);
        at += length + (at[length] == ',');
    }
    return true;
}
