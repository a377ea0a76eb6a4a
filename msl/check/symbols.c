#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Symbols {
    int file;
    Dwarf *dwarf;
    char *headers;
    Function *functions; /* in order of `begin` */
    size_t count;
    bool have_bit_fields;
};

/* DWARF's number of the frame pointer. */
#if defined(__x86_64__)
enum { FRAME_POINTER = DW_OP_reg6 };
#else
enum { FRAME_POINTER = DW_OP_reg29 };
#endif

static void *grow(void *array, size_t count, size_t size) {
    void *larger = realloc(array, (count + 1) * size);
    if (!larger) abort();
    return larger;
}

static bool in_headers(const Symbols *symbols, const char *file) {
    return !file || !strncmp(file, symbols->headers, strlen(symbols->headers));
}

struct Dwarf *symbols_dwarf(const Symbols *symbols) {
    return symbols->dwarf;
}

/* --- variables --- */

static bool type_size(Dwarf_Die *variable, Dwarf_Word *size) {
    Dwarf_Attribute attribute;
    Dwarf_Die type, peeled;
    return dwarf_formref_die(dwarf_attr_integrate(variable, DW_AT_type, &attribute), &type) &&
           dwarf_peel_type(&type, &peeled) == 0 && dwarf_aggregate_size(&peeled, size) == 0;
}

/* False if it does not lie in the frame. */
static bool frame_offset(Dwarf_Die *variable, ptrdiff_t *from) {
    Dwarf_Attribute attribute;
    Dwarf_Op *operation;
    size_t length;
    if (!dwarf_attr_integrate(variable, DW_AT_location, &attribute) ||
        dwarf_getlocation(&attribute, &operation, &length) != 0 || length != 1 ||
        operation->atom != DW_OP_fbreg)
        return false;
    *from = (ptrdiff_t)operation->number;
    return true;
}

static void add_local(const Symbols *symbols, Function *function, Dwarf_Die *variable) {
    ptrdiff_t from;
    Dwarf_Word size;
    const char *name = dwarf_diename(variable);
    int line = 0;
    if (!name || in_headers(symbols, dwarf_decl_file(variable)) || !frame_offset(variable, &from) ||
        !type_size(variable, &size))
        return;
    dwarf_decl_line(variable, &line);
    function->locals = grow(function->locals, function->count, sizeof *function->locals);
    function->locals[function->count++] = (Local){strdup(name), line, from, size};
}

/* Those of a function's blocks, and of the functions that are inlined into it. */
static void add_locals(const Symbols *symbols, Function *function, Dwarf_Die *block) {
    Dwarf_Die child;
    if (dwarf_child(block, &child) != 0) return;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_variable)
            add_local(symbols, function, &child);
        else if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine)
            add_locals(symbols, function, &child);
    } while (dwarf_siblingof(&child, &child) == 0);
}

/* Is any member of any type one? Each kind of entry says which attributes it has. */
static bool has_bit_fields(Dwarf_Die *unit) {
    Dwarf_Abbrev *kind;
    size_t count;
    unsigned name;
    for (size_t at = 0, length;; at += length) {
        kind = dwarf_getabbrev(unit, at, &length);
        if (!kind || kind == DWARF_END_ABBREV || dwarf_getattrcnt(kind, &count) != 0) return false;
        for (size_t i = 0; i < count; i++)
            if (dwarf_getabbrevattr(kind, i, &name, NULL, NULL) == 0 && name == DW_AT_bit_size)
                return true;
    }
}

bool symbols_have_bit_fields(const Symbols *symbols) {
    return symbols->have_bit_fields;
}

/* --- functions --- */

static bool has_frame_pointer(Dwarf_Die *function) {
    Dwarf_Attribute attribute;
    Dwarf_Op *operation;
    size_t length;
    return dwarf_attr_integrate(function, DW_AT_frame_base, &attribute) &&
           dwarf_getlocation(&attribute, &operation, &length) == 0 && length == 1 &&
           operation->atom == FRAME_POINTER;
}

static int add_function(Dwarf_Die *die, void *argument) {
    Symbols *symbols = argument;
    Dwarf_Addr begin, end;
    if (dwarf_lowpc(die, &begin) != 0 || dwarf_highpc(die, &end) != 0) return DWARF_CB_OK;
    Function function = {.begin = (uint32_t)begin, .end = (uint32_t)end};
    if (has_frame_pointer(die)) add_locals(symbols, &function, die);
    symbols->functions = grow(symbols->functions, symbols->count, sizeof function);
    symbols->functions[symbols->count++] = function;
    return DWARF_CB_OK;
}

