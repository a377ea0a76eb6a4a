/* A launch of each kernel to begin with: 1024 threads, and as many elements, texels or items as
 * there are threads. What the kernel is meant for only its author knows. */
#include "list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 1024, SCRATCH_BYTES = 4096 };

typedef struct Launch {
    const BoundFile *file;
    FILE *out;
    unsigned size; /* threads of the grid along an axis: what an integer most likely stands for */
} Launch;

static const struct {
    const char *metal, *element;
} elements[] = {
    {"float", "f32"},    {"half", "f16"},     {"bfloat", "u16"},   {"int", "i32"},
    {"uint", "u32"},     {"short", "i16"},    {"ushort", "u16"},   {"char", "i8"},
    {"uchar", "u8"},     {"bool", "u8"},      {"long", "i64"},     {"ulong", "u64"},
    {"size_t", "u64"},   {"int8_t", "i8"},    {"uint8_t", "u8"},   {"int16_t", "i16"},
    {"int32_t", "i32"},  {"uint16_t", "u16"}, {"uint32_t", "u32"}, {"int64_t", "i64"},
    {"uint64_t", "u64"},
};

static const char *skip(const char *text, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) ? text : text + length;
}

/* "packed_float3" → "f32", 3; NULL of structures and what else is not known. */
static const char *element_of(const char *type, unsigned *lanes) {
    const char *name = skip(skip(skip(type, "metal::"), "packed_"), "atomic_");
    size_t length = strlen(name);
    bool is_vector = length > 1 && name[length - 1] >= '2' && name[length - 1] <= '4' &&
                     isalpha((unsigned char)name[length - 2]);
    *lanes = is_vector ? (unsigned)(name[--length] - '0') : 1;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strlen(elements[i].metal) == length && !strncmp(elements[i].metal, name, length))
            return elements[i].element;
    *lanes = 1; /* "args2" is no vector */
    return NULL;
}

static bool has_members(const BoundFile *file, const char *type) {
    for (size_t i = 0; i < file->member_count; i++)
        if (!strcmp(file->members[i].owner, type)) return true;
    return false;
}

static void say_buffer(const Launch *launch, const char *target, const char *type, bool writable) {
    FILE *out = launch->out;
    unsigned lanes;
    const char *element = element_of(type, &lanes);
    const char *content = writable ? "empty" : element ? "random" : "zeros";
    fprintf(out, " --buffer %s=%s:%s:%d", target, content, element ? element : "u8", ITEMS);
    if (!element) fprintf(out, "x64");
    if (lanes > 1) fprintf(out, "x%u", lanes == 3 && strncmp(type, "packed_", 7) ? 4 : lanes);
}

static void say_number(const Launch *launch, const char *element) {
    bool is_size = *element != 'f' && strcmp(element + 1, "8") != 0;
    fprintf(launch->out, "%u", is_size ? launch->size : 1);
}

static void say_values(const Launch *launch, const char *target, const char *type) {
    unsigned lanes;
    const char *element = element_of(type, &lanes);
    fprintf(launch->out, " --bytes %s=%s:", target, element ? element : "u32");
    for (unsigned i = 0; i < lanes; i++) {
        if (i) fputc(',', launch->out);
        say_number(launch, element ? element : "u32");
    }
}

static void say_texture(const Launch *launch, const char *target, const char *type) {
    static const struct {
        const char *type, *shape;
    } shapes[] = {
        {"texture1d_array<", "4x256"},   {"texture1d<", "1024"},       {"texture_buffer<", "1024"},
        {"texture2d_array<", "4x32x32"}, {"texture3d<", "8x8x16"},     {"texturecube<", "6x32x32"},
        {"depth2d_array<", "4x32x32"},   {"texture2d_ms<", "4x32x32"},
    };
    const char *name = skip(skip(skip(type, "metal::"), "array<"), "metal::"), *shape = "32x32";
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strncmp(name, shapes[i].type, strlen(shapes[i].type))) shape = shapes[i].shape;
    unsigned lanes;
    char texel[32] = "float";
    const char *inside = strchr(name, '<');
    if (inside) sscanf(inside + 1, " %31[a-z]", texel);
    const char *element = element_of(texel, &lanes);
    fprintf(launch->out, " --texture %s=%s:%s:%s%s", target,
            strstr(type, "write") && !strstr(type, "read_write") ? "empty" : "random",
            element ? element : "f32", shape, strncmp(name, "depth", 5) ? "x4" : "");
}

/* --bytes 0=n=1024,eps=1: of a structure without pointers. */
static void say_structure(const Launch *launch, const char *target, const char *type) {
    const char *comma = "";
    fprintf(launch->out, " --bytes %s=", target);
    for (size_t i = 0; i < launch->file->member_count; i++) {
        const BoundMember *member = &launch->file->members[i];
        unsigned lanes;
        const char *element = element_of(member->type, &lanes);
        if (strcmp(member->owner, type) != 0 || !element) continue;
        fprintf(launch->out, "%s%s=", comma, member->name);
        say_number(launch, element);
        comma = ",";
    }
}

