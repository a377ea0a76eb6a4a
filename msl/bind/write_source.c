#include "reader.h"

#include <stdlib.h>
#include <string.h>

/* `typedef float name_type[32]; MSL_THREADGROUP(name);` and what it starts with. */
static void write_variable(const BoundVariable *variable, FILE *out) {
    const char *name = variable->name;
    fprintf(out, "typedef %s %s_type%s; MSL_THREADGROUP(%s);", variable->type, name,
            variable->dimensions, name);
    if (*variable->value)
        fprintf(out, " const %s_type %s_value = %s; MSL_INITIALISE(%s, %s_value);", name, name,
                variable->value, name, name);
}

static void write_edit(const BoundEdit *edit, FILE *out) {
    if (edit->insert)
        fputs(edit->insert, out);
    else if (edit->variable)
        write_variable(edit->variable, out);
    else if (edit->constant)
        fprintf(out, "MSL_FUNCTION_CONSTANT(%s, %u, %s);", edit->constant->name,
                edit->constant->index, edit->constant->type);
    else
        fprintf(out, "MSL_INPUT(%s, %s, %s);", edit->input->name, edit->input->attribute,
                edit->input->type);
}

/* The replaced text may span lines; keep their number and the preprocessor's own, so that later
 * lines keep theirs; but no #pragma, which belongs to what it stands in front of. */
static void write_newlines(const char *text, size_t begin, size_t end, FILE *out) {
    bool in_directive = false;
    for (size_t i = begin; i < end; i++) {
        if (text[i] == '\n')
            in_directive =
                i + 1 < end && text[i + 1] == '#' && strncmp(text + i + 1, "#pragma", 7) != 0;
        else if (!in_directive)
            continue;
        putc(text[i], out);
    }
}

/* What is left out where one kernel is wanted. */
typedef struct Hole {
    size_t begin, end;
    const char *insert;
} Hole;

static void write_until(const BoundFile *file, const BoundEdit **edit, size_t at, size_t end,
                        FILE *out) {
    const BoundEdit *last = file->edits + file->edit_count;
    for (; *edit < last && (*edit)->begin < end; (*edit)++) {
        if ((*edit)->begin < at) continue; /* in what is left out */
        fwrite(file->text + at, 1, (*edit)->begin - at, out);
        write_edit(*edit, out);
        write_newlines(file->text, (*edit)->begin, (*edit)->end, out);
        at = (*edit)->end;
    }
    if (at < end) fwrite(file->text + at, 1, end - at, out);
}

static void write_text(const BoundFile *file, const Hole *holes, size_t count, FILE *out) {
    const BoundEdit *edit = file->edits;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        write_until(file, &edit, at, holes[i].begin, out);
        fputs(holes[i].insert, out);
        write_newlines(file->text, holes[i].begin, holes[i].end, out);
        at = holes[i].end;
    }
    write_until(file, &edit, at, file->size, out);
}

static void write_argument(const BoundParameter *parameter, FILE *out) {
    const char *reference = parameter->reference ? "*" : "";
    switch (parameter->kind) {
    case BOUND_BUFFER:
        fprintf(out, "%sMSL_BUFFER(%u, %s%s)", reference, parameter->index,
                parameter->writable ? "" : "const ", parameter->type);
        break;
    case BOUND_CONSTANT:
        fprintf(out, "MSL_CONSTANT(%u, %s)", parameter->index, parameter->type);
        break;
    case BOUND_THREADGROUP:
        fprintf(out, "%sMSL_SCRATCH(%u, %s)", reference, parameter->index, parameter->type);
        break;
    case BOUND_BUILTIN:
        fprintf(out, "MSL_BUILTIN(%s, %s)", parameter->type, parameter->attribute);
        break;
    case BOUND_TEXTURE:
        fprintf(out, "MSL_ANY_TEXTURE(%u)", parameter->index);
        break;
    case BOUND_SAMPLER:
        fprintf(out, "MSL_ANY_SAMPLER(%u)", parameter->index);
        break;
    }
}

/* Of an instance of a template, whose parameters' types only the compiler knows. */
static void write_any_argument(const BoundParameter *parameter, FILE *out) {
    switch (parameter->kind) {
    case BOUND_BUILTIN:
        fprintf(out, "MSL_ANY_BUILTIN(%s)", parameter->attribute);
        break;
    case BOUND_THREADGROUP:
        fprintf(out, "MSL_ANY_SCRATCH(%u)", parameter->index);
        break;
    case BOUND_TEXTURE:
    case BOUND_SAMPLER:
        write_argument(parameter, out);
        break;
    default:
        fprintf(out, "MSL_ANY_BUFFER(%u)", parameter->index);
    }
}

static void write_entry(const BoundKernel *kernel, bool any, FILE *out) {
    fprintf(out, "\n%s(%s, (", any ? "MSL_INSTANCE" : "MSL_ENTRY", kernel->symbol);
    for (unsigned p = 0; p < kernel->count; p++) {
        if (p) fputs(", ", out);
        if (any)
            write_any_argument(&kernel->parameter[p], out);
        else
            write_argument(&kernel->parameter[p], out);
    }
    fprintf(out, "), %s%s%s)\n", kernel->waits ? "true" : "false", any ? ", " : "",
            any ? kernel->function : "");
}

void bind_write_source(const BoundFile *file, FILE *out) {
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    write_text(file, NULL, 0, out);
    for (size_t k = 0; k < file->kernel_count; k++) {
        const BoundKernel *kernel = &file->kernels[k];
        write_entry(kernel, kernel->is_instance || strcmp(kernel->symbol, kernel->function), out);
    }
    fputs("MSL_END\n", out);
}

static const BoundTemplate *template_of(const BoundFile *file, const BoundKernel *kernel) {
    for (size_t i = 0; i < file->instance_count; i++)
        if (&file->kernels[file->instances[i].kernel] == kernel)
            return &file->templates[file->instances[i].template];
    return NULL;
}

static int compare_holes(const void *a, const void *b) {
    const Hole *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

bool bind_write_kernel(const BoundFile *file, const BoundKernel *kernel, FILE *out) {
    const BoundTemplate *own = template_of(file, kernel);
    Hole *holes = calloc(file->kernel_count + file->template_count + 1, sizeof *holes);
    size_t count = 0;
    if (!holes) return false;
    for (size_t i = 0; i < file->kernel_count; i++) {
        const BoundKernel *other = &file->kernels[i];
        if (other != kernel && !other->is_instance)
            holes[count++] = (Hole){other->begin, other->end, ""};
    }
    for (size_t i = 0; i < file->template_count; i++) {
        const BoundTemplate *other = &file->templates[i];
        if (other->kernel.refused)
            holes[count++] = (Hole){other->begin.at, other->end.at, ""};
        else if (other != own && other->body)
            holes[count++] = (Hole){other->body, other->end.at, ";"};
    }
    qsort(holes, count, sizeof *holes, compare_holes);
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    write_text(file, holes, count, out);
    free(holes);
    write_entry(kernel, true, out);
    fputs("MSL_END\n", out);
    return true;
}