static int compare_functions(const void *a, const void *b) {
    const Function *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

static void read_functions(Symbols *symbols) {
    Dwarf_Off unit = 0, next;
    size_t header;
    while (dwarf_nextcu(symbols->dwarf, unit, &next, &header, NULL, NULL, NULL) == 0) {
        Dwarf_Die die;
        if (dwarf_offdie(symbols->dwarf, unit + header, &die)) {
            dwarf_getfuncs(&die, add_function, symbols, 0);
            symbols->have_bit_fields |= has_bit_fields(&die);
        }
        unit = next;
    }
    qsort(symbols->functions, symbols->count, sizeof *symbols->functions, compare_functions);
}

const Function *symbols_function(const Symbols *symbols, uint32_t code) {
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const Function *function = &symbols->functions[middle];
        if (code < function->begin)
            high = middle;
        else if (code >= function->end)
            low = middle + 1;
        else
            return function;
    }
    return NULL;
}

/* --- lines --- */

/* Where an inlined function was called. */
static Place call_place(Dwarf_Die *unit, Dwarf_Die *inlined) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;
    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file);
    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line);
    if (dwarf_getsrcfiles(unit, &files, &count) != 0 || file >= count) return (Place){0};
    return (Place){dwarf_filesrc(files, file, NULL, NULL), (int)line};
}

/* The file as its name was given. */
static Place of_source(Place place) {
    size_t length = strlen(SYMBOLS_FOLDER);
    if (place.file && !strncmp(place.file, SYMBOLS_FOLDER "/", length + 1))
        place.file += length + 1;
    return place;
}

/* Those round an instruction, from the innermost on. What dwarf_getscopes has after the first
 * function that is inlined is round its definition, not round its call. */
static int find_scopes(Dwarf_Die *unit, uint32_t code, Dwarf_Die **scopes) {
    if (dwarf_getscopes(unit, code, scopes) <= 0) return 0;
    Dwarf_Die innermost = **scopes;
    free(*scopes);
    *scopes = NULL;
    return dwarf_getscopes_die(&innermost, scopes);
}

Place symbols_place(const Symbols *symbols, uint32_t code) {
    Dwarf_Die unit;
    if (!dwarf_addrdie(symbols->dwarf, code, &unit)) return (Place){0};
    Place place = {0};
    Dwarf_Line *line = dwarf_getsrc_die(&unit, code);
    if (line) {
        place.file = dwarf_linesrc(line, NULL, NULL);
        dwarf_lineno(line, &place.line);
    }
    Dwarf_Die *scopes = NULL;
    int count = find_scopes(&unit, code, &scopes);
    /* What clang adds to an inlined function has no line. */
    for (int i = 0; i < count && (!place.line || in_headers(symbols, place.file)); i++)
        if (dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine)
            place = call_place(&unit, &scopes[i]);
    free(scopes);
    return of_source(place);
}

static void visit_lines(const Symbols *symbols, Dwarf_Die *unit, SymbolsLine *visit,
                        void *context) {
    Dwarf_Lines *lines;
    size_t count;
    if (dwarf_getsrclines(unit, &lines, &count) != 0) return;
    for (size_t i = 0; i < count; i++) {
        Dwarf_Line *line = dwarf_onesrcline(lines, i);
        Dwarf_Addr address;
        bool ends = true;
        Place place = {.file = dwarf_linesrc(line, NULL, NULL)};
        if (dwarf_lineaddr(line, &address) == 0 && dwarf_lineendsequence(line, &ends) == 0 &&
            dwarf_lineno(line, &place.line) == 0 && !ends && place.line &&
            !in_headers(symbols, place.file))
            visit(context, (uint32_t)address, of_source(place));
    }
}

void symbols_each_line(const Symbols *symbols, SymbolsLine *visit, void *context) {
    Dwarf_Off unit = 0, next;
    size_t header;
    while (dwarf_nextcu(symbols->dwarf, unit, &next, &header, NULL, NULL, NULL) == 0) {
        Dwarf_Die die;
        if (dwarf_offdie(symbols->dwarf, unit + header, &die))
            visit_lines(symbols, &die, visit, context);
        unit = next;
    }
}

Symbols *symbols_open(const char *path, const char *headers) {
    Symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols) return NULL;
    symbols->headers = strdup(headers);
    symbols->file = open(path, O_RDONLY);
    if (symbols->file >= 0) symbols->dwarf = dwarf_begin(symbols->file, DWARF_C_READ);
    if (!symbols->dwarf || !symbols->headers) {
        symbols_close(symbols);
        return NULL;
    }
    read_functions(symbols);
    return symbols;
}

void symbols_close(Symbols *symbols) {
    if (!symbols) return;
    for (size_t f = 0; f < symbols->count; f++) {
        for (size_t i = 0; i < symbols->functions[f].count; i++)
            free(symbols->functions[f].locals[i].name);
        free(symbols->functions[f].locals);
    }
    free(symbols->functions);
    if (symbols->dwarf) dwarf_end(symbols->dwarf);
    if (symbols->file >= 0) close(symbols->file);
    free(symbols->headers);
    free(symbols);
}
