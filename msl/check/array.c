#include "array.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct TypeName {
    const char *name, *npy;
    size_t size;
    bool is_float, is_signed;
} TypeName;

static const TypeName types[] = {
    [ELEMENT_F32] = {"f32", "<f4", 4, true, true},  [ELEMENT_F16] = {"f16", "<f2", 2, true, true},
    [ELEMENT_I8] = {"i8", "|i1", 1, false, true},   [ELEMENT_U8] = {"u8", "|u1", 1, false, false},
    [ELEMENT_I16] = {"i16", "<i2", 2, false, true}, [ELEMENT_U16] = {"u16", "<u2", 2, false, false},
    [ELEMENT_I32] = {"i32", "<i4", 4, false, true}, [ELEMENT_U32] = {"u32", "<u4", 4, false, false},
    [ELEMENT_I64] = {"i64", "<i8", 8, false, true}, [ELEMENT_U64] = {"u64", "<u8", 8, false, false},
};
enum { TYPES = sizeof types / sizeof *types };

bool array_refuse(char error[256], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, 256, format, arguments);
    va_end(arguments);
    return false;
}

size_t element_size(ElementType type) {
    return types[type].size;
}

bool element_is_float(ElementType type) {
    return types[type].is_float;
}

const char *element_name(ElementType type) {
    return types[type].name;
}

typedef struct MetalType {
    const char *name;
    size_t size;
    bool is_float;
} MetalType;

static const MetalType metal_types[] = {
    {"float", 4, true},     {"half", 2, true},     {"bfloat", 2, false},   {"int", 4, false},
    {"uint", 4, false},     {"short", 2, false},   {"ushort", 2, false},   {"long", 8, false},
    {"ulong", 8, false},    {"int32_t", 4, false}, {"uint32_t", 4, false}, {"int16_t", 2, false},
    {"uint16_t", 2, false}, {"int64_t", 8, false}, {"uint64_t", 8, false}, {"size_t", 8, false},
    {"bool", 1, false},
};

static const char *without(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) ? name : name + length;
}

static bool is_extent(char c) {
    return c >= '2' && c <= '4';
}

/* Of float4 and of float4x4 the first five. */
static size_t scalar_length(const char *name) {
    size_t length = strlen(name);
    if (length > 3 && is_extent(name[length - 1]) && name[length - 2] == 'x') length -= 2;
    return length > 1 && is_extent(name[length - 1]) ? length - 1 : length;
}

bool element_suits(ElementType element, const char *type) {
    const char *name = without(without(without(type, "metal::"), "packed_"), "atomic_");
    size_t length = scalar_length(name);
    for (size_t i = 0; i < sizeof metal_types / sizeof *metal_types; i++) {
        const MetalType *metal = &metal_types[i];
        if (strlen(metal->name) != length || strncmp(metal->name, name, length) != 0) continue;
        bool as_bits = !strncmp(metal->name, "bfloat", length);
        return types[element].size == metal->size &&
               (types[element].is_float == metal->is_float || as_bits);
    }
    return true;
}

/* --- elements --- */

double element_value(ElementType type, const unsigned char *element) {
    union {
        float f32;
        _Float16 f16;
        int64_t i64;
        uint64_t u64;
    } value = {.u64 = 0};
    memcpy(&value, element, types[type].size);
    if (type == ELEMENT_F32) return value.f32;
    if (type == ELEMENT_F16) return (double)value.f16;
    if (!types[type].is_signed) return (double)value.u64;
    unsigned unused = 64 - 8 * (unsigned)types[type].size;
    return (double)((int64_t)(value.u64 << unused) >> unused);
}

static void store_float(ElementType type, double number, unsigned char *element) {
    if (type == ELEMENT_F32)
        memcpy(element, &(float){(float)number}, sizeof(float));
    else
        memcpy(element, &(_Float16){(_Float16)number}, sizeof(_Float16));
}

static void store_number(ElementType type, double number, unsigned char *element) {
    if (types[type].is_float)
        store_float(type, number, element);
    else
        memcpy(element, &(int64_t){(int64_t)number}, types[type].size); /* little-endian */
}

