#include "reader.h"

#include <string.h>

/* A comma in a type would end a macro's argument. */
static void write_variable(const BoundVariable *variable, FILE *out) {
    const char *type = variable->type;
    char element[96];
    if (strchr(type, ',')) {
        snprintf(element, sizeof element, "%s_element", variable->name);
        fprintf(out, "typedef %s %s; ", type, element);
        type = element;
    }
    fprintf(out, "MSL_THREADGROUP(%s, %s, %s);", type, variable->name, variable->dimensions);
}

static void write_edit(const BoundEdit *edit, FILE *out) {
    if (edit->insert)
        fputs(edit->insert, out);
    else if (edit->variable)
        write_variable(edit->variable, out);
    else
        fprintf(out, "MSL_FUNCTION_CONSTANT(%s, %s, %u);", edit->constant->type,
                edit->constant->name, edit->constant->index);
}

/* The replaced text may span lines; keep their number, so that later lines keep theirs. */
static void write_newlines(const char *text, size_t begin, size_t end, FILE *out) {
    for (size_t i = begin; i < end; i++)
        if (text[i] == '\n') putc('\n', out);
}

static void write_text(const BoundFile *file, FILE *out) {
    size_t at = 0;
    for (size_t i = 0; i < file->edit_count; i++) {
        const BoundEdit *edit = &file->edits[i];
        fwrite(file->text + at, 1, edit->begin - at, out);
        write_edit(edit, out);
        write_newlines(file->text, edit->begin, edit->end, out);
        at = edit->end;
    }
    fwrite(file->text + at, 1, file->size - at, out);
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
    }
}

/* Of an instance of a template, whose parameters' types only the compiler knows. */
static void write_any_argument(const BoundParameter *parameter, FILE *out) {
    if (parameter->kind == BOUND_BUILTIN)
        fprintf(out, "MSL_ANY_BUILTIN(%s)", parameter->attribute);
    else if (parameter->kind == BOUND_THREADGROUP)
        fprintf(out, "MSL_ANY_SCRATCH(%u)", parameter->index);
    else
        fprintf(out, "MSL_ANY_BUFFER(%u)", parameter->index);
}

static void write_entry(const BoundKernel *kernel, FILE *out) {
    bool instance = *kernel->instance;
    fprintf(out, "\n%s(%s, (", instance ? "MSL_INSTANCE" : "MSL_ENTRY", kernel->name);
    for (unsigned p = 0; p < kernel->count; p++) {
        if (p) fputs(", ", out);
        if (instance)
            write_any_argument(&kernel->parameter[p], out);
        else
            write_argument(&kernel->parameter[p], out);
    }
    fprintf(out, "), %s%s%s)\n", kernel->waits ? "true" : "false", instance ? ", " : "",
            kernel->instance);
}

void bind_write_source(const BoundFile *file, FILE *out) {
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    write_text(file, out);
    for (size_t k = 0; k < file->kernel_count; k++)
        write_entry(&file->kernels[k], out);
    fputs("MSL_END\n", out);
}
