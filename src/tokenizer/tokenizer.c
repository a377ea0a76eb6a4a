#include "tokenizer.h"

#include "hash.h"
#include "special_tokens.h"
#include "split.h"
#include "tokens.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX /* no token, no merge, no symbol */

/* Special tokens are sought in two rounds, the second in what the first leaves over. */
#define ROUNDS 2

typedef struct Token {
    size_t offset; /* of its bytes in the tokenizer's text */
    uint32_t size;
    bool present, special;
} Token;

/* `left` followed by `right` becomes `result`; of all merges that a piece allows, the one with the
 * lowest rank comes first. */
typedef struct Merge {
    uint32_t left, right, result, rank;
} Merge;

struct Tokenizer {
    uint32_t vocabulary;
    Token *tokens;    /* [vocabulary] */
    uint32_t *id_map; /* hash table from a token's bytes to its id, NONE where free; of a special
                         and an ordinary token with the same bytes, the ordinary one */
    size_t id_map_mask;
    char *text; /* the bytes of all tokens, one after the other */
    size_t text_size, text_capacity;

    Merge *merge_map; /* hash table from (left, right), rank NONE where free */
    size_t merge_map_mask;
    uint32_t merge_count;

    SpecialTokens special[ROUNDS];
    uint32_t begin_of_text, end_of_text;
    uint32_t byte_id[256];
    Split *split; /* NULL: decodes only */
};

/* --- GPT-2's printable alphabet --- */

/* Bytes that are printable characters of Latin-1 stand for themselves; the other 68, in their
 * order, are the letters from U+0100 on (openai/gpt-2, src/encoder.py, bytes_to_unicode). NONE for
 * a letter outside the alphabet. */
static uint32_t byte_of_letter(uint32_t letter) {
    if (letter >= 0x100) {
        uint32_t n = letter - 0x100;
        if (n < 33) return n;             /* 0x00 to 0x20 */
        if (n < 67) return 0x7F + n - 33; /* 0x7F to 0xA0 */
        return n == 67 ? 0xAD : NONE;
    }
    bool printable = (letter > 0x20 && letter < 0x7F) || (letter > 0xA0 && letter != 0xAD);
    return printable ? letter : NONE;
}

/* Returns how many bytes the text stands for, SIZE_MAX if it has a letter outside the alphabet. */
static size_t bytes_of_letters(const char *text, size_t size, char *bytes) {
    size_t count = 0;
    while (size > 0) {
        uint32_t letter;
        size_t length = utf8_decode(text, size, &letter);
        uint32_t byte = length ? byte_of_letter(letter) : NONE;
        if (byte == NONE) return SIZE_MAX;
        bytes[count++] = (char)byte;
        text += length;
        size -= length;
    }
    return count;
}

/* --- building --- */

/* For quoting hostile text in a message: "%.*s". */
static int quoted(size_t size) {
    return size < 64 ? (int)size : 64;
}

static size_t power_of_two_above(size_t n) {
    size_t power = 1;
    while (power <= n)
        power *= 2;
    return power;
}

Tokenizer *tokenizer_new(uint32_t vocabulary, LLMError *error) {
    if (vocabulary == 0) {
        error_set(error, LLM_ERROR_FORMAT, "a vocabulary of 0 tokens: the model's file is damaged");
        return NULL;
    }
    size_t map_size = power_of_two_above(2 * (size_t)vocabulary);
    Tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return error_memory(error, sizeof *tokenizer);
    tokenizer->vocabulary = vocabulary;
    tokenizer->begin_of_text = tokenizer->end_of_text = NONE;
    tokenizer->id_map_mask = map_size - 1;
    tokenizer->tokens = calloc(vocabulary, sizeof *tokenizer->tokens);
    tokenizer->id_map = malloc(map_size * sizeof *tokenizer->id_map);
    if (!tokenizer->tokens || !tokenizer->id_map) {
        tokenizer_free(tokenizer);
        return error_memory(error, vocabulary * sizeof(Token) + map_size * sizeof(uint32_t));
    }
    memset(tokenizer->id_map, 0xFF, map_size * sizeof *tokenizer->id_map);
    return tokenizer;
}

