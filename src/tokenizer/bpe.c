#include "bpe.h"

#include "tokens.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX /* no symbol */

BPEOrder bpe_order(const BPE *bpe) {
    return bpe->scores ? BPE_BY_SCORE : BPE_BY_MERGE;
}

void bpe_free(BPE *bpe) {
    vocabulary_free(&bpe->vocabulary);
    merges_free(&bpe->merges);
    free(bpe->scores);
    free(bpe->ranks);
    *bpe = (BPE){0};
}

/* --- finishing --- */

typedef struct ScoredToken {
    float score;
    uint32_t id;
} ScoredToken;

static int compare_scores(const void *a, const void *b) {
    const ScoredToken *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Equal scores have equal ranks. */
static bool rank_scores(BPE *bpe, LLMError *error) {
    size_t count = bpe->vocabulary.size;
    ScoredToken *scored = malloc(count * sizeof *scored);
    bpe->ranks = malloc(count * sizeof *bpe->ranks);
    if (!scored || !bpe->ranks) {
        free(scored);
        return error_memory(error, count * (sizeof *scored + sizeof *bpe->ranks));
    }
    for (uint32_t id = 0; id < count; id++)
        scored[id] = (ScoredToken){bpe->scores[id], id};
    qsort(scored, count, sizeof *scored, compare_scores);
    uint32_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && scored[i].score != scored[i - 1].score) rank++;
        bpe->ranks[scored[i].id] = rank;
    }
    free(scored);
    return true;
}

static void find_before_mark(BPE *bpe) {
    const Vocabulary *vocabulary = &bpe->vocabulary;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        const Token *token = &vocabulary->tokens[id];
        const char *text = vocabulary->text + token->text;
        for (size_t at = 1; token->present && at + SPACE_MARK_SIZE <= token->text_size; at++)
            if (memcmp(text + at, SPACE_MARK, SPACE_MARK_SIZE) == 0)
                bpe->before_mark[(unsigned char)text[at - 1]] = true;
    }
}

bool bpe_finish(BPE *bpe, LLMError *error) {
    vocabulary_bytes(&bpe->vocabulary, bpe->id_of_byte);
    if (bpe->characters) find_before_mark(bpe);
    return !bpe->scores || rank_scores(bpe, error);
}

/* --- memory --- */

static bool reserve(BPEWork *work, size_t size, LLMError *error) {
    if (size <= work->capacity) return true;
    size_t capacity = 2 * size;
    bpe_work_free(work);
    work->symbols = malloc(capacity * sizeof *work->symbols);
    work->heap = malloc(2 * capacity * sizeof *work->heap);
    if (!work->symbols || !work->heap)
        return error_memory(error, capacity * (sizeof(Symbol) + 2 * sizeof(uint64_t)));
    work->capacity = capacity;
    return true;
}

void bpe_work_free(BPEWork *work) {
    free(work->symbols);
    free(work->heap);
    work->symbols = NULL;
    work->heap = NULL;
    work->capacity = 0;
}

/* --- the queue of merges --- */

