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
    Token token; /* the current one */
    enum {
        NO_BODY,
        KERNEL_BODY,
        TEMPLATE_BODY
    } body; /* of the last kernel or template: we are in it */
} Reader;

/* At the first token of a part of the file's text, which was read at `place`. */
Reader reader_start(BoundFile *file, BoundPlace place, const char *text, const char *end);
void reader_next(Reader *reader);
/* Behind a token that must be there. */
bool reader_expect(Reader *reader, const char *text);
/* To the ']' that ends an attribute. */
void reader_skip_to_bracket(Reader *reader);
/* Behind `<…>`; the current token is the '<'. */
void reader_skip_angles(Reader *reader);

size_t reader_offset(const Reader *reader, const Token *token);
BoundPlace reader_place(const Reader *reader);
/* Just behind the current token, which ends in the line where it begins. */
BoundPlace reader_place_behind(const Reader *reader);

/* Append a token to `words`, separated by a blank where two words meet. */
bool reader_append(Reader *reader, char *words, size_t size, const Token *token);
/* False; the first refusal stands. */
bool reader_refuse(Reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Make room for one element of `size` bytes behind the `count` of an array: `array` points to its
 * pointer. */
bool reader_grow(Reader *reader, void *array, size_t count, size_t size);
/* text[begin, end) is replaced by `insert`. */
bool reader_edit(Reader *reader, size_t begin, size_t end, const char *insert);

bool token_is(const Token *token, const char *text);
bool token_is_word(const Token *token);
bool is_word_character(char c);

/* How deep a token is in <…> and in (…), where < and > compare. */
typedef struct Depth {
    int angle, parenthesis;
} Depth;
void depth_count(Depth *depth, const Token *token);

/* --- what begins outside of all braces --- */

extern const char *const kernel_word; /* replaces [[kernel]] and is as long */

/* At [[kernel]] or [[kernel, …]]? Then behind it. The current token is a '['. */
bool take_kernel_attribute(Reader *reader);
/* `void name(…)`; the current token is the one behind `kernel`. `template` gets all but where it
 * begins and ends; NULL for a kernel that is none. */
bool read_kernel(Reader *reader, BoundTemplate *template);
bool add_kernel(Reader *reader, const BoundKernel *kernel);
/* [[name]] or [[name(n)]]; the current token is the first '['. What may follow behind a comma, as
 * function_constant(flag) does, is left out. */
bool read_attribute(Reader *reader, BoundParameter *parameter);
/* The current token is `template`. */
bool read_template(Reader *reader);
/* Outside of all braces the current token ends what it ends: the last template, if that is open. */
void end_template(Reader *reader);
/* Is `constant`, the current token, the start of a function constant? Then read it. */
bool take_function_constant(Reader *reader);
/* The current token is `constant`, which stays so: note the values of numbers that are known here,
 * and which of them the host shares. */
bool read_values(Reader *reader);

#endif