void tokenizer_free(Tokenizer *tokenizer) {
    if (!tokenizer) return;
    split_free(tokenizer->split);
    for (int round = 0; round < ROUNDS; round++)
        special_tokens_free(&tokenizer->special[round]);
    free(tokenizer->merge_map);
    free(tokenizer->text);
    free(tokenizer->id_map);
    free(tokenizer->tokens);
    free(tokenizer);
}

/* Room for `size` more bytes behind the text. NULL and `error` on failure. */
static char *text_reserve(Tokenizer *tokenizer, size_t size, LLMError *error) {
    size_t needed = tokenizer->text_size + size + 1; /* + 1: a pointer even for an empty token */
    if (needed > tokenizer->text_capacity) {
        size_t capacity = 2 * needed;
        char *text = realloc(tokenizer->text, capacity);
        if (!text) return error_memory(error, capacity);
        tokenizer->text = text;
        tokenizer->text_capacity = capacity;
    }
    return tokenizer->text + tokenizer->text_size;
}

/* Where in the hash table the token with these bytes is, or would go (linear probing). */
static uint32_t *id_slot(const Tokenizer *tokenizer, const char *bytes, size_t size) {
    uint64_t hash = hash_bytes(bytes, size);
    for (size_t i = hash ^ hash >> 32;; i++) {
        uint32_t *slot = &tokenizer->id_map[i & tokenizer->id_map_mask];
        if (*slot == NONE) return slot;
        const Token *token = &tokenizer->tokens[*slot];
        if (token->size == size && memcmp(tokenizer->text + token->offset, bytes, size) == 0)
            return slot;
    }
}

/* The bytes of the new token are at text + text_size already. */
static bool insert_token(Tokenizer *tokenizer, uint32_t id, size_t size, bool special,
                         LLMError *error) {
    const char *bytes = tokenizer->text + tokenizer->text_size;
    uint32_t *slot = size > 0 ? id_slot(tokenizer, bytes, size) : NULL;
    bool taken = slot && *slot != NONE;
    if (taken && !special && !tokenizer->tokens[*slot].special)
        return error_set(error, LLM_ERROR_FORMAT, "tokens %u and %u are both \"%.*s\"", *slot, id,
                         quoted(size), bytes);
    if (slot && !(taken && special)) *slot = id;
    tokenizer->tokens[id] = (Token){tokenizer->text_size, (uint32_t)size, true, special};
    tokenizer->text_size += size;
    return true;
}

static bool add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                      TokenText kind, LLMError *error) {
    if (id >= tokenizer->vocabulary)
        return error_set(error, LLM_ERROR_FORMAT,
                         "token \"%.*s\" has id %u, but the model has only %u tokens", quoted(size),
                         text, id, tokenizer->vocabulary);
    if (tokenizer->tokens[id].present)
        return error_set(error, LLM_ERROR_FORMAT, "two tokens have id %u: \"%.*s\" is the second",
                         id, quoted(size), text);
    if (size >= UINT32_MAX)
        return error_set(error, LLM_ERROR_FORMAT, "token %u is %zu bytes long", id, size);
    char *bytes = text_reserve(tokenizer, size, error);
    if (!bytes) return false;
    size_t count = size;
    if (kind == TOKEN_PRINTABLE)
        count = bytes_of_letters(text, size, bytes);
    else if (size > 0)
        memcpy(bytes, text, size);
    if (count == SIZE_MAX)
        return error_set(error, LLM_ERROR_FORMAT,
                         "token %u, \"%.*s\", is not in GPT-2's byte-level alphabet: only "
                         "byte-level tokenizers are supported",
                         id, quoted(size), text);
    return insert_token(tokenizer, id, count, kind == TOKEN_SPECIAL, error);
}

bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error) {
    if (kind == TOKEN_SPECIAL) return tokenizer_add_special(tokenizer, id, text, size, 0, error);
    return add_token(tokenizer, id, text, size, kind, error);
}

bool tokenizer_add_special(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                           unsigned flags, LLMError *error) {
    SpecialTokens *specials = &tokenizer->special[flags & SPECIAL_SECOND ? 1 : 0];
    if (!add_token(tokenizer, id, text, size, TOKEN_SPECIAL, error)) return false;
    return size == 0 || special_tokens_add(specials, id, text, size, flags, error);
}

/* --- merges --- */

/* Where in the hash table the merge of this pair is, or would go. */
static Merge *merge_slot(const Tokenizer *tokenizer, uint32_t left, uint32_t right) {
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15; /* 2^64 / golden ratio */
    for (size_t i = hash >> 32;; i++) {
        Merge *slot = &tokenizer->merge_map[i & tokenizer->merge_map_mask];
        if (slot->rank == NONE || (slot->left == left && slot->right == right)) return slot;
    }
}

/* NULL if the pair does not merge. */
static const Merge *find_merge(const Tokenizer *tokenizer, uint32_t left, uint32_t right) {
    const Merge *merge = merge_slot(tokenizer, left, right);
    return merge->rank == NONE ? NULL : merge;
}

/* Keep the hash table at most half full. */
static bool merges_reserve(Tokenizer *tokenizer, LLMError *error) {
    size_t old_size = tokenizer->merge_map ? tokenizer->merge_map_mask + 1 : 0;
    if (2 * (size_t)tokenizer->merge_count < old_size) return true;
    size_t size = old_size ? 2 * old_size : 1 << 10;
    Merge *old = tokenizer->merge_map;
    Merge *merges = malloc(size * sizeof *merges);
    if (!merges) return error_memory(error, size * sizeof *merges);
    memset(merges, 0xFF, size * sizeof *merges);
    tokenizer->merge_map = merges;
    tokenizer->merge_map_mask = size - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].rank != NONE) *merge_slot(tokenizer, old[i].left, old[i].right) = old[i];
    free(old);
    return true;
}

static bool insert_merge(Tokenizer *tokenizer, uint32_t left, uint32_t right, uint32_t result,
                         LLMError *error) {
    if (!merges_reserve(tokenizer, error)) return false;
    Merge *slot = merge_slot(tokenizer, left, right);
    if (slot->rank != NONE)
        return error_set(error, LLM_ERROR_FORMAT, "merges %u and %u join the same two tokens",
                         slot->rank + 1, tokenizer->merge_count + 1);
    *slot = (Merge){left, right, result, tokenizer->merge_count++};
    return true;
}

/* The token that these letters spell, NONE if there is none; its bytes go to bytes[0 … *count). */
static uint32_t find_token(const Tokenizer *tokenizer, const char *letters, size_t size,
                           char *bytes, size_t *count) {
    *count = bytes_of_letters(letters, size, bytes);
    return *count == SIZE_MAX ? NONE : *id_slot(tokenizer, bytes, *count);
}

bool tokenizer_add_merge_pair(Tokenizer *tokenizer, const char *left, size_t left_size,
                              const char *right, size_t right_size, LLMError *error) {
    char *bytes = text_reserve(tokenizer, left_size + right_size, error);
    if (!bytes) return false;
    size_t left_count, right_count;
    uint32_t left_id = find_token(tokenizer, left, left_size, bytes, &left_count);
    uint32_t right_id = NONE, result = NONE;
    const char *missing = "its left part is";
    if (left_id != NONE) {
        missing = "its right part is";
        right_id = find_token(tokenizer, right, right_size, bytes + left_count, &right_count);
    }
    if (right_id != NONE) {
        missing = "the two joined are";
        result = *id_slot(tokenizer, bytes, left_count + right_count);
    }
    if (result != NONE) return insert_merge(tokenizer, left_id, right_id, result, error);
    return error_set(error, LLM_ERROR_FORMAT, "merge %u, \"%.*s %.*s\": %s not in the vocabulary",
                     tokenizer->merge_count + 1, quoted(left_size), left, quoted(right_size), right,
                     missing);
}

