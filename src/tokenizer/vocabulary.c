#include "vocabulary.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* --- GPT-2's printable alphabet --- */

/* Bytes that are printable characters of Latin-1 stand for themselves; the other 68, in their
 * order, are the letters from U+0100 on (openai/gpt-2, src/encoder.py, bytes_to_unicode). */
uint32_t letter_of_byte(unsigned char byte) {
    if (byte <= 0x20) return 0x100u + byte;
    if (byte >= 0x7F && byte <= 0xA0) return 0x100u + 33 + (byte - 0x7Fu);
    return byte == 0xAD ? 0x100 + 67 : byte;
}

/* UINT32_MAX for a letter outside the alphabet. */
static uint32_t byte_of_letter(uint32_t letter) {
    uint32_t byte = letter;
    if (letter >= 0x100) {
        uint32_t n = letter - 0x100; /* 33 from 0x00 on, 34 from 0x7F on, 0xAD */
        byte = n < 33 ? n : n < 67 ? 0x7F + n - 33 : 0xAD;
    }
    return byte < 0x100 && letter_of_byte((unsigned char)byte) == letter ? byte : UINT32_MAX;
}

size_t bytes_of_letters(const char *text, size_t size, char *bytes) {
    size_t count = 0;
    while (size > 0) {
        uint32_t letter;
        size_t length = utf8_decode(text, size, &letter);
        uint32_t byte = length ? byte_of_letter(letter) : UINT32_MAX;
        if (byte == UINT32_MAX) return SIZE_MAX;
        bytes[count++] = (char)byte;
        text += length;
        size -= length;
    }
    return count;
}

/* --- memory --- */

static size_t power_of_two_above(size_t n) {
    size_t power = 1;
    while (power <= n)
        power *= 2;
    return power;
}

/* An empty hash table for `size` tokens. */
static bool allocate_slots(Vocabulary *vocabulary, size_t size, LLMError *error) {
    size_t count = power_of_two_above(2 * size), bytes = count * sizeof *vocabulary->slots;
    uint32_t *slots = malloc(bytes);
    if (!slots) return error_memory(error, bytes);
    memset(slots, 0xFF, bytes);
    free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->slot_mask = count - 1;
    return true;
}

bool vocabulary_init(Vocabulary *vocabulary, uint32_t size, LLMError *error) {
    vocabulary->key = hash_key_new(vocabulary);
    return vocabulary_grow(vocabulary, size, error);
}

void vocabulary_free(Vocabulary *vocabulary) {
    free(vocabulary->tokens);
    free(vocabulary->text);
    free(vocabulary->slots);
    *vocabulary = (Vocabulary){0};
}

/* Room for `size` more bytes after the text. NULL and `error` on failure. */
static char *text_reserve(Vocabulary *vocabulary, size_t size, LLMError *error) {
    size_t needed = vocabulary->text_size + size + 1; /* + 1: a pointer even for an empty token */
    if (needed > vocabulary->text_capacity) {
        char *text = realloc(vocabulary->text, 2 * needed);
        if (!text) return error_memory(error, 2 * needed);
        vocabulary->text = text;
        vocabulary->text_capacity = 2 * needed;
    }
    return vocabulary->text + vocabulary->text_size;
}

/* --- the hash table: linear probing --- */

static uint32_t *find_slot(const Vocabulary *vocabulary, const char *text, size_t size) {
    for (size_t i = (size_t)hash_text(vocabulary->key, text, size);; i++) {
        uint32_t *slot = &vocabulary->slots[i & vocabulary->slot_mask];
        if (*slot == NO_TOKEN) return slot;
        const Token *token = &vocabulary->tokens[*slot];
        if (token->text_size == size && memcmp(vocabulary->text + token->text, text, size) == 0)
            return slot;
    }
}

uint32_t vocabulary_find(const Vocabulary *vocabulary, const char *text, size_t size) {
    return size == 0 || size > vocabulary->longest ? NO_TOKEN : *find_slot(vocabulary, text, size);
}

/* TOKEN_BYTE "<0x41>" is no text that one could type. */
static bool has_slot(const Token *token) {
    return token->present && token->text_size > 0 && token->kind != TOKEN_BYTE;
}

static bool insert(Vocabulary *vocabulary, uint32_t id, LLMError *error) {
    const Token *token = &vocabulary->tokens[id];
    const char *text = vocabulary->text + token->text;
    if (!has_slot(token)) return true;
    uint32_t *slot = find_slot(vocabulary, text, token->text_size);
    bool special = token->kind == TOKEN_SPECIAL;
    if (*slot != NO_TOKEN && !special && vocabulary->tokens[*slot].kind != TOKEN_SPECIAL)
        return error_set(error, LLM_ERROR_FORMAT, "tokens %u and %u are both \"%.*s\"", *slot, id,
                         quoted(token->text_size), text);
    if (*slot == NO_TOKEN || !special) *slot = id;
    if (token->text_size > vocabulary->longest) vocabulary->longest = token->text_size;
    return true;
}

