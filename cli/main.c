/* main.c — metal-llm VERB ARGUMENTS. */
#include "help.h"
#include "output_file.h"
#include "suggest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unknown_verb(const char *name) {
    const char *names[64];
    for (size_t i = 0; i < verb_count; i++)
        names[i] = verbs[i].name;
    const char *close = suggest(name, names, verb_count);
    if (close) return usage_error(NULL, "unknown verb '%s'; did you mean %s?", name, close);
    return usage_error(NULL, "unknown verb '%s'", name);
}

static int run_verb(int count, char **values) {
    const Verb *verb = verb_find(values[0]);
    if (!verb) return unknown_verb(values[0]);
    return verb->run(&(Arguments){.verb = verb, .count = count, .values = values});
}

static int run_command(int count, char **values) {
    if (count < 2) {
        help_print(stderr);
        return EXIT_USAGE;
    }
    const char *first = values[1];
    if (!strcmp(first, "--help") || !strcmp(first, "-h") || !strcmp(first, "help"))
        return help(count - 2, values + 2);
    if (!strcmp(first, "--version") || !strcmp(first, "-V"))
        return printf("metal-llm %s\n", llm_version()) < 0;
    return run_verb(count - 1, values + 1);
}

int main(int count, char **values) {
    output_file_keep_standard_streams();
    signal(SIGPIPE, SIG_DFL); /* `metal-llm … | head` ends silently, whatever the parent had set */
    output_file_catch_signals();
    int status = run_command(count, values);
    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && status == EXIT_SUCCESS) {
        fprintf(stderr, "metal-llm: the output cannot be written: %s\n",
                strerror(errno ? errno : EIO));
        status = EXIT_FAILURE;
    }
    return status;
}
