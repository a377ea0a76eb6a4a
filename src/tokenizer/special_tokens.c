/* The search is Aho and Corasick's, from the end of the text to its start: there the longest token
 * that begins at each place is known after one step, and no place is looked at twice. */
#include "special_tokens.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Make room for one more of `count` items. */
static void *grow(void *items, size_t count, size_t *capacity, size_t item, LLMError *error) {
    if (count < *capacity) return items;
    size_t wanted = 2 * count + 16;
    void *grown = realloc(items, wanted * item);
    if (!grown) return error_memory(error, wanted * item);
    *capacity = wanted;
    return grown;
}

/* --- adding --- */

bool special_tokens_add(SpecialTokens *tokens, uint32_t id, const char *text, size_t size,
                        unsigned flags, LLMError *error) {
    size_t capacity = tokens->capacity;
    SpecialToken *items = grow(tokens->items, tokens->count, &capacity, sizeof *items, error);
    if (!items) return false;
    tokens->items = items;
    tokens->capacity = (uint32_t)capacity;
    size_t needed = tokens->text_size + size;
    if (needed > tokens->text_capacity) {
        char *grown = realloc(tokens->text, 2 * needed);
        if (!grown) return error_memory(error, 2 * needed);
        tokens->text = grown;
        tokens->text_capacity = 2 * needed;
    }
    memcpy(tokens->text + tokens->text_size, text, size);
    items[tokens->count++] = (SpecialToken){tokens->text_size, (uint32_t)size, id, flags};
    tokens->text_size += size;
    return true;
}

void special_tokens_free(SpecialTokens *tokens) {
    free(tokens->items);
    free(tokens->text);
    free(tokens->states);
    *tokens = (SpecialTokens){0};
}

/* --- the states --- */

/* A token spelt backwards, while it is sorted. */
typedef struct Spelling {
    const char *end;
    uint32_t size, token;
} Spelling;

/* Tokens that a state is on the way to: spellings[low … high − 1] agree in the first `depth`
 * bytes. */
typedef struct Range {
    uint32_t low, high, depth;
} Range;

static unsigned char byte_at(const Spelling *spelling, uint32_t depth) {
    return (unsigned char)spelling->end[-1 - (ptrdiff_t)depth];
}

static int compare(const void *a, const void *b) {
    const Spelling *x = a, *y = b;
    uint32_t size = x->size < y->size ? x->size : y->size;
    for (uint32_t i = 0; i < size; i++)
        if (byte_at(x, i) != byte_at(y, i)) return byte_at(x, i) - byte_at(y, i);
    return (x->size > y->size) - (x->size < y->size);
}

static bool sort_spellings(const SpecialTokens *tokens, Spelling *spellings, LLMError *error) {
    for (uint32_t i = 0; i < tokens->count; i++) {
        const SpecialToken *item = &tokens->items[i];
        spellings[i] = (Spelling){tokens->text + item->text + item->size, item->size, i};
    }
    qsort(spellings, tokens->count, sizeof *spellings, compare);
    for (uint32_t i = 1; i < tokens->count; i++)
        if (compare(&spellings[i - 1], &spellings[i]) == 0)
            return error_set(error, LLM_ERROR_FORMAT, "special tokens %u and %u have the same text",
                             tokens->items[spellings[i - 1].token].id,
                             tokens->items[spellings[i].token].id);
    return true;
}