bool tokenizer_add_merge(Tokenizer *tokenizer, const char *merge, size_t size, LLMError *error) {
    const char *space = size ? memchr(merge, ' ', size) : NULL;
    if (!space)
        return error_set(error, LLM_ERROR_FORMAT,
                         "merge %u, \"%.*s\", is not two tokens with a space between",
                         tokenizer->merge_count + 1, quoted(size), merge);
    size_t left_size = (size_t)(space - merge);
    return tokenizer_add_merge_pair(tokenizer, merge, left_size, space + 1, size - left_size - 1,
                                    error);
}

/* --- byte-pair encoding of one piece --- */

/* A token of the piece so far, in a doubly linked list. */
typedef struct Symbol {
    uint32_t id, previous, next;
} Symbol;

/* What one call of tokenizer_encode works with. */
typedef struct Encoder {
    const Tokenizer *tokenizer;
    LLMTokens *output;
    LLMError *error;
    Symbol *symbols; /* [capacity] */
    uint64_t *heap;  /* [2 capacity]: rank << 32 | symbol, the smallest first */
    size_t heap_count;
    size_t capacity;
} Encoder;

static bool encoder_reserve(Encoder *encoder, size_t size) {
    if (size <= encoder->capacity) return true;
    size_t capacity = 2 * size;
    free(encoder->symbols);
    free(encoder->heap);
    encoder->capacity = 0;
    encoder->symbols = malloc(capacity * sizeof *encoder->symbols);
    encoder->heap = malloc(2 * capacity * sizeof *encoder->heap);
    if (!encoder->symbols || !encoder->heap) {
        error_memory(encoder->error, capacity * (sizeof(Symbol) + 2 * sizeof(uint64_t)));
        return false;
    }
    encoder->capacity = capacity;
    return true;
}

static void encoder_release(Encoder *encoder) {
    free(encoder->symbols);
    free(encoder->heap);
}