bool vocabulary_grow(Vocabulary *vocabulary, uint32_t size, LLMError *error) {
    if (!allocate_slots(vocabulary, size, error)) return false;
    size_t bytes = size * sizeof *vocabulary->tokens;
    Token *tokens = realloc(vocabulary->tokens, bytes);
    if (!tokens) return error_memory(error, bytes);
    memset(tokens + vocabulary->size, 0, (size - vocabulary->size) * sizeof *tokens);
    vocabulary->tokens = tokens;
    for (uint32_t id = 0; id < vocabulary->size; id++)
        insert(vocabulary, id, error);
    vocabulary->size = size;
    return true;
}

/* --- adding --- */

/* "<0x41>" */
static bool parse_byte(const char *text, size_t size, char *byte) {
    char digits[3] = {0}, *end;
    if (size != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return false;
    memcpy(digits, text + 3, 2);
    *byte = (char)strtoul(digits, &end, 16);
    return end == digits + 2 && digits[0] != '+' && digits[0] != '-' && digits[0] != ' ';
}

/* What a token's text decodes to, with spaces for marks. Returns the size. */
static size_t unmark(const char *text, size_t size, char *bytes) {
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        bool mark = size - at >= SPACE_MARK_SIZE && memcmp(text + at, SPACE_MARK, 3) == 0;
        bytes[count++] = mark ? ' ' : text[at];
        at += mark ? SPACE_MARK_SIZE : 1;
    }
    return count;
}

/* Store the text after those of the other tokens, and what it decodes to just past it if that
 * differs. */
static bool store(Vocabulary *vocabulary, uint32_t id, const char *text, size_t size,
                  TokenText kind, LLMError *error) {
    char *out = text_reserve(vocabulary, 2 * size, error);
    if (!out) return false;
    size_t stored = size;
    if (kind == TOKEN_PRINTABLE)
        stored = bytes_of_letters(text, size, out);
    else if (size > 0)
        memcpy(out, text, size);
    if (stored == SIZE_MAX)
        return error_set(error, LLM_ERROR_FORMAT,
                         "token %u, \"%.*s\", is not in GPT-2's byte-level alphabet: convert the "
                         "model again",
                         id, quoted(size), text);
    Token token = {.text = vocabulary->text_size,
                   .bytes = vocabulary->text_size,
                   .text_size = (uint32_t)stored,
                   .bytes_size = (uint32_t)stored,
                   .present = true,
                   .kind = kind};
    vocabulary->text_size += stored;
    if (kind == TOKEN_PIECE || kind == TOKEN_BYTE) {
        token.bytes = vocabulary->text_size;
        if (kind == TOKEN_PIECE)
            token.bytes_size = (uint32_t)unmark(text, size, out + stored);
        else if (parse_byte(text, size, out + stored))
            token.bytes_size = 1;
        else
            return error_set(error, LLM_ERROR_FORMAT,
                             "token %u, \"%.*s\", is to be a byte, as <0x41> is", id, quoted(size),
                             text);
        vocabulary->text_size += token.bytes_size;
    }
    vocabulary->tokens[id] = token;
    return true;
}

bool vocabulary_add(Vocabulary *vocabulary, uint32_t id, const char *text, size_t size,
                    TokenText kind, LLMError *error) {
    if (id >= vocabulary->size)
        return error_set(error, LLM_ERROR_FORMAT,
                         "token \"%.*s\" has id %u, but the model has only %u tokens", quoted(size),
                         text, id, vocabulary->size);
    if (vocabulary->tokens[id].present)
        return error_set(error, LLM_ERROR_FORMAT, "two tokens have id %u: \"%.*s\" is the second",
                         id, quoted(size), text);
    if (size >= UINT32_MAX)
        return error_set(error, LLM_ERROR_FORMAT, "token %u is %zu bytes long", id, size);
    if (!store(vocabulary, id, text, size, kind, error)) return false;
    if (insert(vocabulary, id, error)) return true;
    vocabulary->tokens[id].present = false;
    return false;
}

void vocabulary_bytes(const Vocabulary *vocabulary, uint32_t id_of_byte[256]) {
    bool has_byte_tokens = false;
    for (int byte = 0; byte < 256; byte++)
        id_of_byte[byte] = NO_TOKEN;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        const Token *token = &vocabulary->tokens[id];
        if (!token->present || token->kind != TOKEN_BYTE) continue;
        has_byte_tokens = true;
        id_of_byte[(unsigned char)vocabulary->text[token->bytes]] = id;
    }
    for (int byte = 0; byte < 256 && !has_byte_tokens; byte++)
        id_of_byte[byte] = vocabulary_find(vocabulary, &(char){(char)byte}, 1);
}
