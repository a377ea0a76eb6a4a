/* includes.c — #include "formats/…" and "parts/…" replaced by what they name. Apple's run-time
 * compiler and NVRTC get one text and have no folder to look in. */
#include "bind/bind.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INCLUDES = 64 };

typedef struct Included {
    char *name;
    unsigned skipped; /* of the texts of this name, see BindLoad */
    bool is_open;     /* its end has not been reached yet */
} Included;

typedef struct Expansion {
    BindLoad *load;
    void *context;
    FILE *out;
    Included included[MOST_INCLUDES];
    unsigned count;
    char *error; /* of 256 characters */
} Expansion;

static bool fail(Expansion *expansion, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(Expansion *expansion, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expansion->error, 256, format, arguments);
    va_end(arguments);
    return false;
}

static void write_mark(Expansion *expansion, int line, const char *path) {
    fprintf(expansion->out, "#line %d \"", line);
    for (; *path; path++) {
        if (*path == '"' || *path == '\\') putc('\\', expansion->out);
        putc(*path, expansion->out);
    }
    fputs("\"\n", expansion->out);
}

/* The name in #include "name"; 0 characters if the line is none of these. */
static size_t included_name(const char *line, const char *end, const char **name) {
    static const char word[] = "include";
    while (line < end && isblank((unsigned char)*line))
        line++;
    if (line == end || *line++ != '#') return 0;
    while (line < end && isblank((unsigned char)*line))
        line++;
    if ((size_t)(end - line) < sizeof word - 1 || memcmp(line, word, sizeof word - 1)) return 0;
    for (line += sizeof word - 1; line < end && isblank((unsigned char)*line); line++) {
    }
    if (line == end || *line != '"') return 0;
    const char *quote = memchr(line + 1, '"', (size_t)(end - line - 1));
    *name = line + 1;
    return quote ? (size_t)(quote - line - 1) : 0;
}

/* Is the end of the line in a comment, if its begin is? */
static bool ends_in_comment(const char *line, const char *end, bool in_comment) {
    bool in_string = false;
    for (; line < end; line++) {
        bool two = line + 1 < end;
        if (in_comment) {
            in_comment = !(two && line[0] == '*' && line[1] == '/');
            line += !in_comment;
        } else if (*line == '"') {
            in_string = !in_string;
        } else if (in_string) {
            line += *line == '\\';
        } else if (two && line[0] == '/' && line[1] == '/') {
            return false;
        } else if (two && line[0] == '/' && line[1] == '*') {
            in_comment = true;
            line++;
        }
    }
    return in_comment;
}

static bool expand_file(Expansion *expansion, const char *name, unsigned skipped, const char *from,
                        int line);

/* A file is included once, as with #pragma once. One that includes its own name gets the next of
 * that name. */
static bool include(Expansion *expansion, const char *name, size_t length, const char *from,
                    int line) {
    char copy[256];
    if (length >= sizeof copy || memchr(name, 0, length))
        return fail(expansion, "%s:%d: an #include's name is too long", from, line);
    memcpy(copy, name, length);
    copy[length] = 0;
    unsigned open = 0;
    for (unsigned i = 0; i < expansion->count; i++)
        open += expansion->included[i].is_open && !strcmp(expansion->included[i].name, copy);
    for (unsigned i = 0; i < expansion->count; i++)
        if (!strcmp(expansion->included[i].name, copy) && expansion->included[i].skipped == open)
            return true;
    return expand_file(expansion, copy, open, from, line);
}

static bool expand_text(Expansion *expansion, const char *path, const char *text, size_t size) {
    const char *end = text + size;
    bool in_comment = false;
    write_mark(expansion, 1, path);
    for (int line = 1; text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *name;
        const char *line_end = newline ? newline : end;
        size_t length = in_comment ? 0 : included_name(text, line_end, &name);
        if (length) {
            if (!include(expansion, name, length, path, line)) return false;
            write_mark(expansion, line + 1, path);
        } else {
            static const char once[] = "#pragma once"; /* as every file is, here */
            bool is_once = !in_comment && (size_t)(line_end - text) >= sizeof once - 1 &&
                           !memcmp(text, once, sizeof once - 1);
            in_comment = ends_in_comment(text, line_end, in_comment);
            fwrite(text, 1, is_once ? 0 : (size_t)(line_end - text), expansion->out);
            putc('\n', expansion->out);
        }
        text = newline ? newline + 1 : end;
    }
    return true;
}

/* `from` is NULL for the file that is not included. */
static bool expand_file(Expansion *expansion, const char *name, unsigned skipped, const char *from,
                        int line) {
    size_t size;
    char *path = NULL, *text = expansion->load(expansion->context, name, skipped, &size, &path);
    bool expanded = false;
    unsigned index = expansion->count;
    if (!text && !from) {
        fail(expansion, "%s cannot be read", name);
    } else if (!text) {
        fail(expansion, skipped ? "%s:%d: \"%s\" includes itself" : "%s:%d: \"%s\" is not there",
             from, line, name);
    } else if (index == MOST_INCLUDES) {
        fail(expansion, "%s:%d: more than %d files", from, line, MOST_INCLUDES);
    } else {
        expansion->included[index] = (Included){strdup(name), skipped, true};
        expansion->count++;
        expanded = expansion->included[index].name && path
                       ? expand_text(expansion, path, text, size)
                       : fail(expansion, "%s: out of memory", name);
        expansion->included[index].is_open = false;
    }
    free(text);
    free(path);
    return expanded;
}

char *bind_expand(BindLoad *load, void *context, const char *name, size_t *size, char error[256]) {
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out) {
        snprintf(error, 256, "%s: out of memory", name);
        return NULL;
    }
    Expansion expansion = {.load = load, .context = context, .out = out, .error = error};
    bool expanded = expand_file(&expansion, name, 0, NULL, 0);
    for (unsigned i = 0; i < expansion.count; i++)
        free(expansion.included[i].name);
    if (ferror(out) && expanded) expanded = fail(&expansion, "%s: out of memory", name);
    bool closed = fclose(out) == 0 && text; /* glibc reports no error, but gives no text */
    if (!closed && expanded) expanded = fail(&expansion, "%s: out of memory", name);
    if (expanded) return text;
    free(text);
    return NULL;
}

char *bind_load_from(void *context, const char *name, unsigned skip, size_t *size, char **path) {
    const BindFolders *folders = context;
    for (size_t i = 0; i < folders->count; i++) {
        char full[4096];
        int length = snprintf(full, sizeof full, "%s/%s", folders->folder[i], name);
        char *text = length > 0 && (size_t)length < sizeof full ? bind_load(full, size) : NULL;
        if (text && skip-- == 0) {
            *path = strdup(full);
            return text;
        }
        free(text);
    }
    return NULL;
}