static void heap_push(BPEWork *work, uint64_t key) {
    size_t i = work->heap_count++;
    for (; i > 0 && work->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        work->heap[i] = work->heap[(i - 1) / 2];
    work->heap[i] = key;
}

static uint64_t heap_pop(BPEWork *work) {
    uint64_t *heap = work->heap;
    uint64_t top = heap[0], key = heap[--work->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < work->heap_count; i = child) {
        if (child + 1 < work->heap_count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= key) break;
        heap[i] = heap[child];
    }
    heap[i] = key;
    return top;
}

/* --- merging --- */

/* A piece while it is merged. */
typedef struct Piece {
    const BPE *bpe;
    BPEWork *work;
    const char *text;
    size_t size;
} Piece;

static size_t end_of(const Piece *piece, const Symbol *symbol) {
    return symbol->next == NONE ? piece->size : piece->work->symbols[symbol->next].start;
}

/* A piece that is an ordinary token as a whole. */
static uint32_t find_whole(const BPE *bpe, const char *text, size_t size) {
    uint32_t id = vocabulary_find(&bpe->vocabulary, text, size);
    bool special = id != NO_TOKEN && bpe->vocabulary.tokens[id].kind == TOKEN_SPECIAL;
    return special ? NO_TOKEN : id;
}

/* The token that scores make of this text: special tokens and bytes are not made by merging. */
static uint32_t find_piece(const BPE *bpe, const char *text, size_t size) {
    uint32_t id = vocabulary_find(&bpe->vocabulary, text, size);
    return id != NO_TOKEN && bpe->vocabulary.tokens[id].kind == TOKEN_PIECE ? id : NO_TOKEN;
}

/* Whether symbol `left` joins with its neighbour: to what token, and how soon. */
static bool find_join(const Piece *piece, const Symbol *left, uint32_t *result, uint32_t *rank) {
    if (left->next == NONE) return false;
    const Symbol *right = &piece->work->symbols[left->next];
    if (piece->bpe->ranks) {
        const char *text = piece->text + left->start;
        *result = find_piece(piece->bpe, text, end_of(piece, right) - left->start);
        if (*result != NO_TOKEN) *rank = piece->bpe->ranks[*result];
        return *result != NO_TOKEN;
    }
    const Merge *merge = merges_find(&piece->bpe->merges, left->id, right->id);
    if (!merge) return false;
    *result = merge->result;
    *rank = merge->rank;
    return true;
}

static void queue_join(const Piece *piece, uint32_t left) {
    uint32_t result, rank;
    if (find_join(piece, &piece->work->symbols[left], &result, &rank))
        heap_push(piece->work, (uint64_t)rank << 32 | left);
}

/* Symbol `left` becomes `result`; its neighbour leaves the list. */
static void join(const Piece *piece, uint32_t left, uint32_t result) {
    Symbol *symbols = piece->work->symbols, *symbol = &symbols[left];
    Symbol *neighbour = &symbols[symbol->next];
    symbol->id = result;
    symbol->next = neighbour->next;
    if (symbol->next != NONE) symbols[symbol->next].previous = left;
    neighbour->next = NONE; /* so that what is queued for it is void */
    if (symbol->previous != NONE) queue_join(piece, symbol->previous);
    queue_join(piece, left);
}

/* The lowest rank first, the leftmost among equals. Every join takes one entry off the heap and
 * adds two at most: twice as many entries as symbols are enough. */
static void merge_symbols(const Piece *piece, uint32_t count) {
    BPEWork *work = piece->work;
    work->heap_count = 0;
    for (uint32_t i = 0; i < count; i++)
        queue_join(piece, i);
    while (work->heap_count > 0) {
        uint64_t key = heap_pop(work);
        uint32_t left = (uint32_t)key, result, rank;
        if (find_join(piece, &work->symbols[left], &result, &rank) && rank == key >> 32)
            join(piece, left, result);
    }
}

/* --- the symbols at the start --- */

static bool have_tokens(const BPE *bpe, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bpe->id_of_byte[(unsigned char)bytes[i]] == NO_TOKEN) return false;
    return true;
}

static void add_symbol(const Piece *piece, uint32_t *count, uint32_t id, size_t start) {
    uint32_t i = (*count)++;
    piece->work->symbols[i] = (Symbol){id, (uint32_t)start, i - 1, i + 1}; /* 0 - 1 is NONE */
}

static void add_bytes(const Piece *piece, uint32_t *count, size_t start, size_t size) {
    for (size_t i = start; i < start + size; i++)
        add_symbol(piece, count, piece->bpe->id_of_byte[(unsigned char)piece->text[i]], i);
}

/* With scores, a character without a token may still be part of one; its bytes come last. */
static void add_characters(const Piece *piece, uint32_t *count) {
    const BPE *bpe = piece->bpe;
    for (size_t at = 0, length; at < piece->size; at += length) {
        uint32_t character;
        length = utf8_decode(piece->text + at, piece->size - at, &character);
        if (length == 0) length = 1;
        uint32_t id = bpe->ranks ? find_piece(bpe, piece->text + at, length)
                                 : find_whole(bpe, piece->text + at, length);
        if (id == NO_TOKEN && !bpe->ranks && bpe->byte_tokens &&
            have_tokens(bpe, piece->text + at, length))
            add_bytes(piece, count, at, length);
        else
            add_symbol(piece, count, id, at);
    }
}

