#include "line_input.h"

#include <dlfcn.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GNU readline's interface, as libedit has it. */
static char *(*edit_line)(const char *prompt);
static int (*remember)(const char *line);

static volatile sig_atomic_t was_interrupted;

static void interrupt(int signal) {
    (void)signal;
    was_interrupted = 1;
}

/* libedit drops what is no character of the locale. */
static bool has_utf8(void) {
    static const char *const names[] = {"", "C.UTF-8", "UTF-8"};
    for (int i = 0; i < 3; i++)
        if (setlocale(LC_CTYPE, names[i]) && !strcmp(nl_langinfo(CODESET), "UTF-8")) return true;
    return false;
}

void line_input_begin(void) {
    if (!has_utf8()) return;
#ifdef __APPLE__
    void *library = dlopen("libedit.dylib", RTLD_NOW);
#else
    void *library = dlopen("libedit.so.2", RTLD_NOW);
    if (!library) library = dlopen("libedit.so.0", RTLD_NOW);
#endif
    if (!library) return;
    *(void **)&edit_line = dlsym(library, "readline");
    *(void **)&remember = dlsym(library, "add_history");
    void **name = dlsym(library, "rl_readline_name");
    if (name) *name = "metal-llm"; /* for ~/.editrc */
}

/* Without libedit. */
static char *plain_line(const char *prompt) {
    char *line = NULL;
    size_t room = 0;
    fputs(prompt, stdout);
    fflush(stdout);
    ssize_t size = getline(&line, &room, stdin);
    if (size < 0) {
        free(line);
        return NULL;
    }
    if (size > 0 && line[size - 1] == '\n') line[size - 1] = 0;
    return line;
}

/* Ctrl-C ends the line that is being typed. */
static char *one_line(const char *prompt) {
    struct sigaction before;
    was_interrupted = 0;
    errno = 0;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, &before);
    char *line = edit_line ? edit_line(prompt) : plain_line(prompt);
    sigaction(SIGINT, &before, NULL);
    if (line && was_interrupted) {
        free(line);
        line = NULL;
    }
    if (was_interrupted) clearerr(stdin);
    return line;
}

/* text + newline + line, both of which are freed. */
static char *join(char *text, char *line, LLMError *error) {
    size_t size = strlen(text), more = strlen(line);
    char *joined = realloc(text, size + more + 2);
    if (joined) {
        joined[size] = '\n';
        memcpy(joined + size + 1, line, more + 1);
    } else {
        error_memory(error, size + more + 2);
        free(text);
    }
    free(line);
    return joined;
}

static bool cut_backslash(char *text) {
    size_t size = strlen(text);
    bool ends = size > 0 && text[size - 1] == '\\';
    if (ends) text[size - 1] = 0;
    return ends;
}

/* What comes up to the closing quotes. */
static char *quoted(LLMError *error) {
    char *text = NULL, *line;
    while ((line = one_line("... ")) && strcmp(line, "\"\"\"") != 0) {
        text = text ? join(text, line, error) : line;
        if (!text) return NULL;
    }
    free(line);
    return text ? text : strdup("");
}

char *line_input(const char *prompt, bool *interrupted, LLMError *error) {
    char *text = one_line(prompt), *line;
    if (text && !strcmp(text, "\"\"\"")) {
        free(text);
        text = quoted(error);
    } else {
        while (text && cut_backslash(text) && (line = one_line("... ")))
            text = join(text, line, error);
    }
    *interrupted = was_interrupted;
    if (was_interrupted) {
        free(text);
        putchar('\n');
        return NULL;
    }
    if (text && *text && remember) remember(text);
    return text;
}
