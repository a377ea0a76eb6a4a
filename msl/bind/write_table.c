#include "reader.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static unsigned type_size(const char *type) {
    static const struct {
        const char *type;
        unsigned size;
    } sizes[] = {{"float", 4}, {"uint", 4},     {"int", 4},     {"half", 2},    {"ushort", 2},
                 {"short", 2}, {"char", 1},     {"uchar", 1},   {"bool", 1},    {"ulong", 8},
                 {"long", 8},  {"uint32_t", 4}, {"int32_t", 4}, {"uint64_t", 8}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].type, type)) return sizes[i].size;
    return 0;
}

/* Parameters of one class in order of their index, as kernel.h's table wants them. */
static unsigned write_parameters(const BoundKernel *kernel, bool scratch, FILE *out) {
    static const char *const kinds[] = {"PARAMETER_READ", "PARAMETER_CONSTANT",
                                        "PARAMETER_THREADGROUP"};
    unsigned written = 0;
    for (unsigned index = 0; index < BIND_INDICES; index++) {
        for (unsigned p = 0; p < kernel->count; p++) {
            const BoundParameter *parameter = &kernel->parameter[p];
            if (parameter->kind == BOUND_BUILTIN || parameter->index != index ||
                (parameter->kind == BOUND_THREADGROUP) != scratch)
                continue;
            fprintf(out, "    {\"%s\", \"%s\", %s, %u, %u},\n", parameter->name, parameter->type,
                    parameter->writable ? "PARAMETER_WRITE" : kinds[parameter->kind], index,
                    type_size(parameter->type));
            written++;
        }
    }
    return written;
}

static void write_string(const char *text, size_t size, FILE *out) {
    fputs("    \"", out);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            fputs(i + 1 < size ? "\\n\"\n    \"" : "\\n", out);
        else if (text[i] == '"' || text[i] == '\\')
            fprintf(out, "\\%c", text[i]);
        else
            putc(text[i], out);
    }
    fputs("\"", out);
}

void bind_write_texts(const BoundText *texts, size_t count, const char *name, FILE *out) {
    fprintf(out, "#include \"device/kernel.h\"\n\nconst KernelSource %ss[] = {\n", name);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    {\"%s\",\n", texts[i].name);
        write_string(texts[i].text, texts[i].size, out);
        fputs("},\n", out);
    }
    fprintf(out, "};\nconst size_t %s_count = %zu;\n", name, count);
}

void bind_write_table(const BoundFile *files, const char *const *names, size_t count, FILE *out) {
    fputs("#include \"device/kernel.h\"\n\n", out);
    for (size_t f = 0; f < count; f++) {
        for (size_t k = 0; k < files[f].kernel_count; k++) {
            const BoundKernel *kernel = &files[f].kernels[k];
            fprintf(out, "static const KernelParameter %s_parameters[] = {\n", kernel->symbol);
            unsigned written = write_parameters(kernel, false, out);
            written += write_parameters(kernel, true, out);
            fprintf(out, "};\nenum { %s_count = %u };\n\n", kernel->symbol, written);
        }
    }
    fputs("const Kernel kernel_table[] = {\n", out);
    size_t kernels = 0;
    for (size_t f = 0; f < count; f++) {
        for (size_t k = 0; k < files[f].kernel_count; k++, kernels++) {
            const BoundKernel *kernel = &files[f].kernels[k];
            fprintf(out, "    {\"%s\", \"%s\", %d, %s_count, %s_parameters},\n", kernel->name,
                    names[f], kernel->line, kernel->symbol, kernel->symbol);
        }
    }
    fprintf(out, "};\nconst size_t kernel_count = %zu;\n", kernels);
}

void bind_write_entries(const BoundFile *files, size_t count, const char *prefix, FILE *out) {
    fprintf(out, "#include \"%.*s.h\"\n\n", (int)strcspn(prefix, "_"), prefix);
    for (size_t f = 0; f < count; f++)
        for (size_t k = 0; k < files[f].kernel_count; k++)
            fprintf(out, "MSL_ENTRY_TYPE %s_%s;\n", prefix, files[f].kernels[k].symbol);
    fprintf(out, "\nMSL_ENTRY_TYPE *const %s_entries[] = {\n", prefix);
    for (size_t f = 0; f < count; f++)
        for (size_t k = 0; k < files[f].kernel_count; k++)
            fprintf(out, "    %s_%s,\n", prefix, files[f].kernels[k].symbol);
    fputs("};\n", out);
}

/* "fast/linear_tile.metal" and "ROWS" → "LINEAR_TILE_ROWS" */
static void shared_name(const BoundValue *value, char *name, size_t size) {
    const char *begin = value->place.path, *end = begin + value->place.path_length;
    for (const char *at = end; at > begin; at--)
        if (at[-1] == '/') {
            begin = at;
            break;
        }
    const char *dot = memchr(begin, '.', (size_t)(end - begin));
    snprintf(name, size, "%.*s_%s", (int)((dot ? dot : end) - begin), begin, value->name);
    for (char *at = name; *at; at++)
        *at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
}

static bool same_place(const BoundValue *a, const BoundValue *b) {
    return a->place.line == b->place.line && a->place.path_length == b->place.path_length &&
           !memcmp(a->place.path, b->place.path, (size_t)a->place.path_length);
}

/* The shared constant of this name in front of `end` in the files up to number `last`. */
static const BoundValue *find_shared(const BoundFile *files, size_t last, const BoundValue *end,
                                     const char *name) {
    char other[128];
    for (size_t f = 0; f <= last; f++)
        for (size_t i = 0; i < files[f].value_count; i++) {
            const BoundValue *value = &files[f].values[i];
            if (value == end) return NULL;
            if (!value->is_shared) continue;
            shared_name(value, other, sizeof other);
            if (!strcmp(name, other)) return value;
        }
    return NULL;
}

bool bind_write_constants(const BoundFile *files, size_t count, FILE *out, char error[256]) {
    fputs("/* What host and kernels share, read from the kernels' sources. */\n", out);
    for (size_t f = 0; f < count; f++) {
        for (size_t i = 0; i < files[f].value_count; i++) {
            const BoundValue *value = &files[f].values[i];
            char name[128];
            if (!value->is_shared) continue;
            shared_name(value, name, sizeof name);
            const BoundValue *other = find_shared(files, f, value, name);
            if (other && same_place(other, value)) continue; /* of a file that both include */
            if (other) {
                snprintf(error, 256, "%.*s:%d: the host has a constant %s already",
                         value->place.path_length, value->place.path, value->place.line, name);
                return false;
            }
            fprintf(out, "#define %s %lld%s\n", name, value->value,
                    value->value > INT32_MAX ? "u" : "");
        }
    }
    return true;
}
