/* reader.h — the tokens of a .metal file, for the files of the binder that read them.
 *
 * Functions that return false leave an error, "file:line: what is wrong", in the file.
 */
#ifndef METAL_LLM_BIND_READER_H
#define METAL_LLM_BIND_READER_H

#include "bind/bind.h"

/* An identifier, a number, a string or a single character; comments and # lines are none. */
typedef struct Token {
    const char *text; /* into the file; NULL at the end */
    size_t length;
    int line;
} Token;

typedef struct Reader {
    BoundFile *file;
    const char *at, *end;
    int line;
    const char *path; /* of the line, which is another file's where that was included */
    int path_length;
    bool reads_macros; /* the tokens of #define lines, too */
    Token token;       /* the current one */
    const char *scope; /* "a::b::", the namespaces that it is in */
    enum {
        NO_BODY,
        KERNEL_BODY,
        TEMPLATE_BODY
    } body; /* of the last kernel or template: we are in it */
} Reader;

/* At the first token of a part of the file's text, which was read at `place`. */
Reader reader_start(BoundFile *file, BoundPlace place, const char *text, const char *end);
/* At the first token of the whole text. */
Reader reader_start_file(BoundFile *file);
void reader_next(Reader *reader);
/* After a token that must be there. */
bool reader_expect(Reader *reader, const char *text);
/* To the ']' that ends an attribute. */
void reader_skip_to_bracket(Reader *reader);
/* After `<…>`; the current token is the '<'. */
void reader_skip_angles(Reader *reader);

/* After `(…)`; the current token is the '('. */
void reader_skip_parentheses(Reader *reader);

size_t reader_offset(const Reader *reader, const Token *token);
BoundPlace reader_place(const Reader *reader);
/* Just after the current token, which ends in the line where it begins. */
BoundPlace reader_place_behind(const Reader *reader);

/* A copy that the file keeps, "" without memory. */
const char *reader_keep(Reader *reader, const char *text, size_t length);
/* Append to `*words`. */
bool reader_join(Reader *reader, const char **words, const char *text, size_t length);
/* Append a token to `*words`, separated by a blank where two words meet. */
bool reader_append(Reader *reader, const char **words, const Token *token);
/* False; the first refusal stands. */
bool reader_refuse(Reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Make room for one element of `size` bytes after the `count` of an array: `array` points to its
 * pointer. */
bool reader_grow(Reader *reader, void *array, size_t count, size_t size);
/* text[begin, end) is replaced by `insert`. */
bool reader_edit(Reader *reader, size_t begin, size_t end, const char *insert);

bool token_is(const Token *token, const char *text);
bool token_is_word(const Token *token);
/* 1.0, 1e5, 0x1p3: a number that C++ takes for a double, and Metal for a float? */
bool token_is_double(const Token *token);
bool is_word_character(char c);

/* How deep a token is in <…> and in (…), where < and > compare. */
typedef struct Depth {
    int angle, parenthesis;
} Depth;
void depth_count(Depth *depth, const Token *token);

/* --- what begins outside of all braces --- */

extern const char *const kernel_word; /* replaces [[kernel]] and is as long */

/* What stands in front of a function. */
typedef enum Stage { NO_STAGE, KERNEL_STAGE, OTHER_STAGE } Stage; /* vertex, fragment, … */
typedef struct Lead {
    Stage stage;
    const char *host_name; /* NULL if there is none */
} Lead;
/* After [[attributes]] and the words that may be mixed with them. */
bool read_lead(Reader *reader, Lead *lead);
/* `void name(…)`; the current token is the one after all that read_lead reads. `template` gets all
 * but where it begins and ends; NULL for a kernel that is none. What cannot be bound is refused in
 * `kernel`, if its name is known. */
bool read_kernel(Reader *reader, const Lead *lead, BoundTemplate *template, BoundKernel *kernel);
bool add_kernel(Reader *reader, const BoundKernel *kernel);
/* From its host name, which may be NULL, or its function. */
void name_kernel(Reader *reader, BoundKernel *kernel, const char *host_name);
/* [[name]] or [[name(n)]]; the current token is the first '['. What may follow after a comma, as
 * function_constant(flag) does, is left out. */
bool read_attribute(Reader *reader, BoundParameter *parameter);
/* The current token is `template`, at `begin`. `left_out` becomes true if it is no code to run. */
bool read_template(Reader *reader, BoundPlace begin, BoundKernel *kernel, bool *left_out);
/* Is the current token the start of `uint gid [[thread_position_in_grid]];`? Then read it. */
bool take_input(Reader *reader);
/* The current token is `enum`, which stays so: note its names' values. */
bool read_enum(Reader *reader);
/* The value of an expression up to a ',' or ')' or ';' or '}' that is not in parentheses. False if
 * it is not known, or not from 0 to UINT32_MAX. */
bool read_number(Reader *reader, unsigned *value);
/* `threadgroup type name[n]…, name…;` in a function, of which `threadgroup` is the current token;
 * `statement` is where it begins. */
bool read_variables(Reader *reader, const Reader *statement);
/* The same outside of functions, where none may be. */
bool refuse_variables(Reader *reader, const Reader *statement);
/* All member functions of all classes: words as in `float get() const device`, which C++ does not
 * know there, go, and functions that differ in them alone become one. */
bool read_members(Reader *reader);
/* "texture", "sampler", or "" of other types; those of an array are its elements'. */
const char *handle_attribute(const char *type);
/* What all structures hold. */
bool read_structs(Reader *reader);
/* What C++ would take in another sense, wherever it is: 1.0, double, coherent(system), parameters
 * that are arrays in an address space, [[threadgroup(0)]], ext_vector_type. */
bool read_words(Reader *reader);
/* `v.xyz.x = …` becomes `v.x = …`: a vector of ours hands out its swizzles as copies. The current
 * token is the first '.'. */
bool read_swizzles(Reader *reader);
/* Is `constant`, the current token, the start of a function constant? Then read it. */
bool take_function_constant(Reader *reader);
/* The current token is `constant`, which stays so: note the values of numbers that are known here,
 * and which of them the host shares. */
bool read_values(Reader *reader);

#endif
