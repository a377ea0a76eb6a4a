/* lexer.h — a template's source as tokens. */
#ifndef METAL_LLM_JINJA_LEXER_H
#define METAL_LLM_JINJA_LEXER_H

#include "jinja.h"

typedef enum TokenKind {
    TOKEN_END, /* of the template */
    TOKEN_DATA,
    TOKEN_VARIABLE_BEGIN,
    TOKEN_VARIABLE_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_TEXT,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_OPERATOR,
} TokenKind;

typedef struct Token {
    TokenKind kind;
    unsigned line;
    Text text; /* as it stands in the source; of a text, with its escapes resolved */
    Value number;
} Token;

/* Tokens up to and including TOKEN_END. White space is taken away as trim_blocks, lstrip_blocks and
 * the signs "-" and "+" of tags say. */
const Token *jinja_tokens(Jinja *, const char *source, size_t size);

#endif
