#include "reach.h"

#include "bind/reader.h"

#include <stdlib.h>
#include <string.h>

/* A declaration outside of all braces but those of namespaces. */
typedef struct Chunk {
    size_t begin, end; /* of its words in Reach.words */
    bool is_root, is_reached;
} Chunk;

typedef struct Name {
    Token word;
    size_t chunk;
} Name;

struct Reach {
    BoundFile file;
    Token *words;
    size_t word_count;
    Chunk *chunks;
    size_t chunk_count;
    Name *names; /* sorted; a declaration may have several, or none */
    size_t name_count;
};

static int compare_words(const Token *a, const Token *b) {
    size_t length = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_names(const void *a, const void *b) {
    return compare_words(&((const Name *)a)->word, &((const Name *)b)->word);
}

static bool add_word(Reach *reach, Reader *reader) {
    if (!token_is_word(&reader->token)) return true;
    if (!reader_grow(reader, &reach->words, reach->word_count, sizeof *reach->words)) return false;
    reach->words[reach->word_count++] = reader->token;
    return true;
}

static bool add_name(Reach *reach, Reader *reader, const Token *word) {
    if (!reader_grow(reader, &reach->names, reach->name_count, sizeof *reach->names)) return false;
    reach->names[reach->name_count++] = (Name){*word, reach->chunk_count};
    return true;
}

static bool is_one_of(const Token *token, const char *characters) {
    return token->text && token->length == 1 && strchr(characters, *token->text);
}

/* Where in a declaration we are. */
typedef struct Position {
    Depth depth;
    int braces, brackets;
    bool in_head; /* before its body or value */
    bool is_function, is_constant;
    Token before; /* the token before */
} Position;

/* A word outside of all brackets that one of these follows may be what is declared, and what
 * MSL_FUNCTION_CONSTANT begins with is. */
static bool note_name(Reach *reach, Reader *reader, Position *at) {
    const Token *token = &reader->token, *before = &at->before;
    if (at->is_constant && token_is_word(token) && token_is(before, "(")) {
        at->is_constant = false;
        return add_name(reach, reader, token);
    }
    bool is_outside = at->in_head && !at->depth.angle && !at->depth.parenthesis && !at->brackets;
    if (!is_outside || !is_one_of(token, "(=[;,{:")) return true;
    at->is_function |= token_is(token, "(");
    at->in_head = !is_one_of(token, "={");
    if (!token_is_word(before)) return true;
    at->is_constant = token_is(before, "MSL_FUNCTION_CONSTANT");
    reach->chunks[reach->chunk_count].is_root |=
        token_is(before, "MSL_ENTRY") || token_is(before, "MSL_INSTANCE");
    return at->is_constant || add_name(reach, reader, before);
}

static void move(Position *at, const Token *token) {
    depth_count(&at->depth, token);
    at->brackets += token_is(token, "[") - token_is(token, "]");
    at->braces += token_is(token, "{") - token_is(token, "}");
    at->before = *token;
}

/* The words of one more declaration, from the current token on. */
static bool read_chunk(Reach *reach, Reader *reader) {
    if (!reader_grow(reader, &reach->chunks, reach->chunk_count, sizeof *reach->chunks))
        return false;
    Chunk *chunk = &reach->chunks[reach->chunk_count];
    size_t first_name = reach->name_count;
    *chunk = (Chunk){.begin = reach->word_count};
    Position at = {.in_head = true};
    while (reader->token.text) {
        Token token = reader->token;
        bool was_body = at.is_function && !at.braces && token_is(&at.before, "}");
        if (was_body && !token_is(&token, ";")) break;
        if (!note_name(reach, reader, &at) || !add_word(reach, reader)) return false;
        move(&at, &token);
        reader_next(reader);
        if (!at.braces && !at.depth.parenthesis && token_is(&token, ";")) break;
    }
    chunk->end = reach->word_count;
    chunk->is_root |= reach->name_count == first_name;
    reach->chunk_count++;
    return true;
}

/* `namespace a {` and the brace that ends it. */
static bool skip_namespace(Reader *reader) {
    if (token_is(&reader->token, "}")) {
        reader_next(reader);
        return true;
    }
    Reader start = *reader;
    if (!token_is(&reader->token, "namespace")) return false;
    while (reader->token.text && !token_is(&reader->token, "{") && !token_is(&reader->token, "="))
        reader_next(reader);
    bool is_body = token_is(&reader->token, "{");
    if (!is_body) *reader = start;
    if (is_body) reader_next(reader);
    return is_body;
}

static void visit(Reach *reach, Chunk *chunk) {
    if (chunk->is_reached) return;
    chunk->is_reached = true;
    for (size_t i = chunk->begin; i < chunk->end; i++) {
        Name wanted = {.word = reach->words[i]}, *end = reach->names + reach->name_count;
        Name *name =
            bsearch(&wanted, reach->names, reach->name_count, sizeof wanted, compare_names);
        while (name && name > reach->names && !compare_names(name - 1, &wanted))
            name--;
        for (; name && name < end && !compare_names(name, &wanted); name++)
            visit(reach, &reach->chunks[name->chunk]);
    }
}

static bool read_all(Reach *reach) {
    Reader reader = reader_start_file(&reach->file);
    while (reader.token.text)
        if (!skip_namespace(&reader) && !read_chunk(reach, &reader)) return false;
    return true;
}

Reach *reach_new(const char *source, size_t size) {
    Reach *reach = calloc(1, sizeof *reach);
    if (!reach) return NULL;
    reach->file = (BoundFile){.path = "", .text = source, .size = size};
    if (!read_all(reach)) {
        reach_free(reach);
        return NULL;
    }
    qsort(reach->names, reach->name_count, sizeof *reach->names, compare_names);
    for (size_t i = 0; i < reach->chunk_count; i++)
        if (reach->chunks[i].is_root) visit(reach, &reach->chunks[i]);
    return reach;
}

void reach_free(Reach *reach) {
    if (!reach) return;
    bind_free(&reach->file);
    free(reach->words);
    free(reach->chunks);
    free(reach->names);
    free(reach);
}

bool reach_has(const Reach *reach, const char *name) {
    Token wanted = {.text = name, .length = strlen(name)};
    for (size_t i = 0; i < reach->name_count; i++)
        if (!compare_words(&reach->names[i].word, &wanted) &&
            reach->chunks[reach->names[i].chunk].is_reached)
            return true;
    return false;
}
