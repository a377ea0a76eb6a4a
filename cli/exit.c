/* exit.c — errors as lines and exit codes. */
#include "error.h"
#include "verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int usage_error(const Verb *verb, const char *format, ...) {
    char message[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    LLMError error = {0};
    error_set(&error, LLM_ERROR_ARGUMENT, "%s", message); /* one line, whatever was typed */
    fprintf(stderr, "metal-llm%s%s: %s (see metal-llm%s%s --help)\n", verb ? " " : "",
            verb ? verb->name : "", error.message, verb ? " " : "", verb ? verb->name : "");
    return EXIT_USAGE;
}

int exit_status(const LLMError *error) {
    if (!error_is_set(error)) return EXIT_SUCCESS;
    fprintf(stderr, "metal-llm: %s\n", error->message);
    return error->status == LLM_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FAILURE;
}
