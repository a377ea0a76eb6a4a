#include "messages.h"

#include <stdlib.h>
#include <string.h>

typedef struct Messages {
    char **places; /* "file:line:column" of each that was printed */
    size_t count;
    char *including; /* "In file included from …", in front of the message that they belong to */
    bool printing;   /* the message that the lines belong to */
    bool any;
    FILE *out;
} Messages;

static void *check(void *memory) {
    if (memory) return memory;
    fputs("strict: out of memory\n", stderr);
    abort();
}

/* A message's first line: file:line:column: error: …; else 0. The length of its place. */
static size_t place_length(const char *line) {
    static const char *const kinds[] = {": error: ", ": fatal error: ", ": warning: "};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *kind = strstr(line, kinds[i]);
        if (kind) return (size_t)(kind - line);
    }
    return 0;
}

/* "('const __global P' and '__private P')": one type in two address spaces, which are no part of a
 * value. */
static bool same_value_type(const char *line) {
    char types[2][128];
    const char *at = strstr(line, "incompatible operand types ('");
    if (!at || sscanf(strchr(at, '('), "('%127[^']' and '%127[^']')", types[0], types[1]) != 2)
        return false;
    const char *last[2];
    for (int i = 0; i < 2; i++) {
        const char *space = strrchr(types[i], ' ');
        last[i] = space ? space + 1 : types[i];
    }
    return !strcmp(last[0], last[1]) && *last[0] != '*';
}

/* Metal takes what C++ for OpenCL does not. */
static bool is_metal(const char *line) {
    return strstr(line, "variables in the local address space can only be declared in the "
                        "outermost scope of a kernel function") ||
           same_value_type(line);
}

/* Was there none at this place? */
static bool note_place(Messages *messages, const char *line, size_t length) {
    for (size_t i = 0; i < messages->count; i++)
        if (strlen(messages->places[i]) == length && !strncmp(messages->places[i], line, length))
            return false;
    size_t size = (messages->count + 1) * sizeof *messages->places;
    messages->places = check(realloc(messages->places, size));
    messages->places[messages->count++] = check(strndup(line, length));
    return true;
}

static void print(Messages *messages, const char *line) {
    messages->any = true;
    fputs(line, messages->out);
}

static void keep_including(Messages *messages, const char *line) {
    size_t used = messages->including ? strlen(messages->including) : 0;
    messages->including = check(realloc(messages->including, used + strlen(line) + 1));
    strcpy(messages->including + used, line);
}

static void read_line(Messages *messages, const char *line) {
    if (!strncmp(line, "In file included from ", 22)) {
        keep_including(messages, line);
        return;
    }
    size_t end = strlen(line);
    if (end > 12 && !strcmp(line + end - 12, " generated.\n")) return; /* counts them all */
    size_t length = place_length(line);
    if (length) messages->printing = !is_metal(line) && note_place(messages, line, length);
    if (messages->printing && messages->including) print(messages, messages->including);
    free(messages->including);
    messages->including = NULL;
    if (messages->printing) print(messages, line);
}

bool strict_messages(FILE *in, FILE *out) {
    Messages messages = {.printing = true, .out = out};
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, in) >= 0)
        read_line(&messages, line);
    for (size_t i = 0; i < messages.count; i++)
        free(messages.places[i]);
    free(messages.places);
    free(messages.including);
    free(line);
    return messages.any;
}
