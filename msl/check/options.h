/* options.h — the command line of metal-check. */
#ifndef METAL_LLM_MSL_CHECK_OPTIONS_H
#define METAL_LLM_MSL_CHECK_OPTIONS_H

#include "array.h"
#include "checker.h"
#include "program.h"

/* Exit statuses. */
enum { CLEAN = 0, FOUND = 1, CANNOT = 2 };
enum { FLAGS = 64, RULES = 64, CONSTANTS = 256 };

enum { TARGET_BYTES = 128, LABEL_BYTES = 192 };

typedef enum BindingKind {
    BINDING_MEMORY,  /* a buffer */
    BINDING_VALUE,   /* a part of one */
    BINDING_TEXTURE, /* memory, too */
    BINDING_SAMPLER,
} BindingKind;

/* What the kernel is given. Those of [[buffer(n)]] come first, by their index; a checker's slot has
 * the same number. */
typedef struct Binding {
    const char *option, *given; /* "--buffer", "3=ones:f32:8"; NULL: not at all */
    char target[TARGET_BYTES];  /* "3", "texture:0", "sampler:1"; of members "3.inner.p[2]" */
    const char *content;        /* after the '=' */
    const char *output;         /* file to save it to */
    bool by_name;               /* the content names members: "n=3,eps=1e-5" */
    const char *shares;         /* the target whose memory it lies in; NULL: it has its own */
    size_t shared_offset;       /* where, in bytes */
    Array array;
    bool unordered; /* the order of its elements does not matter */

    /* Once the kernel is known: */
    BindingKind kind;
    bool is_used;            /* by the kernel */
    bool is_made;            /* for the members that are given */
    char name[TARGET_BYTES]; /* "out", "a.inner.p" */
    char label[LABEL_BYTES]; /* "'out' [[buffer(3)]]", "'a.inner.p'" */
    int index;               /* −1: a member */
    Space space;
    bool writable;
    bool is_member;
    size_t parent, offset; /* the binding that it is in, and where */
    SimtTexture texture;
    SimtSampler sampler;

    unsigned char *memory; /* that the kernel sees */
    unsigned char
        *first; /* what the first seed left, [array.size], shared with the kernel's process */
} Binding;

typedef struct Options {
    ProgramOptions program;
    char *flags[FLAGS + 1];
    size_t flag_count;
    SimtSize grid, threads, groups; /* groups: instead of the grid */
    Binding bindings[CHECKER_SLOTS];
    size_t binding_count; /* at least SIMT_BUFFERS */
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
/* Has a launch its sizes? Each that is missing gets a message. */
bool options_sizes_are_given(const Options *options);
/* The binding of a target, which is made if there is none. NULL, with a message, if there is no
 * room. */
Binding *options_binding(Options *options, const char *target, size_t length);

#endif
