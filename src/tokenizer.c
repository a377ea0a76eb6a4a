#include "tokenizer.h"

#include "tokens.h"
#include "utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX /* no token, no merge, no symbol */

/* Special tokens are sought in two rounds, the second in what the first leaves over. */
#define ROUNDS 2

typedef struct Token {
    size_t offset; /* of its bytes in the tokenizer's text */
    uint32_t size;
    bool present;
} Token;

/* `left` followed by `right` becomes `result`; of all merges that a piece allows, the one with the
 * lowest rank comes first. */
typedef struct Merge {
    uint32_t left, right, result, rank;
} Merge;

typedef struct Special {
    const char *text; /* set by tokenizer_finish */
    size_t size;
    uint32_t id;
    unsigned flags;
} Special;

typedef struct SpecialSet {
    Special *items; /* sorted by text once finished */
    size_t count;
} SpecialSet;

struct Tokenizer {
    uint32_t vocabulary;
    Token *tokens;    /* [vocabulary] */
    uint32_t *id_map; /* hash table from a token's bytes to its id, NONE where free */
    size_t id_map_mask;
    char *text; /* the bytes of all tokens, one after the other */
    size_t text_size, text_capacity;

    Merge *merge_map; /* hash table from (left, right), rank NONE where free */
    size_t merge_map_mask;
    uint32_t merge_count;

    SpecialSet special[ROUNDS];
    uint32_t end_of_text;
    uint32_t byte_id[256];
    pcre2_code *split;
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
    tokenizer->end_of_text = NONE;
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
    pcre2_code_free(tokenizer->split);
    for (int round = 0; round < ROUNDS; round++)
        free(tokenizer->special[round].items);
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

/* Where in the hash table the token with these bytes is, or would go (FNV-1a, linear probing). */
static uint32_t *id_slot(const Tokenizer *tokenizer, const char *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    for (size_t i = hash ^ hash >> 32;; i++) {
        uint32_t *slot = &tokenizer->id_map[i & tokenizer->id_map_mask];
        if (*slot == NONE) return slot;
        const Token *token = &tokenizer->tokens[*slot];
        if (token->size == size && memcmp(tokenizer->text + token->offset, bytes, size) == 0)
            return slot;
    }
}

/* The bytes of the new token are at text + text_size already. */
static bool insert_token(Tokenizer *tokenizer, uint32_t id, size_t size, LLMError *error) {
    const char *bytes = tokenizer->text + tokenizer->text_size;
    if (size > 0) {
        uint32_t *slot = id_slot(tokenizer, bytes, size);
        if (*slot != NONE)
            return error_set(error, LLM_ERROR_FORMAT, "tokens %u and %u are both \"%.*s\"", *slot,
                             id, quoted(size), bytes);
        *slot = id;
    }
    tokenizer->tokens[id] = (Token){tokenizer->text_size, (uint32_t)size, true};
    tokenizer->text_size += size;
    return true;
}

bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error) {
    if (kind == TOKEN_SPECIAL) return tokenizer_add_special(tokenizer, id, text, size, 0, error);
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
    if (kind == TOKEN_PRINTABLE) {
        size_t count = bytes_of_letters(text, size, bytes);
        if (count == SIZE_MAX)
            return error_set(error, LLM_ERROR_FORMAT,
                             "token %u, \"%.*s\", is not in GPT-2's byte-level alphabet: only "
                             "byte-level tokenizers are supported",
                             id, quoted(size), text);
        size = count;
    } else if (size > 0) {
        memcpy(bytes, text, size);
    }
    return insert_token(tokenizer, id, size, error);
}

