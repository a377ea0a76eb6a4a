/* program.h — one kernel of a .metal file, compiled for the checker and loaded. */
#ifndef METAL_LLM_MSL_CHECK_PROGRAM_H
#define METAL_LLM_MSL_CHECK_PROGRAM_H

#include "bind/bind.h"
#include "simt.h"
#include "symbols.h"

/* --constant INDEX=VALUE */
typedef struct ConstantValue {
    unsigned index;
    const char *value; /* as C++ */
} ConstantValue;

typedef struct ProgramOptions {
    const char *path;    /* of the .metal file; "-": standard input */
    const char *kernel;  /* its name */
    unsigned simd_width; /* SIMD_WIDTH in the file */
    const ConstantValue *constants;
    size_t constant_count;
    bool coverage;      /* tell which code runs */
    const char *cache;  /* folder to keep compiled kernels in; NULL: they are not kept */
    char *const *flags; /* for the preprocessor (-D, -I, -include); NULL-terminated */
} ProgramOptions;

typedef struct Program {
    BoundFile file;
    const BoundKernel *kernel;
    simt_entry *entry;
    Symbols *symbols;
    void *handle;
    const char *begin, *end; /* of the library in memory */
    int reserve;             /* a file descriptor to remove the folder with; 0: none */
    char folder[256];        /* temporary */
    char headers[280];       /* in it: <metal_stdlib> */
    char library[512];       /* the compiled kernel */
    char *text;
} Program;

/* Compile. What is wrong with the file goes to stderr, each with file and line. False if it cannot
 * be run. */
bool program_open(Program *program, const ProgramOptions *options);
/* The file's kernels and their parameters, on stdout. False if it cannot be read. */
bool program_list(Program *program, const ProgramOptions *options, bool json);
/* Bring the compiled kernel into memory, and with it the constructors of its file: for a process
 * that can do no harm. */
bool program_load(Program *program);
/* The language check of an open program's file: what Apple's compiler would refuse goes to stderr,
 * each with file and line. False if there is anything. */
bool program_strict(Program *program, const ProgramOptions *options);
/* Frees a program that could not be opened, too, and removes the temporary folder. */
void program_close(Program *program);

#endif
