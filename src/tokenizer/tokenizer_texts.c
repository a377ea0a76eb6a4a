#include "tokenizer_texts.h"

#include <stdlib.h>
#include <string.h>

/* The letter of GPT-2's printable alphabet that stands for a byte: itself where it is a printable
 * character of Latin-1, else one from U+0100 on (openai/gpt-2, src/encoder.py, bytes_to_unicode).
 */
static uint32_t letter_of_byte(unsigned char byte) {
    if (byte <= 0x20) return 0x100u + byte;
    if (byte >= 0x7F && byte <= 0xA0) return 0x100u + 33 + (byte - 0x7Fu);
    return byte == 0xAD ? 0x100 + 67 : byte;
}

/* All its letters are below U+0800: two bytes of UTF-8 at most. Returns the end. */
static char *write_printable(char *out, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        uint32_t letter = letter_of_byte((unsigned char)bytes[i]);
        if (letter >= 0x80) *out++ = (char)(0xC0 | letter >> 6);
        *out++ = (char)(letter < 0x80 ? letter : 0x80 | (letter & 0x3F));
    }
    return out;
}

static char *write_token(char *out, const Tokenizer *tokenizer, uint32_t id) {
    size_t size;
    const char *bytes = tokenizer_bytes(tokenizer, id, &size);
    if (!tokenizer_is_special(tokenizer, id)) return write_printable(out, bytes, size);
    memcpy(out, bytes, size);
    return out + size;
}

/* Bytes that a token's text may take. */
static size_t room_for(const Tokenizer *tokenizer, uint32_t id) {
    size_t size;
    return tokenizer_bytes(tokenizer, id, &size) ? 2 * size + 1 : 0;
}

static bool allocate(TokenizerTexts *texts, const Tokenizer *tokenizer, uint32_t (*pairs)[2],
                     LLMError *error) {
    size_t size = 1, tokens = texts->token_count, merges = texts->merge_count;
    for (uint32_t id = 0; id < tokens; id++)
        size += room_for(tokenizer, id);
    for (uint32_t i = 0; i < merges; i++)
        size += room_for(tokenizer, pairs[i][0]) + room_for(tokenizer, pairs[i][1]);
    texts->tokens = calloc(tokens, sizeof *texts->tokens);
    texts->special = calloc(tokens, sizeof *texts->special);
    texts->merges = calloc(merges + 1, sizeof *texts->merges);
    texts->text = malloc(size);
    if (texts->tokens && texts->special && texts->merges && texts->text) return true;
    return error_memory(error, size + (tokens + merges) * sizeof(char *));
}

static void write_texts(TokenizerTexts *texts, const Tokenizer *tokenizer, uint32_t (*pairs)[2]) {
    char *end = texts->text;
    for (uint32_t id = 0; id < texts->token_count; id++) {
        size_t size;
        if (!tokenizer_bytes(tokenizer, id, &size)) continue;
        texts->tokens[id] = end;
        texts->special[id] = tokenizer_is_special(tokenizer, id);
        end = write_token(end, tokenizer, id);
        *end++ = 0;
    }
    for (uint32_t i = 0; i < texts->merge_count; i++) {
        texts->merges[i] = end;
        end = write_token(end, tokenizer, pairs[i][0]);
        *end++ = ' ';
        end = write_token(end, tokenizer, pairs[i][1]);
        *end++ = 0;
    }
}

bool tokenizer_texts(const Tokenizer *tokenizer, TokenizerTexts *texts, LLMError *error) {
    *texts = (TokenizerTexts){.token_count = tokenizer_vocabulary(tokenizer),
                              .merge_count = tokenizer_merge_count(tokenizer)};
    uint32_t(*pairs)[2] = calloc((size_t)texts->merge_count + 1, sizeof *pairs);
    if (!pairs) return error_memory(error, texts->merge_count * sizeof *pairs);
    tokenizer_merges(tokenizer, pairs);
    bool allocated = allocate(texts, tokenizer, pairs, error);
    if (allocated) write_texts(texts, tokenizer, pairs);
    free(pairs);
    return allocated;
}

void tokenizer_texts_free(TokenizerTexts *texts) {
    free(texts->tokens);
    free(texts->special);
    free(texts->merges);
    free(texts->text);
    *texts = (TokenizerTexts){0};
}
