/* bind.h — the binder reads the signatures of Metal kernels, and writes what other targets need to
 * call them.
 *
 * The binder is the twin of Metal's own reflection. It reads `kernel void name(…)` and the
 * [[attributes]] of the parameters, and little else of the language: what another compiler would
 * take in another sense. What it cannot read it refuses, naming file and line.
 */
#ifndef METAL_LLM_BIND_H
#define METAL_LLM_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "device/kernel.h"

enum {
    BIND_INDICES = 31, /* [[buffer(n)]] and [[threadgroup(n)]] have n below this */
    BIND_TEXTURES = 128,
    BIND_SAMPLERS = 16,
};

typedef enum BoundKind {
    BOUND_BUFFER,      /* device T *, device const T *, constant T *, device T & [[buffer(n)]] */
    BOUND_CONSTANT,    /* constant T & [[buffer(n)]] */
    BOUND_THREADGROUP, /* threadgroup T *, threadgroup T & [[threadgroup(n)]] */
    BOUND_BUILTIN,     /* uint3 id [[thread_position_in_grid]] */
    BOUND_TEXTURE,     /* texture2d<T> or array<texture2d<T>, 4> [[texture(n)]] */
    BOUND_SAMPLER,     /* sampler [[sampler(n)]] */
} BoundKind;

typedef struct BoundParameter {
    BoundKind kind;
    bool writable;  /* a device pointer without const */
    bool constant;  /* in Metal's constant memory */
    bool reference; /* T &, not T * */
    bool array;     /* T name[4], which is a pointer, too */
    const char *name;
    const char *type;      /* of the element or value, without qualifiers */
    const char *attribute; /* "buffer", "threadgroup", "thread_position_in_grid", … */
    unsigned index;        /* of buffer(n), threadgroup(n), texture(n), sampler(n) */
    int line;
    bool has_index;    /* in the text */
    bool numbered;     /* by the binder, as Metal does where [[buffer(n)]] is left out */
    bool optional;     /* there only if a function constant says so */
    size_t star;       /* offset in the text just past the '*', 0 if there is none */
    size_t begin, end; /* of [[attribute]] in the text */
} BoundParameter;

typedef struct BoundKernel {
    const char *name;     /* its [[host_name]], or what C++ calls it: "blur", "image::blur" */
    const char *symbol;   /* the same of letters, digits and _ alone */
    const char *function; /* what C++ calls it; of an instance "scale<float, 4>" */
    bool is_instance;     /* of a template */
    const char *refused;  /* "file:line: why it cannot be bound", NULL if it can */
    int line;
    bool waits;        /* calls wait_for_previous_kernel() itself, see kernels/parts/wait.h */
    size_t begin, end; /* of all of it in the text; those of an instance are the instance's */
    unsigned count;
    BoundParameter *parameter; /* in the order of the signature; instances share their template's */
} BoundKernel;

/* An offset in the text, and the line that it is in: of another file where that was included. */
typedef struct BoundPlace {
    size_t at;
    const char *path; /* path_length bytes */
    int path_length, line;
} BoundPlace;

/* template <typename T, uint N = 4> kernel void scale(…) {…} */
typedef struct BoundTemplate {
    size_t parameters;            /* offset of the '<' */
    size_t body;                  /* of the '{', 0 if there is none */
    BoundPlace begin, end;        /* of all of it */
    BoundPlace name, behind_name; /* its name's */
    BoundKernel kernel;
} BoundTemplate;

/* template [[host_name("scale_float")]] kernel … scale<float>…; */
typedef struct BoundInstance {
    size_t kernel, template; /* their indices */
    BoundPlace begin, end;   /* of all of it */
    size_t types; /* offset after scale<float>: of its parameters' types, if they follow */
} BoundInstance;

/* A threadgroup variable declared in a function body: text[begin, end) is the declaration with its
 * semicolon. */
typedef struct BoundVariable {
    size_t begin, end;
    int line;
    const char *type, *name, *dimensions;
    const char *value; /* after its '=', or empty */
} BoundVariable;

/* constant T name [[function_constant(index)]]; */
typedef struct BoundFunctionConstant {
    size_t begin, end;
    const char *type, *name;
    unsigned index;
    int line;
} BoundFunctionConstant;

/* uint2 id [[thread_position_in_grid]]; outside of all functions */
typedef struct BoundInput {
    size_t begin, end;
    const char *type, *name, *attribute;
    int line;
} BoundInput;

/* device float *name[4]; in a structure */
typedef struct BoundMember {
    const char *owner, *type, *name; /* the structure's name; the type without qualifiers */
    BoundKind kind;                  /* BOUND_BUFFER, a pointer; BOUND_TEXTURE, BOUND_SAMPLER; else
                                      * BOUND_CONSTANT */
    bool is_pointer;
    unsigned count; /* of an array's elements, 0 if that is not known */
} BoundMember;

