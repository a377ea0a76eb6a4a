/* symbols.h — a compiled kernel's debug information: the source line of an instruction, and where
 * on the stack the variables of a function lie.
 */
#ifndef METAL_LLM_MSL_CHECK_SYMBOLS_H
#define METAL_LLM_MSL_CHECK_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a kernel is to be compiled in (-fdebug-compilation-dir): relative paths stay relative. */
#define SYMBOLS_FOLDER "/source"

/* A variable on the stack. */
typedef struct Local {
    char *name;
    int line;       /* of its declaration */
    ptrdiff_t from; /* its first byte, counted from the frame pointer */
    size_t size;    /* bytes */
} Local;

typedef struct Function {
    uint32_t begin, end; /* of its code: offsets in the library */
    size_t count;
    Local *locals;
} Function;

typedef struct Place {
    const char *file; /* kept by the symbols; NULL if unknown */
    int line;
} Place;

typedef struct Symbols Symbols;

/* Read the shared library at `path`. Code and variables that come from files in the folder
 * `headers` count as the language's own, not as the kernel's. NULL if there is no debug
 * information. */
Symbols *symbols_open(const char *path, const char *headers);
/* Each instruction that begins a line of the source, those of the language's headers apart. */
typedef void SymbolsLine(void *context, uint32_t code, Place place);
void symbols_each_line(const Symbols *symbols, SymbolsLine *visit, void *context);
void symbols_close(Symbols *symbols); /* NULL is fine */

/* Does a structure that the file uses have any? */
bool symbols_have_bit_fields(const Symbols *symbols);

/* All of the debug information, as libdw has it. */
struct Dwarf *symbols_dwarf(const Symbols *symbols);

/* The function that the instruction at this offset belongs to, with the kernel's variables in it.
 * NULL if unknown. */
const Function *symbols_function(const Symbols *symbols, uint32_t code);
/* The line of the kernel that the instruction belongs to, be it by way of functions of the headers
 * that are inlined there. */
Place symbols_place(const Symbols *symbols, uint32_t code);

#endif
