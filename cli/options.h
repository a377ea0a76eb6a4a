/* options.h — the options of a verb: a table that is parsed and printed by --help. */
#ifndef METAL_LLM_OPTIONS_H
#define METAL_LLM_OPTIONS_H

#include "verb.h"

typedef enum OptionType {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_TEXTS,   /* OptionTexts: may come several times */
    OPTION_BIASES,  /* OptionBiases: TOKEN=X, may come several times */
    OPTION_UINT32,  /* uint32_t, from least to most; a least of -1 stands for UINT32_MAX */
    OPTION_NUMBERS, /* OptionNumbers: N,N,…, each from least to most */
    OPTION_UINT64,  /* uint64_t, any */
    OPTION_SIZE,    /* size_t, bytes */
    OPTION_FLOAT,   /* float, from least to most */
    OPTION_CHOICE,  /* LLMChoice, by its name */
} OptionType;

enum { OPTION_TEXTS_MOST = 16 };
typedef struct OptionTexts {
    const char *texts[OPTION_TEXTS_MOST];
    size_t count;
} OptionTexts;

enum { OPTION_BIASES_MOST = 256 };
typedef struct OptionBiases {
    LLMLogitBias list[OPTION_BIASES_MOST];
    size_t count;
} OptionBiases;

enum { OPTION_NUMBERS_MOST = 16 };
typedef struct OptionNumbers {
    uint32_t list[OPTION_NUMBERS_MOST];
    size_t count;
} OptionNumbers;

/* What the command calls a choice; a list of them ends with a NULL. */
typedef struct ChoiceName {
    const char *name;
    LLMChoice choice;
} ChoiceName;

typedef struct Option {
    const char *name;  /* of one letter: -n; longer: --temp */
    const char *value; /* what --help calls the value; NULL for a flag */
    const char *help;  /* a default that is a number other than 0 is appended */
    OptionType type;
    void *target;       /* holds the default */
    double least, most; /* of a number */
    const ChoiceName *choices;
    const char *words; /* of a text: what completes it, "f16 q8_0 FILE"; NULL: nothing is known */
} Option;

/* A verb and all its options, without --help, which all have. */
enum { OPTIONS_MOST = 48 };
struct OptionTable {
    const Verb *verb;
    Option options[OPTIONS_MOST];
    size_t count, own; /* from `own` on they are those of every verb that runs a model */
};

static inline bool option_is_letter(const Option *option) {
    return option->name[1] == 0;
}
static inline const char *option_dashes(const Option *option) {
    return option_is_letter(option) ? "-" : "--";
}

static inline Option option_flag(const char *name, bool *target, const char *help) {
    return (Option){name, NULL, help, OPTION_FLAG, target, 0, 0, NULL, NULL};
}
static inline Option option_no_special(bool *target) {
    return option_flag("no-special", target,
                       "<|endoftext|> and the like in the text are text as any other");
}
static inline Option option_text(const char *name, const char *value, const char **target,
                                 const char *help) {
    return (Option){name, value, help, OPTION_TEXT, target, 0, 0, NULL, NULL};
}
static inline Option option_texts(const char *name, const char *value, OptionTexts *target,
                                  const char *help) {
    return (Option){name, value, help, OPTION_TEXTS, target, 0, 0, NULL, NULL};
}
static inline Option option_biases(const char *name, OptionBiases *target, const char *help) {
    return (Option){name, "TOKEN=X", help, OPTION_BIASES, target, 0, 0, NULL, NULL};
}
static inline Option option_uint32(const char *name, const char *value, uint32_t *target,
                                   uint32_t least, uint32_t most, const char *help) {
    return (Option){name, value, help, OPTION_UINT32, target, least, most, NULL, NULL};
}
static inline Option option_numbers(const char *name, const char *value, OptionNumbers *target,
                                    uint32_t least, uint32_t most, const char *help) {
    return (Option){name, value, help, OPTION_NUMBERS, target, least, most, NULL, NULL};
}
/* Or -1, for all that there are: UINT32_MAX. */
static inline Option option_count(const char *name, const char *value, uint32_t *target,
                                  const char *help) {
    return (Option){name, value, help, OPTION_UINT32, target, -1, UINT32_MAX, NULL, NULL};
}
static inline Option option_uint64(const char *name, const char *value, uint64_t *target,
                                   const char *help) {
    return (Option){name, value, help, OPTION_UINT64, target, 0, 0, NULL, NULL};
}
static inline Option option_size(const char *name, const char *value, size_t *target,
                                 const char *help) {
    return (Option){name, value, help, OPTION_SIZE, target, 0, 0, NULL, NULL};
}
static inline Option option_float(const char *name, const char *value, float *target, double least,
                                  double most, const char *help) {
    return (Option){name, value, help, OPTION_FLOAT, target, least, most, NULL, NULL};
}
static inline Option option_choice(const char *name, const char *value, LLMChoice *target,
                                   const ChoiceName *choices, const char *help) {
    return (Option){name, value, help, OPTION_CHOICE, target, 0, 0, choices, NULL};
}

/* With words that a shell completes. */
static inline Option option_with_words(Option option, const char *words) {
    option.words = words;
    return option;
}

/* Of verbs that run something: a device, and other kernels for it. */
Option option_device(LLMChoice *target);
Option option_kernels(const char **target);
Option option_chat_template(const char **target);
/* Of verbs that measure: a model of random weights, and their type. */
Option option_shape(const char **target);
Option option_shape_type(const char **target);

/* Parse the options among the arguments into their targets, take the model out where there is one
 * argument more than the verb has use for, and leave the others. `pipeline`, unless NULL, adds the
 * options of every verb that runs a model. True to go on; false
 * if the verb is done, because of --help or of a mistake that has been reported, with the exit code
 * in *status. */
bool options_parse(Arguments *arguments, const Option *options, size_t count, LLMOptions *pipeline,
                   int *status);

#endif
