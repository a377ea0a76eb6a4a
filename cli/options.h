/* options.h — the options of a verb: a table that is parsed and printed by --help. */
#ifndef METAL_LLM_OPTIONS_H
#define METAL_LLM_OPTIONS_H

#include "verb.h"

typedef enum OptionType {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_TEXTS,  /* OptionTexts: may come several times */
    OPTION_UINT32, /* uint32_t, from least to most */
    OPTION_UINT64, /* uint64_t, any */
    OPTION_FLOAT,  /* float, from least to most */
} OptionType;

enum { OPTION_TEXTS_MOST = 16 };
typedef struct OptionTexts {
    const char *texts[OPTION_TEXTS_MOST];
    size_t count;
} OptionTexts;

typedef struct Option {
    const char *name; /* of one letter: -n; longer: --temp */
    OptionType type;
    void *target;      /* holds the default */
    const char *value; /* what --help calls the value; NULL for a flag */
    const char *help;  /* numbers other than 0 get "(default …)" appended */
    double least, most;
} Option;

/* Parse the options among the arguments into their targets and leave the rest. True to go on; false if
 * the verb is done, because of --help or a mistake that has been reported, with the exit code in
 * *status. */
bool options_parse(Arguments *arguments, const Option *options, size_t count, int *status);

#endif