static void heap_push(Encoder *encoder, uint64_t key) {
    size_t i = encoder->heap_count++;
    for (; i > 0 && encoder->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        encoder->heap[i] = encoder->heap[(i - 1) / 2];
    encoder->heap[i] = key;
}

static uint64_t heap_pop(Encoder *encoder) {
    uint64_t *heap = encoder->heap;
    uint64_t top = heap[0], key = heap[--encoder->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < encoder->heap_count; i = child) {
        if (child + 1 < encoder->heap_count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= key) break;
        heap[i] = heap[child];
    }
    heap[i] = key;
    return top;
}

/* Queue the merge of symbol `left` with its neighbour, if there is one. */
static void queue_merge(Encoder *encoder, uint32_t left) {
    const Symbol *symbol = &encoder->symbols[left];
    if (symbol->next == NONE) return;
    uint32_t right_id = encoder->symbols[symbol->next].id;
    const Merge *merge = find_merge(encoder->tokenizer, symbol->id, right_id);
    if (merge) heap_push(encoder, (uint64_t)merge->rank << 32 | left);
}

/* Join symbol `left` with its neighbour. The neighbour leaves the list. */
static void apply_merge(Encoder *encoder, uint32_t left, const Merge *merge) {
    Symbol *symbol = &encoder->symbols[left];
    Symbol *neighbour = &encoder->symbols[symbol->next];
    symbol->id = merge->result;
    symbol->next = neighbour->next;
    if (symbol->next != NONE) encoder->symbols[symbol->next].previous = left;
    neighbour->next = NONE; /* so that merges queued for it are void */
    if (symbol->previous != NONE) queue_merge(encoder, symbol->previous);
    queue_merge(encoder, left);
}

/* Merge the piece as far as it goes, the lowest rank first, the leftmost among equals; the tokens
 * are the list that begins at symbols[0]. Every merge takes one entry off the heap and adds two at
 * most: 2 size entries are enough. */
static bool merge_piece(Encoder *encoder, const char *piece, size_t size) {
    if (!encoder_reserve(encoder, size)) return false;
    const Tokenizer *tokenizer = encoder->tokenizer;
    Symbol *symbols = encoder->symbols;
    for (uint32_t i = 0; i < size; i++)
        symbols[i] = (Symbol){tokenizer->byte_id[(unsigned char)piece[i]], i - 1, i + 1};
    symbols[size - 1].next = NONE; /* and symbols[0].previous is 0 - 1 = NONE */
    encoder->heap_count = 0;
    for (uint32_t i = 0; i < size; i++)
        queue_merge(encoder, i);

    while (encoder->heap_count > 0) {
        uint64_t key = heap_pop(encoder);
        uint32_t left = (uint32_t)key, rank = (uint32_t)(key >> 32);
        if (symbols[left].next == NONE) continue;
        const Merge *merge =
            find_merge(tokenizer, symbols[left].id, symbols[symbols[left].next].id);
        if (merge && merge->rank == rank) apply_merge(encoder, left, merge);
    }
    return true;
}

/* SplitPiece for an Encoder. */
static bool encode_piece(void *user, const char *piece, size_t size) {
    Encoder *encoder = user;
    if (!merge_piece(encoder, piece, size)) return false;
    for (uint32_t i = 0; i != NONE; i = encoder->symbols[i].next)
        if (!tokens_append(encoder->output, encoder->symbols[i].id, encoder->error)) return false;
    return true;
}

/* --- finishing --- */

static void find_byte_ids(Tokenizer *tokenizer) {
    for (int byte = 0; byte < 256; byte++)
        tokenizer->byte_id[byte] = *id_slot(tokenizer, &(char){(char)byte}, 1);
}

static bool name_token(Tokenizer *tokenizer, const char *name, uint32_t id, uint32_t *place,
                       LLMError *error) {
    if (id >= tokenizer->vocabulary || !tokenizer->tokens[id].present)
        return error_set(error, LLM_ERROR_FORMAT, "the %s token, id %u, is not in the vocabulary",
                         name, id);
    *place = id;
    return true;
}

bool tokenizer_set_begin_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error) {
    return name_token(tokenizer, "beginning-of-text", id, &tokenizer->begin_of_text, error);
}

bool tokenizer_set_end_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error) {
    return name_token(tokenizer, "end-of-text", id, &tokenizer->end_of_text, error);
}

static void find_end_of_text(Tokenizer *tokenizer, const SpecialTokens *specials) {
    static const char text[] = "<|endoftext|>";
    for (size_t i = 0; i < specials->count && tokenizer->end_of_text == NONE; i++)
        if (specials->items[i].size == strlen(text) &&
            memcmp(specials->items[i].text, text, strlen(text)) == 0)
            tokenizer->end_of_text = specials->items[i].id;
}

bool tokenizer_derive_merges(Tokenizer *tokenizer, uint32_t count, LLMError *error) {
    Encoder encoder = {.tokenizer = tokenizer, .error = error};
    bool derived = merges_reserve(tokenizer, error);
    find_byte_ids(tokenizer);
    for (uint32_t rank = 0; derived && rank < count; rank++) {
        size_t size;
        const char *bytes = tokenizer_bytes(tokenizer, 256 + rank, &size);
        derived = bytes && size > 1 && merge_piece(&encoder, bytes, size);
        if (!derived) break;
        const Symbol *left = encoder.symbols;
        const Symbol *right = left->next == NONE ? NULL : &encoder.symbols[left->next];
        derived = right && right->next == NONE &&
                  insert_merge(tokenizer, left->id, right->id, 256 + rank, error);
    }
    encoder_release(&encoder);
    return derived ||
           error_set(error, LLM_ERROR_FORMAT,
                     "merge %u cannot be told from the vocabulary: its ids are not in the "
                     "order of its merges",
                     tokenizer->merge_count + 1);
}