bool tokenizer_add_special(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                           unsigned flags, LLMError *error) {
    SpecialSet *set = &tokenizer->special[flags & SPECIAL_SECOND ? 1 : 0];
    if (!tokenizer_add_token(tokenizer, id, text, size, TOKEN_BYTES, error)) return false;
    if (size == 0) return true;
    if ((set->count & (set->count - 1)) == 0) { /* full at every power of two */
        size_t bytes = (set->count ? 2 * set->count : 1) * sizeof *set->items;
        Special *items = realloc(set->items, bytes);
        if (!items) return error_memory(error, bytes);
        set->items = items;
    }
    set->items[set->count++] = (Special){.size = size, .id = id, .flags = flags};
    return true;
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

bool tokenizer_add_merge_pair(Tokenizer *tokenizer, const char *left, size_t left_size,
                              const char *right, size_t right_size, LLMError *error) {
    char *bytes = text_reserve(tokenizer, left_size + right_size, error);
    if (!bytes) return false;
    size_t left_count = bytes_of_letters(left, left_size, bytes);
    size_t right_count = SIZE_MAX;
    if (left_count != SIZE_MAX)
        right_count = bytes_of_letters(right, right_size, bytes + left_count);
    uint32_t left_id = NONE, right_id = NONE, result = NONE;
    if (right_count != SIZE_MAX) {
        left_id = *id_slot(tokenizer, bytes, left_count);
        right_id = *id_slot(tokenizer, bytes + left_count, right_count);
        result = *id_slot(tokenizer, bytes, left_count + right_count);
    }
    if (left_id == NONE || right_id == NONE || result == NONE)
        return error_set(
            error, LLM_ERROR_FORMAT, "merge %u, \"%.*s %.*s\": %s not in the vocabulary",
            tokenizer->merge_count + 1, quoted(left_size), left, quoted(right_size), right,
            left_id == NONE    ? "its left part is"
            : right_id == NONE ? "its right part is"
                               : "the two joined are");
    return insert_merge(tokenizer, left_id, right_id, result, error);
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
    pcre2_match_data *match;
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
    pcre2_match_data_free(encoder->match);
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

static bool encode_piece(Encoder *encoder, const char *piece, size_t size) {
    if (!merge_piece(encoder, piece, size)) return false;
    for (uint32_t i = 0; i != NONE; i = encoder->symbols[i].next)
        if (!tokens_append(encoder->output, encoder->symbols[i].id, encoder->error)) return false;
    return true;
}

/* --- finishing --- */

/* The pattern of openai/gpt-2, src/encoder.py. White space is spelt out as Unicode's White_Space:
 * PCRE2's \s has U+180E too. Letters and numbers are \p{L} and \p{N} with what Unicode 15 and 16
 * added to them, so that the PCRE2 of 2022 splits as today's tokenizers do. */
#define SPACE                                                                                      \
    "\\t-\\r "                                                                                     \
    "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define LETTER                                                                                     \
    "\\p{L}\\x{1C89}-\\x{1C8A}\\x{A7CB}-\\x{A7CD}\\x{A7DA}-\\x{A7DC}\\x{105C0}-\\x{105F3}"         \
    "\\x{10D4A}-\\x{10D65}\\x{10D6F}-\\x{10D85}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}"         \
    "\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}\\x{113D3}" \
    "\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}\\x{1342F}"          \
    "\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}\\x{16D40}-\\x{16D6C}\\x{"     \
    "18CFF}"                                                                                       \
    "\\x{1B132}\\x{1B155}\\x{1DF25}-\\x{1DF2A}\\x{1E030}-\\x{1E06D}\\x{1E4D0}-\\x{1E4EB}"          \
    "\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define NUMBER                                                                                     \
    "\\p{N}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}"   \
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}"         \
    "\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"

static const char split_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[" LETTER "]+| ?[" NUMBER "]+| ?[^" SPACE LETTER NUMBER "]+"
    "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

static bool compile_split(Tokenizer *tokenizer, LLMError *error) {
    int code;
    size_t offset;
    tokenizer->split = pcre2_compile((PCRE2_SPTR)split_pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_ANCHORED, &code, &offset, NULL);
    if (!tokenizer->split)
        return error_set(
            error, LLM_ERROR_FORMAT,
            "PCRE2 refuses GPT-2's split pattern (error %d at %zu): it was built without "
            "Unicode support",
            code, offset);
    /* Where PCRE2 has no JIT, its interpreter does the same, slower. */
    pcre2_jit_compile(tokenizer->split, PCRE2_JIT_COMPLETE);
    return true;
}

static void find_byte_ids(Tokenizer *tokenizer) {
    for (int byte = 0; byte < 256; byte++)
        tokenizer->byte_id[byte] = *id_slot(tokenizer, &(char){(char)byte}, 1);
}

static int compare_specials(const void *a, const void *b) {
    const Special *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void sort_specials(Tokenizer *tokenizer, SpecialSet *set) {
    for (size_t i = 0; i < set->count; i++)
        set->items[i].text = tokenizer->text + tokenizer->tokens[set->items[i].id].offset;
    if (set->count > 0) qsort(set->items, set->count, sizeof *set->items, compare_specials);
}

bool tokenizer_set_end_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error) {
    if (id >= tokenizer->vocabulary || !tokenizer->tokens[id].present)
        return error_set(error, LLM_ERROR_FORMAT,
                         "the end-of-text token, id %u, is not in the vocabulary", id);
    tokenizer->end_of_text = id;
    return true;
}

static void find_end_of_text(Tokenizer *tokenizer, const SpecialSet *set) {
    static const char text[] = "<|endoftext|>";
    for (size_t i = 0; i < set->count && tokenizer->end_of_text == NONE; i++)
        if (set->items[i].size == strlen(text) &&
            memcmp(set->items[i].text, text, strlen(text)) == 0)
            tokenizer->end_of_text = set->items[i].id;
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
        sort_specials(tokenizer, &tokenizer->special[round]);
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
    return compile_split(tokenizer, error);
}

/* --- encoding --- */

