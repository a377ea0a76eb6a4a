#include "to_gguf.h"

#include "checkpoint/gguf_file.h"
#include "from_gguf.h"
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

static bool cannot_store(LLMError *error, const char *what) {
    return error_set(
        error, LLM_ERROR_FORMAT,
        "the tokenizer cannot be stored: GGUF has no place for %s; use the model as it "
        "is",
        what);
}

/* --- rules --- */

static bool store_frame(const TokenizerRules *rules, GGUFTokenizer *gguf, LLMError *error) {
    gguf->adds_begin = rules->begin_count > 0;
    gguf->adds_end = rules->end_count > 0;
    gguf->unknown = rules->unknown;
    return (rules->begin_count < 2 && rules->end_count < 2) ||
           cannot_store(error, "several tokens that begin or end a text");
}

/* Where the space mark comes from a pre-tokenizer, a text that begins with a space gets none. */
static bool store_sentencepiece_rules(const Tokenizer *tokenizer, GGUFTokenizer *gguf,
                                      LLMError *error) {
    const TokenizerRules *rules = tokenizer_rules(tokenizer);
    gguf->model = "llama";
    if (rules->normalizer.nfc) return cannot_store(error, "normalisation form C of SentencePiece");
    if (tokenizer_splits(tokenizer))
        return cannot_store(error, "a split into words of SentencePiece");
    if (rules->metaspace.prefix == PREFIX_MISSING)
        gguf->prefix = rules->prefix_first ? "first" : "missing";
    gguf->adds_space =
        rules->normalizer.prefix != PREFIX_NONE || rules->metaspace.prefix != PREFIX_NONE;
    return true;
}

static bool store_rules(const Tokenizer *tokenizer, GGUFTokenizer *gguf, LLMError *error) {
    const TokenizerRules *rules = tokenizer_rules(tokenizer);
    if (!store_frame(rules, gguf, error)) return false;
    if (rules->characters) return store_sentencepiece_rules(tokenizer, gguf, error);
    gguf->model = "gpt2";
    gguf->pre = tokenizer_encodes(tokenizer) ? tokenizer_pre(tokenizer) : "gpt-2";
    return gguf->pre || cannot_store(error, "the way in which it splits texts");
}

/* --- texts --- */

/* Letters of GPT-2's printable alphabet: two bytes of UTF-8 at most. Returns the end. */
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
    const char *text = tokenizer_text(tokenizer, id, &size);
    TokenText kind = tokenizer_token_kind(tokenizer, id);
    if (kind == TOKEN_PRINTABLE || kind == TOKEN_BYTES) return write_printable(out, text, size);
    memcpy(out, text, size);
    return out + size;
}

/* Bytes that a token's text may take. */
static size_t room_for(const Tokenizer *tokenizer, uint32_t id) {
    size_t size = 0;
    if (tokenizer_has(tokenizer, id)) tokenizer_text(tokenizer, id, &size);
    return 2 * size + 1;
}

static uint32_t type_of(const Tokenizer *tokenizer, uint32_t id, unsigned flags) {
    if (!tokenizer_has(tokenizer, id)) return GGUF_TOKEN_UNUSED;
    switch (tokenizer_token_kind(tokenizer, id)) {
    case TOKEN_BYTE:
        return GGUF_TOKEN_BYTE;
    case TOKEN_SPECIAL:
        if (id == tokenizer_rules(tokenizer)->unknown) return GGUF_TOKEN_UNKNOWN;
        return flags & SPECIAL_TEXT ? GGUF_TOKEN_USER_DEFINED : GGUF_TOKEN_CONTROL;
    default:
        return GGUF_TOKEN_NORMAL;
    }
}

static void write_tokens(const Tokenizer *tokenizer, const unsigned *flags, char **end,
                         GGUFTokenizer *gguf) {
    const unsigned kept = SPECIAL_STRIP_LEFT | SPECIAL_STRIP_RIGHT | SPECIAL_SECOND;
    for (uint32_t id = 0; id < gguf->token_count; id++) {
        gguf->types[id] = type_of(tokenizer, id, flags[id]);
        if (flags[id] & kept) {
            gguf->added[gguf->added_count++] = id;
            gguf->added[gguf->added_count++] = flags[id] & kept;
        }
        if (!tokenizer_has(tokenizer, id)) continue;
        gguf->tokens[id] = *end;
        *end = write_token(*end, tokenizer, id);
        *(*end)++ = '\0';
    }
}

