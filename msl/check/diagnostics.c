#include "diagnostics.h"

#include "headers.h"
#include "report.h"
#include "source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512, TEXT_BYTES = 1024, SEEN = 256 };

/* path:line:column: kind: text */
typedef struct Message {
    char path[PATH_BYTES], text[TEXT_BYTES];
    unsigned line, column;
    bool is_error;
} Message;

typedef struct Printer {
    const char *folder;
    FILE *out;
    unsigned long long seen[SEEN]; /* hashes of what was printed */
    unsigned count;
    Message error; /* one in the headers, whose place in the user's file is not known yet */
    bool is_waiting;
} Printer;

static bool parse(const char *line, Message *message) {
    static const char *const kinds[] = {": fatal error: ", ": error: ", ": note: "};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *kind = strstr(line, kinds[i]);
        if (!kind) continue;
        int length = (int)(kind - line), end = 0;
        /* from the end: the path may have colons */
        while (length && line[length - 1] != ':')
            length--;
        int colon = length ? length - 1 : 0;
        while (colon && line[colon - 1] != ':')
            colon--;
        if (!colon || sscanf(line + colon, "%u:%u%n", &message->line, &message->column, &end) != 2)
            return false;
        snprintf(message->path, sizeof message->path, "%.*s", colon - 1, line);
        snprintf(message->text, sizeof message->text, "%s", kind + strlen(kinds[i]));
        message->text[strcspn(message->text, "\n")] = 0;
        message->is_error = i < 2;
        return true;
    }
    return false;
}

/* Metal's words for what clang calls otherwise. */
static void rename_spaces(char *text) {
    static const char *const names[][2] = {
        {"__global_device ", "device "},
        {"__global_host ", "constant "},
        {"__local ", "threadgroup "},
        {"[[clang::sycl_global_device]] ", "device "},
        {"[[clang::sycl_global_host]] ", "constant "},
        {"[[clang::sycl_local]] ", "threadgroup "},
        {"const constant ", "constant "},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t old = strlen(names[i][0]), new = strlen(names[i][1]);
        for (char *at = text; (at = strstr(at, names[i][0]));) {
            memmove(at + new, at + old, strlen(at + old) + 1);
            memcpy(at, names[i][1], new);
        }
    }
}

/* 'x_type' (aka 'float[4]') is what a threadgroup variable has: 'float[4]'. */
static void leave_out_types(char *text) {
    static const char ours[] = "_type' (aka ";
    for (char *at; (at = strstr(text, ours));) {
        char *begin = at, *end = strstr(at + strlen(ours) + 1, "')");
        while (begin > text && *begin != '\'')
            begin--;
        if (!end || *begin != '\'') return;
        memmove(end + 1, end + 2, strlen(end + 2) + 1);
        memmove(begin, at + strlen(ours), strlen(at + strlen(ours)) + 1);
    }
}

/* The line of the file as it was written, and where in it. */
static void show_line(const Message *message, FILE *out) {
    char *line = source_line(message->path, message->line);
    if (line) report_line(out, "    %s", line);
    free(line);
}

static bool is_new(Printer *printer, const Message *message) {
    unsigned long long hash = 14695981039346656037u;
    char text[PATH_BYTES + TEXT_BYTES + 32];
    snprintf(text, sizeof text, "%s:%u:%s", message->path, message->line, message->text);
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (unsigned i = 0; i < printer->count; i++)
        if (printer->seen[i] == hash) return false;
    if (printer->count < SEEN) printer->seen[printer->count++] = hash;
    return true;
}

/* Parts of Metal that are refused, by the headers that they come in. */
static void name_part(char *text) {
    static const char *const parts[][2] = {
        {"'MetalPerformancePrimitives/", "MetalPerformancePrimitives are"},
        {"'metal_tensor", "tensors are"},
        {"'metal_raytracing", "ray tracing is"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strncmp(text, parts[i][0], strlen(parts[i][0])))
            snprintf(text, TEXT_BYTES, "%s not supported", parts[i][1]);
}

static void print(Printer *printer, Message *message) {
    rename_spaces(message->text);
    leave_out_types(message->text);
    name_part(message->text);
    if (!is_new(printer, message)) return;
    report_line(printer->out, "%s:%u:%u: error: %s", message->path, message->line, message->column,
                message->text);
    show_line(message, printer->out);
}

static bool begins(const char *path, const char *folder) {
    return !strncmp(path, folder, strlen(folder));
}

void diagnostics_print(FILE *in, const char *folder, FILE *out) {
    static Printer printer;
    printer = (Printer){.folder = folder, .out = out};
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, in) >= 0) {
        Message message;
        if (!parse(line, &message)) continue;
        bool ours = begins(message.path, HEADERS "/") || begins(message.path, folder);
        if (printer.is_waiting && !ours) {
            snprintf(message.text, sizeof message.text, "%s", printer.error.text);
            print(&printer, &message);
            printer.is_waiting = false;
        } else if (message.is_error && !ours) {
            print(&printer, &message);
        } else if (message.is_error) {
            printer.error = message;
            printer.is_waiting = true;
        }
    }
    if (printer.is_waiting) report_line(out, "metal-check: %s", printer.error.text);
    rewind(in); /* the linker's, or what clang says when it fails */
    while (!printer.count && !printer.is_waiting && getline(&line, &size, in) >= 0)
        report_line(out, "%.*s", (int)strcspn(line, "\n"), line);
    free(line);
}