bool element_parse(ElementType type, const char *text, char **end, unsigned char *element) {
    if (types[type].is_float) {
        store_float(type, strtod(text, end), element);
        return *end != text;
    }
    unsigned bits = 8 * (unsigned)types[type].size;
    if (types[type].is_signed) {
        long long number = strtoll(text, end, 0);
        memcpy(element, &number, types[type].size);
        return *end != text && (bits == 64 || (number >> (bits - 1)) == (number < 0 ? -1 : 0));
    }
    unsigned long long number = strtoull(text, end, 0);
    memcpy(element, &number, types[type].size);
    return *end != text && *text != '-' && (bits == 64 || number >> bits == 0);
}

/* --- random numbers: splitmix64 --- */

static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double draw_normal(uint64_t *state) {
    double u = ((double)(draw(state) >> 11) + 1) * 0x1p-53,
           v = (double)(draw(state) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

static double draw_element(ElementType type, uint64_t *state) {
    return types[type].is_float ? draw_normal(state) : (double)(draw(state) % 100);
}

/* --- descriptions --- */

/* "f32" up to a colon. */
static bool parse_type(const char **text, ElementType *type, char error[256]) {
    size_t length = strcspn(*text, ":");
    for (int i = 0; i < TYPES; i++) {
        if (strlen(types[i].name) != length || strncmp(types[i].name, *text, length)) continue;
        *type = (ElementType)i;
        *text += length + ((*text)[length] == ':');
        return true;
    }
    return array_refuse(error, "'%.*s' is no type; types are f32 f16 i8 u8 i16 u16 i32 u32 i64 u64",
                        (int)length, *text);
}

/* "64x768" */
static bool parse_shape(Array *array, const char *text, char error[256]) {
    array->count = 1;
    for (const char *at = text;;) {
        char *end;
        unsigned long long extent = strtoull(at, &end, 10);
        if (end == at || *at == '-' || array->dimensions == ARRAY_DIMENSIONS ||
            (extent && array->count > (SIZE_MAX >> 8) / extent))
            return array_refuse(error, "'%s' is no number of elements; write 1024, or 64x16", text);
        array->shape[array->dimensions++] = extent;
        array->count *= extent;
        if (!*end) return true;
        if (*end != 'x')
            return array_refuse(error, "'%s' is no number of elements; write 1024, or 64x16", text);
        at = end + 1;
    }
}

static bool allocate(Array *array, char error[256]) {
    array->size = array->count * types[array->type].size;
    array->data = calloc(array->size ? array->size : 1, 1);
    return array->data || array_refuse(error, "no memory for %zu bytes", array->size);
}

/* After "random:" and its like. */
static bool fill(Array *array, const char *kind, const char *text, uint64_t *state,
                 char error[256]) {
    if (!parse_type(&text, &array->type, error) || !parse_shape(array, text, error)) return false;
    array->size = array->count * types[array->type].size;
    if (!strcmp(kind, "empty")) return true;
    if (!allocate(array, error)) return false;
    for (size_t i = 0; i < array->count && strcmp(kind, "zeros"); i++) {
        double number = !strcmp(kind, "ones")    ? 1
                        : !strcmp(kind, "range") ? (double)i
                                                 : draw_element(array->type, state);
        store_number(array->type, number, array->data + i * types[array->type].size);
    }
    return true;
}

bool array_parse_values(Array *array, const char *text, char error[256]) {
    *array = (Array){.dimensions = 1};
    const char *at = text;
    if (!parse_type(&at, &array->type, error)) return false;
    for (;;) {
        if (strspn(at, "fiu") && strchr(at, ':') && strcspn(at, ":") < strcspn(at, ",") &&
            !parse_type(&at, &array->type, error))
            return false;
        size_t size = types[array->type].size, start = (array->size + size - 1) / size * size;
        unsigned char *larger = realloc(array->data, start + size);
        if (!larger) return array_refuse(error, "no memory");
        array->data = larger;
        memset(larger + array->size, 0, start - array->size);
        char *end;
        if (!element_parse(array->type, at, &end, larger + start))
            return array_refuse(error, "'%s': '%s' is no %s", text, at, types[array->type].name);
        array->size = start + size;
        array->shape[0] = ++array->count;
        if (!*end) return true;
        if (*end != ',')
            return array_refuse(error, "'%s': '%s' is no %s", text, at, types[array->type].name);
        at = end + 1;
    }
}

/* --- .npy (numpy's format, versions 1 and 2) --- */

/* What stands after a key of the header. */
static const char *find_key(const char *header, const char *key) {
    const char *at = strstr(header, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), "': ") : NULL;
}

/* As much of a text as a type has letters, fit for a terminal. */
static void copy_type(char name[4], const char *text) {
    size_t length = 0;
    while (length < 3 && text[length] > ' ' && text[length] < 0x7F)
        length++;
    memcpy(name, text, length);
    name[length] = 0;
}

static bool parse_header(Array *array, char *header, const char *path, char error[256]) {
    const char *descr = find_key(header, "'descr'"), *order = find_key(header, "'fortran_order'");
    const char *shape = find_key(header, "'shape'");
    if (!descr || !order || !shape || *shape != '(')
        return array_refuse(error, "%s: not a .npy file that numpy.save writes", path);
    if (strncmp(order, "False", 5))
        return array_refuse(error, "%s: in Fortran order; save numpy.ascontiguousarray(a)", path);
    int type = 0;
    while (type < TYPES && strncmp(types[type].npy, descr, 3))
        type++;
    if (type == TYPES) {
        char name[4];
        copy_type(name, descr);
        return array_refuse(error, "%s: elements of type '%s'; convert to one of f32 f16 i8 … u64",
                            path, name);
    }
    array->type = (ElementType)type;
    array->count = 1;
    for (const char *at = shape + 1; *at && *at != ')';) {
        char *end;
        unsigned long long extent = strtoull(at, &end, 10);
        if (end == at || array->dimensions == ARRAY_DIMENSIONS ||
            (extent && array->count > (SIZE_MAX >> 8) / extent))
            return array_refuse(error, "%s: its shape cannot be read", path);
        array->shape[array->dimensions++] = extent;
        array->count *= extent;
        at = end + strspn(end, ", ");
    }
    return true;
}

/* Whether as much follows; asked before memory is. What is no regular file may have it. */
static bool has_bytes(FILE *file, size_t size) {
    struct stat status;
    long at = ftell(file);
    if (at < 0 || fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) return true;
    return at <= status.st_size && size <= (size_t)(status.st_size - at);
}

static bool load_npy(Array *array, FILE *file, const char *path, char error[256]) {
    unsigned char start[12];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) || start[6] < 1 ||
        start[6] > 2 || (start[6] == 2 && fread(start + 10, 1, 2, file) != 2))
        return array_refuse(error, "%s: not a .npy file", path);
    size_t length = start[8] | (size_t)start[9] << 8;
    if (start[6] == 2) length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    char header[4096];
    if (length >= sizeof header || fread(header, 1, length, file) != length)
        return array_refuse(error, "%s: its header is cut off, or too long", path);
    header[length] = 0;
    if (!parse_header(array, header, path, error)) return false;
    size_t size = array->count * types[array->type].size;
    if (!has_bytes(file, size))
        return array_refuse(error, "%s: ends before its %zu bytes of data do", path, size);
    if (!allocate(array, error)) return false;
    if (fread(array->data, 1, array->size, file) != array->size)
        return array_refuse(error, "%s: ends before its %zu bytes of data do", path, array->size);
    return true;
}

