/* options.h — the command line of metal-check. */
#ifndef METAL_LLM_MSL_CHECK_OPTIONS_H
#define METAL_LLM_MSL_CHECK_OPTIONS_H

#include "array.h"
#include "program.h"

/* Exit statuses. */
enum { CLEAN = 0, FOUND = 1, CANNOT = 2 };
enum { FLAGS = 64, RULES = 64, CONSTANTS = 256 };

typedef struct Binding {
    const char *option, *content; /* as given; NULL: not at all */
    Array array;
    const char *output;    /* file to save it to */
    bool unordered;        /* the order of its elements does not matter */
    unsigned char *memory; /* that the kernel sees */
    unsigned char
        *first; /* what the first seed left, [array.size], shared with the kernel's process */
} Binding;

typedef struct Options {
    ProgramOptions program;
    char *flags[FLAGS + 1];
    size_t flag_count;
    SimtSize grid, threads;
    Binding bindings[SIMT_BUFFERS];
    size_t scratch[SIMT_BUFFERS];
    ConstantValue constants[CONSTANTS];
    unsigned seeds, seconds;
    uint64_t seed;
    const char *suppressed[RULES + 1];
    size_t suppressed_count;
    const char *lcov; /* file for the coverage, too; NULL: none */
    bool strict, json, list, isolated;
} Options;

/* Ends the program for --help. False for what cannot be understood; stderr says why. */
bool options_parse(Options *options, int count, char **arguments);
void options_free(Options *options);

#endif