/* The first of items[low … high − 1], which agree up to `depth`, whose byte there is >= `byte`. */
static size_t lower_bound(const Special *items, size_t low, size_t high, size_t depth, int byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)items[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest special token that the text begins with, NULL if none. */
static const Special *special_at(const SpecialSet *set, const char *text, size_t size) {
    const Special *longest = NULL;
    size_t low = 0, high = set->count;
    for (size_t depth = 0; depth < size && low < high; depth++) {
        int byte = (unsigned char)text[depth];
        low = lower_bound(set->items, low, high, depth, byte);
        high = lower_bound(set->items, low, high, depth, byte + 1);
        if (low < high && set->items[low].size == depth + 1) longest = &set->items[low++];
    }
    return longest;
}

/* Unicode's White_Space. */
static bool is_white_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* Where the white space that begins at `at` ends. */
static size_t skip_space(const char *text, size_t size, size_t at) {
    uint32_t character;
    size_t length;
    while ((length = utf8_decode(text + at, size - at, &character)) && is_white_space(character))
        at += length;
    return at;
}

/* Where the white space that ends at `at` begins, `floor` at the lowest. */
static size_t skip_space_back(const char *text, size_t floor, size_t at) {
    for (size_t start = at; start > floor && at - start < 3;) {
        start--;
        if (skip_space(text, at, start) == at) at = start;
    }
    return at;
}

/* Valid UTF-8 without special tokens. */
static bool encode_characters(Encoder *encoder, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        int code = pcre2_match(encoder->tokenizer->split, (PCRE2_SPTR)text, size, at,
                               PCRE2_NO_UTF_CHECK, encoder->match, NULL);
        if (code < 0)
            return error_set(encoder->error, LLM_ERROR_ARGUMENT,
                             "PCRE2 cannot split the text at byte %zu (error %d)", at, code);
        size_t end = pcre2_get_ovector_pointer(encoder->match)[1];
        if (!encode_piece(encoder, text + at, end - at)) return false;
        at = end;
    }
    return true;
}

/* How many bytes the text's first run of characters, or of bytes that are none, has. */
static size_t run_length(const char *text, size_t size, bool *characters) {
    uint32_t character;
    size_t length = utf8_decode(text, size, &character), end = 0;
    *characters = length > 0;
    do {
        end += length ? length : 1;
        length = utf8_decode(text + end, size - end, &character);
    } while (end < size && (length > 0) == *characters);
    return end;
}

/* Any bytes without special tokens: a run of bytes that are not UTF-8 is a piece of its own. */
static bool encode_bytes(Encoder *encoder, const char *text, size_t size) {
    for (size_t at = 0, length; at < size; at += length) {
        bool characters;
        length = run_length(text + at, size - at, &characters);
        bool encoded = characters ? encode_characters(encoder, text + at, length)
                                  : encode_piece(encoder, text + at, length);
        if (!encoded) return false;
    }
    return true;
}

/* Any bytes: the special tokens of this round and the next, and what is between them. */
static bool encode_text(Encoder *encoder, const char *text, size_t size, int round) {
    if (round == ROUNDS) return encode_bytes(encoder, text, size);
    const SpecialSet *set = &encoder->tokenizer->special[round];
    if (set->count == 0) return encode_text(encoder, text, size, round + 1);
    size_t done = 0;
    for (size_t at = 0; at < size;) {
        const Special *special = special_at(set, text + at, size - at);
        if (!special) {
            at++;
            continue;
        }
        size_t start = at;
        at += special->size;
        if (special->flags & SPECIAL_STRIP_LEFT) start = skip_space_back(text, done, start);
        if (done < start && !encode_text(encoder, text + done, start - done, round + 1))
            return false;
        if (!tokens_append(encoder->output, special->id, encoder->error)) return false;
        done = special->flags & SPECIAL_STRIP_RIGHT ? skip_space(text, size, at) : at;
    }
    return done == size || encode_text(encoder, text + done, size - done, round + 1);
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, LLMTokens *tokens,
                      LLMError *error) {
    if (!tokenizer_encodes(tokenizer))
        return error_set(error, LLM_ERROR_FORMAT,
                         "this model's tokenizer only decodes: its file has no merges and is not "
                         "GPT-2's own; use the model as a Hugging Face folder or GGUF");
    if (size >= NONE)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "a text of %zu bytes: encode less than 4 GiB at a time", size);
    size_t count = tokens->count;
    Encoder encoder = {.tokenizer = tokenizer, .output = tokens, .error = error};
    encoder.match = pcre2_match_data_create_from_pattern(tokenizer->split, NULL);
    if (!encoder.match) return error_memory(error, sizeof(void *));
    bool encoded = encode_text(&encoder, text, size, 0);
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

uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer) {
    return tokenizer->end_of_text;
}

const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size) {
    if (id >= tokenizer->vocabulary || !tokenizer->tokens[id].present) return NULL;
    *size = tokenizer->tokens[id].size;
    return tokenizer->text + tokenizer->tokens[id].offset;
}
