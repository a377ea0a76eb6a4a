/* verb.h — what a verb of the command is: `metal-llm VERB ARGUMENTS`. */
#ifndef METAL_LLM_VERB_H
#define METAL_LLM_VERB_H

#include "error.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Exit codes; 0 and 1 are EXIT_SUCCESS and EXIT_FAILURE. */
enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

typedef struct Verb Verb;
typedef struct OptionTable OptionTable;

/* What follows the verb, NULL at its end; after options_parse, those of it that are neither options
 * nor the model. */
typedef struct Arguments {
    const Verb *verb;
    int count;
    char **values;
    const char *model; /* as it was named, by -m or as the first argument; NULL: the default */
    /* Where it is set, options_parse hands it the verb's options, and the verb is done: for help.
     */
    void (*show)(const OptionTable *table);
} Arguments;

struct Verb {
    const char *name;
    const char *synopsis;             /* its arguments, "[-m MODEL] FILE" */
    const char *summary;              /* half a line */
    const char *help;                 /* paragraphs, for --help */
    bool takes_model;                 /* -m MODEL, or MODEL as the first argument */
    int most;                         /* other arguments that are not options */
    int (*run)(Arguments *arguments); /* returns the exit code */
};

extern const Verb verbs[];
extern const size_t verb_count;
const Verb *verb_find(const char *name); /* NULL: there is none */
/* Hand the options of a verb to `show`. */
void verb_show(const Verb *verb, void (*show)(const OptionTable *table));

int verb_bench(Arguments *arguments);
int verb_chat(Arguments *arguments);
int verb_completion(Arguments *arguments);
int verb_convert(Arguments *arguments);
int verb_detokenize(Arguments *arguments);
int verb_explain(Arguments *arguments);
int verb_get(Arguments *arguments);
int verb_info(Arguments *arguments);
int verb_inspect(Arguments *arguments);
int verb_kernels(Arguments *arguments);
int verb_logits(Arguments *arguments);
int verb_perplexity(Arguments *arguments);
int verb_run(Arguments *arguments);
int verb_selftest(Arguments *arguments);
int verb_serve(Arguments *arguments);
int verb_tokenize(Arguments *arguments);

/* One line on stderr, "metal-llm VERB: message (see …)". Returns EXIT_USAGE. `verb` may be NULL. */
int usage_error(const Verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code for `error`, its message printed on stderr if it is set: EXIT_USAGE for a wrong
 * argument, EXIT_FAILURE for everything else. */
int exit_status(const LLMError *error);

#endif
