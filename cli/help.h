/* help.h — what the command says of itself: as text, and as a manual page. */
#ifndef METAL_LLM_HELP_H
#define METAL_LLM_HELP_H

#include "options.h"

#include <stdio.h>

/* What several verbs have in common: `metal-llm help NAME`, and a section of the manual page. */
typedef struct Topic {
    const char *name, *summary, *text;
    struct {
        const char *name, *meaning;
    } entries[8]; /* up to one without a name */
} Topic;
extern const Topic topics[];
extern const size_t topic_count;

/* metal-llm --help */
void help_print(FILE *file);
/* metal-llm VERB --help */
void help_print_verb(const OptionTable *table);
/* metal-llm help [TOPIC]. Returns the exit code. */
int help(int count, char **names);

/* " (default 0.8)" where the table has a number that is not 0; valid until the next call. */
const char *help_default(const Option *option);

/* The manual page metal-llm(1), in the language of troff. */
void manual_print(void);

#endif