/* The preamble and the header of a .npy file, padded to a multiple of 64 bytes. Returns its size.
 */
static size_t write_header(const Array *array, char header[1024]) {
    char shape[256] = "", text[512];
    size_t used = 0;
    for (unsigned i = 0; i < array->dimensions; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%zu, ", array->shape[i]);
    int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                 types[array->type].npy, shape);
    int padded = (length + 1 + 10 + 63) / 64 * 64 - 10;
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(padded & 255);
    header[9] = (char)(padded >> 8);
    snprintf(header + 10, 1024 - 10, "%-*s\n", padded - 1, text);
    return (size_t)padded + 10;
}

bool array_save(const Array *array, const unsigned char *data, OutputFile *file, LLMError *error) {
    char header[1024];
    return output_file_write(file, header, write_header(array, header), error) &&
           output_file_write(file, data, array->size, error);
}

bool array_parse(Array *array, const char *text, uint64_t *state, char error[256]) {
    static const char *const kinds[] = {"zeros", "ones", "random", "range", "empty"};
    *array = (Array){0};
    size_t length = strlen(text);
    if (length > 4 && !strcmp(text + length - 4, ".npy")) {
        FILE *file = fopen(text, "rb");
        if (!file) return array_refuse(error, "%s cannot be read", text);
        bool loaded = load_npy(array, file, text, error);
        fclose(file);
        return loaded;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t word = strlen(kinds[i]);
        if (!strncmp(text, kinds[i], word) && text[word] == ':')
            return fill(array, kinds[i], text + word + 1, state, error);
    }
    return array_parse_values(array, text, error);
}