/* constant constexpr uint NAME = 4; or enum { NAME = 4 }; */
typedef struct BoundValue {
    const char *name;
    long long value;
    bool is_shared; /* with the host: a comment that begins with `host:` follows in its line */
    BoundPlace place;
} BoundValue;

/* What text[begin, end) is replaced by, for all targets: one of four. */
typedef struct BoundEdit {
    size_t begin, end;
    int line;
    const char *insert;
    const BoundVariable *variable;
    const BoundFunctionConstant *constant;
    const BoundInput *input;
} BoundEdit;

typedef struct BoundFile {
    const char *path; /* as given; kept by the caller, like the text */
    const char *text;
    size_t size;
    BoundKernel *kernels;
    size_t kernel_count;
    BoundTemplate *templates; /* of kernels: their instances are among the kernels */
    size_t template_count;
    BoundInstance *instances;
    size_t instance_count;
    BoundVariable *variables;
    size_t variable_count;
    BoundFunctionConstant *constants;
    size_t constant_count;
    BoundInput *inputs;
    size_t input_count;
    BoundValue *values; /* of constants that are whole numbers and known here */
    size_t value_count;
    BoundMember *members; /* of all structures */
    size_t member_count;
    BoundEdit *edits; /* in order; none overlaps another */
    size_t edit_count;
    char **strings; /* what the pointers to words above point to */
    size_t string_count;
    int last_line;   /* the largest number of a line */
    char error[256]; /* "file:line: what is wrong", empty if all was read */
} BoundFile;

/* A file's content and a 0, to be freed by the caller. NULL if it cannot be read. */
char *bind_load(const char *path, size_t *size);

/* Where a file of this name is read from: its content and a 0, and in `path` what messages call it,
 * both to be freed by the binder. Where several have the name, `skip` of them are left out: a
 * target that has its own parts/x.h includes the kernels' "parts/x.h" from it. NULL if there is
 * none. */
typedef char *BindLoad(void *context, const char *name, unsigned skip, size_t *size, char **path);

/* Folders to look for a name in, in this order. */
typedef struct BindFolders {
    const char *const *folder;
    size_t count;
} BindFolders;
/* A BindLoad. */
char *bind_load_from(void *folders, const char *name, unsigned skip, size_t *size, char **path);

/* The text of `name`, which begins with a #line that says what it is called, with #include "…"
 * replaced by what it names, once each; to be freed by the caller. NULL, with `error` set, if a
 * file is missing or includes itself. */
char *bind_expand(BindLoad *load, void *context, const char *name, size_t *size, char error[256]);

/* Read a file's text, as it is, expanded, or as clang++ -E leaves it. False, with file->error set,
 * for what the binder does not take. */
bool bind_read(BoundFile *file, const char *path, const char *text, size_t size);
/* The same for a file of which one kernel is wanted: another one that cannot be bound does no harm.
 * See BoundKernel.refused. */
bool bind_read_some(BoundFile *file, const char *path, const char *text, size_t size);
void bind_free(BoundFile *file);

/* A file as it is. */
typedef struct BoundText {
    const char *name, *text;
    size_t size;
} BoundText;

/* The file as C++ for one target: a threadgroup variable's type as NAME_type and
 * MSL_THREADGROUP(name), MSL_RESTRICT in the buffers' types, the kernels' [[attributes]] left out,
 * and after the text one MSL_ENTRY(kernel, (arguments), waits) per kernel, and MSL_END. */
void bind_write_source(const BoundFile *file, FILE *out);
/* The same without the other kernels: their bodies, and all of those that are no templates. False
 * without memory. */
bool bind_write_kernel(const BoundFile *file, const BoundKernel *kernel, FILE *out);
/* The file for the strict check: each kernel template's instances written out as kernels of their
 * own, in the place of the lines that name them, since C++ for OpenCL has no kernel templates;
 * `kernel` where [[kernel]] is. #line keeps every line and column. False, with file->error set, for
 * a template that it cannot write out. */
bool bind_write_strict(BoundFile *file, FILE *out);
/* C: the texts as KernelSource NAMEs[], and NAME_count. */
void bind_write_texts(const BoundText *texts, size_t count, const char *name, FILE *out);
/* C: kernel_table[] (see kernel.h) of all files; a file's name is `names[i]`. */
void bind_write_table(const BoundFile *files, const char *const *names, size_t count, FILE *out);
/* C: a macro for each constant that host and kernels share, as LINEAR_TILE_ROWS is for the ROWS of
 * linear_tile.metal. False, with `error` set, if two have the same name. */
bool bind_write_constants(const BoundFile *files, size_t count, FILE *out, char error[256]);
/* C: PREFIX_entries[], the entry points of one target in the order of kernel_table[]. */
void bind_write_entries(const BoundFile *files, size_t count, const char *prefix, FILE *out);

#endif