static void write_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2], char **end,
                         GGUFTokenizer *gguf) {
    for (uint32_t i = 0; i < gguf->merge_count; i++) {
        gguf->merges[i] = *end;
        *end = write_token(*end, tokenizer, pairs[i][0]);
        *(*end)++ = ' ';
        *end = write_token(*end, tokenizer, pairs[i][1]);
        *(*end)++ = '\0';
    }
}

static bool allocate(const Tokenizer *tokenizer, uint32_t (*pairs)[2], GGUFTokenizer *gguf,
                     LLMError *error) {
    size_t size = 1, tokens = gguf->token_count, merges = gguf->merge_count;
    for (uint32_t id = 0; id < tokens; id++)
        size += room_for(tokenizer, id);
    for (uint32_t i = 0; i < merges; i++)
        size += room_for(tokenizer, pairs[i][0]) + room_for(tokenizer, pairs[i][1]);
    gguf->tokens = calloc(tokens, sizeof *gguf->tokens);
    gguf->types = calloc(tokens, sizeof *gguf->types);
    gguf->added = calloc(2 * tokens, sizeof *gguf->added);
    gguf->merges = calloc(merges + 1, sizeof *gguf->merges);
    gguf->text = malloc(size);
    if (gguf->tokens && gguf->types && gguf->added && gguf->merges && gguf->text) return true;
    return error_memory(error, size + (2 * tokens + merges) * sizeof(char *));
}

/* --- scores --- */

/* SentencePiece's scores say the same as merges if those that make one token follow each other, and
 * every way to make a token is among them. */
static bool score_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2], float *scores,
                         LLMError *error) {
    uint32_t last = UINT32_MAX;
    for (uint32_t rank = 0; rank < tokenizer_merge_count(tokenizer); rank++) {
        uint32_t result = tokenizer_merge_result(tokenizer, pairs[rank][0], pairs[rank][1]);
        if (result == last) continue;
        if (scores[result] != 0)
            return cannot_store(error, "merges of SentencePiece in this order");
        scores[result] = -1 - (float)rank;
        last = result;
    }
    return tokenizer_merges_are_whole(tokenizer) ||
           cannot_store(error, "tokens of SentencePiece that no merge makes");
}

static bool store_scores(const Tokenizer *tokenizer, uint32_t (*pairs)[2], GGUFTokenizer *gguf,
                         LLMError *error) {
    size_t bytes = gguf->token_count * sizeof *gguf->scores;
    gguf->scores = calloc(gguf->token_count, sizeof *gguf->scores);
    if (!gguf->scores) return error_memory(error, bytes);
    gguf->merge_count = 0;
    if (!tokenizer_scores(tokenizer)) return score_merges(tokenizer, pairs, gguf->scores, error);
    memcpy(gguf->scores, tokenizer_scores(tokenizer), bytes);
    return true;
}

/* --- all of it --- */

static bool store(const Tokenizer *tokenizer, uint32_t (*pairs)[2], unsigned *flags,
                  GGUFTokenizer *gguf, LLMError *error) {
    if (!store_rules(tokenizer, gguf, error) || !allocate(tokenizer, pairs, gguf, error))
        return false;
    tokenizer_special_flags(tokenizer, flags);
    char *end = gguf->text;
    write_tokens(tokenizer, flags, &end, gguf);
    if (tokenizer_rules(tokenizer)->characters) return store_scores(tokenizer, pairs, gguf, error);
    write_merges(tokenizer, pairs, &end, gguf);
    return true;
}

bool tokenizer_to_gguf(const Tokenizer *tokenizer, GGUFTokenizer *gguf, LLMError *error) {
    *gguf = (GGUFTokenizer){.token_count = tokenizer_vocabulary(tokenizer),
                            .merge_count = tokenizer_merge_count(tokenizer)};
    uint32_t (*pairs)[2] = calloc((size_t)gguf->merge_count + 1, sizeof *pairs);
    unsigned *flags = calloc(gguf->token_count, sizeof *flags);
    bool stored = pairs && flags;
    if (!stored) error_memory(error, gguf->merge_count * sizeof *pairs);
    if (stored) {
        tokenizer_merges(tokenizer, pairs);
        stored = store(tokenizer, pairs, flags, gguf, error);
    }
    free(pairs);
    free(flags);
    return stored;
}

void gguf_tokenizer_free(GGUFTokenizer *gguf) {
    free(gguf->tokens);
    free(gguf->types);
    free(gguf->scores);
    free(gguf->merges);
    free(gguf->added);
    free(gguf->text);
    *gguf = (GGUFTokenizer){0};
}