/* The child of a state by a byte, NONE if there is none. */
static uint32_t child_of(const SpecialState *states, uint32_t state, unsigned char byte) {
    uint32_t low = states[state].first, high = states[state].last;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (states[middle].byte < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low < states[state].last && states[low].byte == byte ? low : NONE;
}

/* Where the search is after one more byte; state 0 has read nothing. */
static uint32_t step(const SpecialState *states, uint32_t state, unsigned char byte) {
    uint32_t child = child_of(states, state, byte);
    while (child == NONE && state != 0) {
        state = states[state].fallback;
        child = child_of(states, state, byte);
    }
    return child == NONE ? 0 : child;
}

/* A shorter token may begin where a longer end of another goes on. */
static void settle(SpecialState *states, uint32_t parent, uint32_t state) {
    states[state].fallback =
        parent == 0 ? 0 : step(states, states[parent].fallback, states[state].byte);
    if (states[state].longest == NONE)
        states[state].longest = states[states[state].fallback].longest;
}

/* Give `state` its children: one for each next byte of the tokens in its range. */
static void branch(SpecialTokens *tokens, const Spelling *spellings, Range *ranges,
                   uint32_t state) {
    Range range = ranges[state];
    SpecialState *states = tokens->states;
    states[state].first = tokens->state_count;
    for (uint32_t low = range.low, high; low < range.high; low = high) {
        unsigned char byte = byte_at(&spellings[low], range.depth);
        for (high = low + 1; high < range.high && byte_at(&spellings[high], range.depth) == byte;)
            high++;
        uint32_t child = tokens->state_count++;
        bool ends = spellings[low].size == range.depth + 1;
        ranges[child] = (Range){low + ends, high, range.depth + 1};
        states[child] = (SpecialState){.longest = ends ? spellings[low].token : NONE, .byte = byte};
    }
    states[state].last = tokens->state_count;
    for (uint32_t child = states[state].first; child < states[state].last; child++)
        settle(states, state, child);
}

/* Breadth first, so that every fallback is known before it is needed. */
bool special_tokens_finish(SpecialTokens *tokens, LLMError *error) {
    size_t most = tokens->text_size + 1;
    size_t bytes = most * (sizeof *tokens->states + sizeof(Range));
    if (most >= NONE) return error_memory(error, bytes);
    Spelling *spellings = malloc((tokens->count + 1) * sizeof *spellings);
    Range *ranges = malloc(most * sizeof *ranges);
    tokens->states = malloc(most * sizeof *tokens->states);
    bool done = spellings && ranges && tokens->states;
    if (!done) error_memory(error, bytes);
    if (done && (done = sort_spellings(tokens, spellings, error))) {
        ranges[0] = (Range){0, tokens->count, 0};
        tokens->states[0] = (SpecialState){.longest = NONE};
        tokens->state_count = 1;
        for (uint32_t state = 0; state < tokens->state_count; state++)
            branch(tokens, spellings, ranges, state);
    }
    free(spellings);
    free(ranges);
    return done;
}

/* --- white space --- */

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

/* Where the white space that ends at `at` begins, not before `from`; its characters have 3 bytes at
 * most. */
static size_t skip_space_back(const char *text, size_t from, size_t at) {
    for (size_t start = at; start > from && at - start < 3;) {
        start--;
        if (skip_space(text, at, start) == at) at = start;
    }
    return at;
}

/* --- searching --- */

/* A place where a token begins. */
typedef struct Hit {
    size_t start;
    uint32_t token;
} Hit;

typedef struct Hits {
    Hit *items;
    size_t count, capacity;
} Hits;

/* The longest token at every place where one begins, the last place first. */
static bool find_hits(const SpecialTokens *tokens, const char *text, size_t size, Hits *hits,
                      LLMError *error) {
    const SpecialState *states = tokens->states;
    uint32_t state = 0, first[256];
    for (int byte = 0; byte < 256; byte++)
        first[byte] = step(states, 0, (unsigned char)byte);
    for (size_t at = size; at-- > 0;) {
        unsigned char byte = (unsigned char)text[at];
        state = state == 0 ? first[byte] : step(states, state, byte);
        if (states[state].longest == NONE) continue;
        Hit *items = grow(hits->items, hits->count, &hits->capacity, sizeof *items, error);
        if (!items) return false;
        hits->items = items;
        items[hits->count++] = (Hit){at, states[state].longest};
    }
    return true;
}

static bool choose_matches(const SpecialTokens *tokens, const char *text, size_t size,
                           const Hits *hits, SpecialMatches *matches, LLMError *error) {
    size_t from = 0;
    for (size_t i = hits->count; i-- > 0;) {
        const SpecialToken *token = &tokens->items[hits->items[i].token];
        size_t start = hits->items[i].start, end = start + token->size;
        if (start < from) continue;
        if (token->flags & SPECIAL_STRIP_LEFT) start = skip_space_back(text, from, start);
        if (token->flags & SPECIAL_STRIP_RIGHT) end = skip_space(text, size, end);
        SpecialMatch *items =
            grow(matches->items, matches->count, &matches->capacity, sizeof *items, error);
        if (!items) return false;
        matches->items = items;
        items[matches->count++] = (SpecialMatch){start, end, token->id, token->flags};
        from = end;
    }
    return true;
}

bool special_tokens_find(const SpecialTokens *tokens, const char *text, size_t size,
                         SpecialMatches *matches, LLMError *error) {
    matches->count = 0;
    if (tokens->count == 0) return true;
    Hits hits = {0};
    bool found = find_hits(tokens, text, size, &hits, error) &&
                 choose_matches(tokens, text, size, &hits, matches, error);
    free(hits.items);
    return found;
}
