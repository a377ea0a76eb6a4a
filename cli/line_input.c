#include "line_input.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* GNU readline's interface, as libedit has it. */
static char *(*edit_line)(const char *prompt);
static int (*remember)(const char *line);

enum { CTRL_D = 4 };

static volatile sig_atomic_t was_interrupted;
static int wake[2] = {-1, -1}; /* a pipe: a read that has not begun yet is not ended by a signal */

static void interrupt(int signal) {
    (void)signal;
    int before = errno;
    was_interrupted = 1; /* before the reader, maybe of another thread, wakes */
    ssize_t written = write(wake[1], "", 1);
    (void)written; /* a pipe that is full wakes all the same */
    errno = before;
}

/* False if Ctrl-C was typed instead. */
static bool wait_for_input(void) {
    struct pollfd files[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = wake[0], .events = POLLIN}};
    while (!was_interrupted && poll(files, 2, -1) < 0 && errno == EINTR)
        continue;
    return !was_interrupted;
}

/* For libedit: the next character, of one or several bytes. */
static int next_character(FILE *in) {
    (void)in;
    mbstate_t state = {0};
    wchar_t character;
    char byte;
    while (wait_for_input() && read(STDIN_FILENO, &byte, 1) == 1) {
        size_t size = mbrtowc(&character, &byte, 1, &state);
        if (size == (size_t)-1) return '?';
        if (size == 0) return CTRL_D; /* which becomes a NUL where it was typed before the prompt */
        if (size != (size_t)-2) return (int)character;
    }
    return EOF;
}

/* libedit drops what is no character of the locale. */
static bool has_utf8(void) {
    static const char *const names[] = {"", "C.UTF-8", "UTF-8"};
    for (int i = 0; i < 3; i++)
        if (setlocale(LC_CTYPE, names[i]) && !strcmp(nl_langinfo(CODESET), "UTF-8")) return true;
    return false;
}

void line_input_begin(void) {
    if (pipe(wake) == 0)
        for (int i = 0; i < 2; i++) {
            fcntl(wake[i], F_SETFD, FD_CLOEXEC);
            fcntl(wake[i], F_SETFL, O_NONBLOCK);
        }
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
    int (**key)(FILE *) = dlsym(library, "rl_getc_function");
    if (key) *key = next_character;
    void **name = dlsym(library, "rl_readline_name");
    if (name) *name = "metal-llm"; /* for ~/.editrc */
}

/* Without libedit. */
static char *plain_line(const char *prompt) {
    char *line = NULL;
    size_t room = 0;
    fputs(prompt, stdout);
    fflush(stdout);
    if (!wait_for_input()) return NULL;
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
    char byte;
    was_interrupted = 0;
    while (read(wake[0], &byte, 1) == 1)
        continue;
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