bool bpe_merge(const BPE *bpe, BPEWork *work, const char *text, size_t size, LLMError *error) {
    Piece piece = {bpe, work, text, size};
    if (size >= NONE)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "a text of %zu bytes without a break is too long", size);
    if (!reserve(work, size, error)) return false;
    uint32_t count = 0;
    if (bpe->characters)
        add_characters(&piece, &count);
    else
        add_bytes(&piece, &count, 0, size);
    work->symbols[count - 1].next = NONE;
    merge_symbols(&piece, count);
    return true;
}

/* --- the tokens --- */

static bool cannot_encode(const BPE *bpe, const char *text, LLMError *error) {
    uint32_t character;
    if (bpe->characters && utf8_decode(text, 4, &character) > 1)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the vocabulary has no token for the character U+%04X: leave it out",
                         character);
    return error_set(error, LLM_ERROR_ARGUMENT,
                     "the vocabulary has no token for byte 0x%02X of the text: leave it out",
                     (unsigned char)*text);
}

/* What is in no token: its bytes, else the unknown token. */
static bool append_unknown(const BPE *bpe, BPEWork *work, const char *text, size_t size,
                           LLMTokens *tokens, LLMError *error) {
    if (bpe->byte_tokens && have_tokens(bpe, text, size)) {
        for (size_t i = 0; i < size; i++)
            if (!tokens_append(tokens, bpe->id_of_byte[(unsigned char)text[i]], error))
                return false;
        return true;
    }
    if (bpe->unknown == NO_TOKEN) return cannot_encode(bpe, text, error);
    bool fused = work->after_unknown && bpe->fuse_unknown;
    work->after_unknown = true;
    return fused || tokens_append(tokens, bpe->unknown, error);
}

static bool encode_part(const BPE *bpe, BPEWork *work, const char *text, size_t size,
                        LLMTokens *tokens, LLMError *error) {
    if (!bpe_merge(bpe, work, text, size, error)) return false;
    Piece piece = {bpe, work, text, size};
    for (uint32_t i = 0; i != NONE; i = work->symbols[i].next) {
        const Symbol *symbol = &work->symbols[i];
        size_t length = end_of(&piece, symbol) - symbol->start;
        bool known = symbol->id != NO_TOKEN;
        if (known) work->after_unknown = false;
        if (known ? !tokens_append(tokens, symbol->id, error)
                  : !append_unknown(bpe, work, text + symbol->start, length, tokens, error))
            return false;
    }
    return true;
}

/* Where the part that begins at `from` ends: before a space mark that no token has at this place
 * inside it, so that nothing joins across. */
static size_t part_end(const BPE *bpe, const char *text, size_t size, size_t from) {
    if (!bpe->characters) return size;
    for (size_t at = from + 1; at + SPACE_MARK_SIZE <= size; at++)
        if (text[at] == SPACE_MARK[0] && memcmp(text + at, SPACE_MARK, SPACE_MARK_SIZE) == 0 &&
            !bpe->before_mark[(unsigned char)text[at - 1]])
            return at;
    return size;
}

bool bpe_encode(const BPE *bpe, BPEWork *work, const char *piece, size_t size, LLMTokens *tokens,
                LLMError *error) {
    uint32_t whole = bpe->whole_first ? find_whole(bpe, piece, size) : NO_TOKEN;
    if (whole != NO_TOKEN) return tokens_append(tokens, whole, error);
    work->after_unknown = false;
    for (size_t at = 0, end; at < size; at = end) {
        end = part_end(bpe, piece, size, at);
        if (!encode_part(bpe, work, piece + at, end - at, tokens, error)) return false;
    }
    return true;
}
