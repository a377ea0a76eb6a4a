/* completion.h — completion scripts for shells, from the tables of verbs and options. */
#ifndef METAL_LLM_COMPLETION_H
#define METAL_LLM_COMPLETION_H

#include "help.h"

/* What completes a value or an argument. */
typedef struct Values {
    char words[512]; /* separated by blanks */
    bool models;     /* names in the models folder, and files */
    bool files, folders;
    bool listed; /* the names that the verb lists when it is given none */
} Values;

Values values_of_option(const Option *option);
Values values_of_verb(const Verb *verb);
static inline bool values_are_known(const Values *values) {
    return *values->words || values->models || values->files || values->folders || values->listed;
}

void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

#endif