bool tokenizer_finish(Tokenizer *tokenizer, LLMError *error) {
    for (int round = 0; round < ROUNDS; round++) {
        if (!special_tokens_sort(&tokenizer->special[round], error)) return false;
        find_end_of_text(tokenizer, &tokenizer->special[round]);
    }
    if (!tokenizer_encodes(tokenizer)) return true;
    find_byte_ids(tokenizer);
    for (int byte = 0; byte < 256; byte++)
        if (tokenizer->byte_id[byte] == NONE)
            return error_set(error, LLM_ERROR_FORMAT,
                             "the vocabulary has no token for byte 0x%02X: only byte-level "
                             "tokenizers with all 256 bytes are supported",
                             byte);
    tokenizer->split = split_new(error);
    return tokenizer->split != NULL;
}

/* --- encoding --- */

/* The special tokens of this round and the next, and what is between them. */
static bool encode_text(Encoder *encoder, const char *text, size_t size, int round) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    if (round == ROUNDS)
        return split_text(tokenizer->split, text, size, encode_piece, encoder, encoder->error);
    size_t done = 0;
    SpecialMatch match;
    while (special_tokens_next(&tokenizer->special[round], text, size, done, &match)) {
        if (done < match.start && !encode_text(encoder, text + done, match.start - done, round + 1))
            return false;
        if (!tokens_append(encoder->output, match.id, encoder->error)) return false;
        done = match.end;
    }
    return done == size || encode_text(encoder, text + done, size - done, round + 1);
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, uint32_t flags,
                      LLMTokens *tokens, LLMError *error) {
    if (!tokenizer_encodes(tokenizer))
        return error_set(error, LLM_ERROR_FORMAT,
                         "this model's tokenizer only decodes: its file has no merges and is not "
                         "GPT-2's own; use the model as a Hugging Face folder or GGUF");
    if (size >= NONE)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "a text of %zu bytes: encode less than 4 GiB at a time", size);
    size_t count = tokens->count;
    Encoder encoder = {.tokenizer = tokenizer, .output = tokens, .error = error};
    bool begins = tokenizer->begin_of_text != NONE && !(flags & LLM_NO_BEGIN);
    bool encoded = (!begins || tokens_append(tokens, tokenizer->begin_of_text, error)) &&
                   encode_text(&encoder, text, size, flags & LLM_PLAIN_TEXT ? ROUNDS : 0);
    if (!encoded) tokens->count = count;
    encoder_release(&encoder);
    return encoded;
}

bool tokenizer_encodes(const Tokenizer *tokenizer) {
    return tokenizer->merge_count > 0;
}

uint32_t tokenizer_vocabulary(const Tokenizer *tokenizer) {
    return tokenizer->vocabulary;
}

uint32_t tokenizer_begin_of_text(const Tokenizer *tokenizer) {
    return tokenizer->begin_of_text;
}

uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer) {
    return tokenizer->end_of_text;
}

const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size) {
    if (id >= tokenizer->vocabulary || !tokenizer->tokens[id].present) return NULL;
    *size = tokenizer->tokens[id].size;
    return tokenizer->text + tokenizer->tokens[id].offset;
}

/* --- taking it apart --- */

bool tokenizer_is_special(const Tokenizer *tokenizer, uint32_t id) {
    return id < tokenizer->vocabulary && tokenizer->tokens[id].special;
}

uint32_t tokenizer_merge_count(const Tokenizer *tokenizer) {
    return tokenizer->merge_count;
}

void tokenizer_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2]) {
    if (tokenizer->merge_count == 0) return;
    for (size_t i = 0; i <= tokenizer->merge_map_mask; i++) {
        const Merge *merge = &tokenizer->merge_map[i];
        if (merge->rank == NONE) continue;
        pairs[merge->rank][0] = merge->left;
        pairs[merge->rank][1] = merge->right;
    }
}