static void say_member(const Launch *launch, unsigned index, const BoundMember *member) {
    char target[128];
    snprintf(target, sizeof target, member->count > 1 ? "%u.%s[0]" : "%u.%s", index, member->name);
    if (member->kind == BOUND_TEXTURE)
        say_texture(launch, target, member->type);
    else if (member->kind == BOUND_SAMPLER)
        fprintf(launch->out, " --sampler %s=linear", target);
    else if (member->is_pointer)
        say_buffer(launch, target, member->type, false);
    else if (has_members(launch->file, member->type))
        say_structure(launch, target, member->type);
    else
        say_values(launch, target, member->type);
}

static bool leads_further(const BoundFile *file, const char *type) {
    for (size_t i = 0; i < file->member_count; i++)
        if (!strcmp(file->members[i].owner, type) && file->members[i].kind != BOUND_CONSTANT)
            return true;
    return false;
}

static void say_memory(const Launch *launch, const char *target, const BoundParameter *parameter) {
    const BoundFile *file = launch->file;
    const char *type = parameter->type;
    bool is_value = parameter->kind == BOUND_CONSTANT || parameter->constant;
    if (leads_further(file, type)) {
        for (size_t i = 0; i < file->member_count; i++)
            if (!strcmp(file->members[i].owner, type))
                say_member(launch, parameter->index, &file->members[i]);
    } else if (is_value && has_members(file, type)) {
        say_structure(launch, target, type);
    } else if (parameter->kind == BOUND_CONSTANT) {
        say_values(launch, target, type);
    } else {
        say_buffer(launch, target, type, parameter->writable);
    }
}

static void say_parameter(const Launch *launch, const BoundParameter *parameter) {
    char target[16];
    snprintf(target, sizeof target, "%u", parameter->index);
    switch (parameter->kind) {
    case BOUND_BUFFER:
    case BOUND_CONSTANT:
        say_memory(launch, target, parameter);
        break;
    case BOUND_THREADGROUP:
        fprintf(launch->out, " --threadgroup-memory %s=%d", target, SCRATCH_BYTES);
        break;
    case BOUND_TEXTURE:
        say_texture(launch, target, parameter->type);
        break;
    case BOUND_SAMPLER:
        fprintf(launch->out, " --sampler %s=linear", target);
        break;
    case BOUND_BUILTIN:
        break;
    }
}

/* 1, 2 or 3: of its position in the grid, or in a threadgroup. */
static unsigned dimensions(const BoundKernel *kernel) {
    unsigned most = 1;
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        char last = parameter->kind == BOUND_BUILTIN && strstr(parameter->attribute, "position")
                        ? parameter->type[strlen(parameter->type) - 1]
                        : 0;
        if (last >= '2' && last <= '3' && (unsigned)(last - '0') > most)
            most = (unsigned)(last - '0');
    }
    return most;
}

static void say_launch(const BoundFile *file, const BoundKernel *kernel, FILE *out) {
    static const struct {
        const char *options;
        unsigned size;
    } grids[] = {
        {"--grid 1024 --threads 256", 1024},
        {"--grid 32,32 --threads 16,16", 32},
        {"--grid 16,8,8 --threads 8,8,4", 8},
    };
    unsigned axes = dimensions(kernel);
    Launch launch = {file, out, grids[axes - 1].size};
    fprintf(out, "  metal-check %s --kernel %s %s", file->path, kernel->name,
            grids[axes - 1].options);
    for (unsigned i = 0; i < kernel->count; i++)
        say_parameter(&launch, &kernel->parameter[i]);
    for (size_t i = 0; i < file->constant_count; i++)
        fprintf(out, " --constant %u=%s", file->constants[i].index,
                strcmp(file->constants[i].type, "bool") ? "1" : "true");
    fputc('\n', out);
}

static void say_signature(const BoundKernel *kernel, FILE *out) {
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        if (parameter->kind == BOUND_BUILTIN) continue;
        bool is_memory = parameter->kind == BOUND_BUFFER || parameter->kind == BOUND_CONSTANT;
        fprintf(out, "  [[%s(%u)]] %s%s %s%s\n", parameter->attribute, parameter->index,
                !is_memory            ? ""
                : parameter->constant ? "constant "
                : parameter->writable ? "device "
                                      : "device const ",
                parameter->type,
                !is_memory             ? ""
                : parameter->reference ? "&"
                                       : "*",
                parameter->name);
    }
}

bool list_text(const BoundFile *file, FILE *out) {
    for (size_t i = 0; i < file->kernel_count; i++) {
        const BoundKernel *kernel = &file->kernels[i];
        if (kernel->refused) {
            fprintf(out, "%s: refused: %s\n", kernel->name, kernel->refused);
            continue;
        }
        fprintf(out, "%s:%d: %s\n", file->path, kernel->line, kernel->name);
        say_signature(kernel, out);
        say_launch(file, kernel, out);
    }
    for (size_t i = 0; i < file->template_count; i++)
        fprintf(out, "%s: a template, which has kernels once it has instances\n",
                file->templates[i].kernel.name);
    return fflush(out) == 0;
}
