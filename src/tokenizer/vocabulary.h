/* vocabulary.h — what each id stands for, and the id of a text. */
#ifndef METAL_LLM_VOCABULARY_H
#define METAL_LLM_VOCABULARY_H

#include "keyed_hash.h"
#include "tokenizer.h"

#define NO_TOKEN UINT32_MAX

typedef struct Token {
    size_t text, bytes; /* where in Vocabulary.text its text, and what it decodes to, begin */
    uint32_t text_size, bytes_size;
    bool present;
    TokenText kind;
} Token;

/* Zero-initialise; release with vocabulary_free. */
typedef struct Vocabulary {
    Token *tokens; /* [size] */
    uint32_t size;
    char *text;
    size_t text_size, text_capacity;
    uint32_t *slots; /* hash table from a text to its id, at most half full, NO_TOKEN where free; of
                        a special and another token with the same text, the other one */
    size_t slot_mask;
    HashKey key;
    uint32_t longest; /* text, in bytes */
} Vocabulary;

bool vocabulary_init(Vocabulary *vocabulary, uint32_t size, LLMError *error);
void vocabulary_free(Vocabulary *vocabulary);
/* More ids, without text. */
bool vocabulary_grow(Vocabulary *vocabulary, uint32_t size, LLMError *error);
/* Say what `id` stands for: errors as of tokenizer_add_token. */
bool vocabulary_add(Vocabulary *vocabulary, uint32_t id, const char *text, size_t size,
                    TokenText kind, LLMError *error);
/* The id of a text, NO_TOKEN if it is none. Texts are bytes (TOKEN_PRINTABLE decoded). */
uint32_t vocabulary_find(const Vocabulary *vocabulary, const char *text, size_t size);
/* The ids of the 256 bytes: tokens of one byte or, where there are any, those of TOKEN_BYTE. */
void vocabulary_bytes(const Vocabulary *vocabulary, uint32_t id_of_byte[256]);

/* --- GPT-2's printable alphabet --- */

/* Bytes that the letters stand for, SIZE_MAX if one is outside the alphabet. `bytes` has room for
 * `size`. */
size_t bytes_of_letters(const char *text, size_t size, char *bytes);
/* The letter that stands for a byte: a code point below U+0180. */
uint32_t letter_of_byte(unsigned char byte);

/* U+2581, which stands for a space in the tokens of SentencePiece. */
#define SPACE_MARK      "\xE2\x96\x81"
#define SPACE_MARK_SIZE 3

/* For quoting hostile text in a message: "%.*s". */
static inline int quoted(size_t size) {
    return size < 64 ? (int)size : 64;
}

#endif
