/* members.c — member functions in address spaces: `C(float x) thread : r(x) {}`.
 *
 * Away from Apple an object's space is no part of its functions' types. The words go, and of the
 * functions that differ in them alone the first one stays.
 */
#include "reader.h"

#include <string.h>

enum { MOST_MEMBERS = 256 };

typedef struct Member {
    const char *words; /* up to its body, without the space */
    bool has_space;
} Member;

typedef struct Class {
    Member member[MOST_MEMBERS];
    size_t count;
} Class;

static bool is_space(const Token *token) {
    return token_is(token, "thread") || token_is(token, "device") || token_is(token, "constant") ||
           token_is(token, "threadgroup") || token_is(token, "ray_data") ||
           token_is(token, "threadgroup_imageblock");
}

static bool is_qualifier(const Token *token) {
    return token_is(token, "const") || token_is(token, "volatile") || token_is(token, "noexcept");
}

/* After the ')' of a function's parameters. */
static bool read_qualifiers(Reader *reader, Member *member) {
    while (is_space(&reader->token) || is_qualifier(&reader->token)) {
        size_t begin = reader_offset(reader, &reader->token);
        if (is_space(&reader->token)) {
            member->has_space = true;
            if (!reader_edit(reader, begin, begin + reader->token.length, "")) return false;
        } else if (!reader_append(reader, &member->words, &reader->token)) {
            return false;
        }
        reader_next(reader);
    }
    return true;
}

/* Is there the same function in another space? Else it is noted. */
static bool is_repeated(Class *class, const Member *member) {
    for (size_t i = 0; i < class->count; i++)
        if (!strcmp(class->member[i].words, member->words))
            return member->has_space || class->member[i].has_space;
    if (class->count < MOST_MEMBERS) class->member[class->count++] = *member;
    return false;
}

/* After the braces; the current token is the '{'. Returns where they end. */
static size_t skip_braces(Reader *reader) {
    int depth = 0;
    size_t end;
    do {
        depth += token_is(&reader->token, "{") - token_is(&reader->token, "}");
        end = reader_offset(reader, &reader->token) + reader->token.length;
        reader_next(reader);
    } while (depth > 0 && reader->token.text);
    return end;
}

/* To the end of a member function: a ';', or its body, which does not follow a name as the braces
 * of an initialiser do. Where it ends is returned. */
static size_t skip_function(Reader *reader) {
    Token last = {0};
    bool initialises = token_is(&reader->token, ":");
    while (reader->token.text && !token_is(&reader->token, "}")) {
        if (token_is(&reader->token, ";")) break;
        bool is_body = token_is(&reader->token, "{") && (!initialises || !token_is_word(&last));
        last = reader->token;
        if (token_is(&reader->token, "(")) {
            reader_skip_parentheses(reader);
            last = (Token){")", 1, reader->line};
        } else if (token_is(&reader->token, "{")) {
            size_t end = skip_braces(reader);
            last = (Token){"}", 1, reader->line};
            if (is_body) return end;
        } else {
            reader_next(reader);
        }
    }
    size_t end = reader_offset(reader, &reader->token);
    if (!token_is(&reader->token, ";")) return end;
    reader_next(reader);
    return end + 1;
}

/* public: */
static bool is_access(const Member *member, const Token *token) {
    return token_is(token, ":") &&
           (!strcmp(member->words, "public") || !strcmp(member->words, "protected") ||
            !strcmp(member->words, "private"));
}

static bool read_class(Reader *reader);

/* `class`, `struct` or `union`: to the '{' of what it has. False if that does not follow. */
static bool find_class(Reader *reader) {
    if (!token_is(&reader->token, "struct") && !token_is(&reader->token, "class") &&
        !token_is(&reader->token, "union"))
        return false;
    Depth depth = {0};
    for (reader_next(reader); reader->token.text; reader_next(reader)) {
        if (!depth.angle && !depth.parenthesis) {
            if (token_is(&reader->token, "{")) return true;
            if (token_is(&reader->token, ";") || token_is(&reader->token, "=") ||
                token_is(&reader->token, ")") || token_is(&reader->token, ">") ||
                token_is(&reader->token, "*") || token_is(&reader->token, "&"))
                return false;
        }
        depth_count(&depth, &reader->token);
    }
    return false;
}

/* One member, to just past its end. */
static bool read_member(Reader *reader, Class *class) {
    Member member = {.words = ""};
    size_t begin = reader_offset(reader, &reader->token);
    int parentheses = 0;
    while (reader->token.text) {
        Token token = reader->token;
        Reader start = *reader;
        if (find_class(reader)) return read_class(reader);
        *reader = start;
        if (!parentheses && token_is(&token, "{")) {
            skip_braces(reader);
            return true;
        }
        if (!parentheses && token_is(&token, "}")) return true;
        reader_next(reader);
        if (!parentheses && (token_is(&token, ";") || is_access(&member, &token))) return true;
        bool is_result = !parentheses && is_space(&token); /* device T &operator[]… */
        if (!is_result && !reader_append(reader, &member.words, &token)) return false;
        parentheses += token_is(&token, "(") - token_is(&token, ")");
        bool is_call = token_is(&reader->token, "("); /* operator()() */
        if (parentheses || !token_is(&token, ")") || is_call) continue;
        if (!read_qualifiers(reader, &member)) return false;
        bool repeated = is_repeated(class, &member);
        size_t end = skip_function(reader);
        return !repeated || reader_edit(reader, begin, end, "");
    }
    return true;
}

/* The current token is the '{'; to just past the '}'. */
static bool read_class(Reader *reader) {
    Class class;
    class.count = 0;
    reader_next(reader);
    while (reader->token.text && !token_is(&reader->token, "}"))
        if (!read_member(reader, &class)) return false;
    if (reader->token.text) reader_next(reader);
    return true;
}

bool read_members(Reader *outer) {
    BoundFile *file = outer->file;
    Reader reader = reader_start_file(file);
    while (reader.token.text) {
        Reader start = reader;
        if (find_class(&reader)) {
            if (!read_class(&reader)) return false;
        } else {
            reader = start;
            reader_next(&reader);
        }
    }
    return true;
}
