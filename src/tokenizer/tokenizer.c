#include "tokenizer.h"

#include "bpe.h"
#include "pre_tokenizers.h"
#include "special_tokens.h"
#include "split_patterns.h"
#include "tokens.h"

#include <stdlib.h>
#include <string.h>

/* Special tokens are sought in two rounds, the second in what the first leaves over. */
#define ROUNDS 2

/* So many special tokens may lie beyond the model's vocabulary. */
enum { MOST_EXTRA_TOKENS = 1 << 16 };

struct Tokenizer {
    BPE bpe;
    TokenizerRules rules;
    SpecialTokens special[ROUNDS];
    uint32_t end_of_text;
    Split *split; /* NULL: decodes only */
    const char *pre;
};

/* --- building --- */

TokenizerRules tokenizer_default_rules(void) {
    return (TokenizerRules){
        .steps = {{PATTERN_GPT2, false, SPLIT_ISOLATED, false}},
        .step_count = 1,
        .unknown = NO_TOKEN,
    };
}

Tokenizer *tokenizer_new(uint32_t vocabulary, LLMError *error) {
    if (vocabulary == 0) {
        error_set(error, LLM_ERROR_FORMAT, "a vocabulary of 0 tokens: the model's file is damaged");
        return NULL;
    }
    Tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return error_memory(error, sizeof *tokenizer);
    tokenizer->end_of_text = NO_TOKEN;
    tokenizer->rules = tokenizer_default_rules();
    if (vocabulary_init(&tokenizer->bpe.vocabulary, vocabulary, error)) return tokenizer;
    tokenizer_free(tokenizer);
    return NULL;
}

void tokenizer_free(Tokenizer *tokenizer) {
    if (!tokenizer) return;
    split_free(tokenizer->split);
    for (int round = 0; round < ROUNDS; round++)
        special_tokens_free(&tokenizer->special[round]);
    bpe_free(&tokenizer->bpe);
    free(tokenizer);
}

void tokenizer_set_rules(Tokenizer *tokenizer, const TokenizerRules *rules) {
    tokenizer->rules = *rules;
}

bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error) {
    if (kind == TOKEN_SPECIAL) return tokenizer_add_special(tokenizer, id, text, size, 0, error);
    return vocabulary_add(&tokenizer->bpe.vocabulary, id, text, size, kind, error);
}

bool tokenizer_extend(Tokenizer *tokenizer, uint32_t size, LLMError *error) {
    Vocabulary *vocabulary = &tokenizer->bpe.vocabulary;
    if (size <= vocabulary->size) return true;
    if (size - vocabulary->size > MOST_EXTRA_TOKENS)
        return error_set(error, LLM_ERROR_FORMAT,
                         "a special token has id %u, but the model has only %u tokens", size - 1,
                         vocabulary->size);
    return vocabulary_grow(vocabulary, size, error);
}

bool tokenizer_add_special(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                           unsigned flags, LLMError *error) {
    SpecialTokens *specials = &tokenizer->special[flags & SPECIAL_SECOND ? 1 : 0];
    return vocabulary_add(&tokenizer->bpe.vocabulary, id, text, size, TOKEN_SPECIAL, error) &&
           (size == 0 || special_tokens_add(specials, id, text, size, flags, error));
}

bool tokenizer_set_scores(Tokenizer *tokenizer, const float *scores, LLMError *error) {
    size_t bytes = tokenizer->bpe.vocabulary.size * sizeof *scores;
    free(tokenizer->bpe.scores);
    tokenizer->bpe.scores = malloc(bytes);
    if (!tokenizer->bpe.scores) return error_memory(error, bytes);
    memcpy(tokenizer->bpe.scores, scores, bytes);
    return true;
}

bool tokenizer_set_end_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error) {
    if (!tokenizer_has(tokenizer, id))
        return error_set(error, LLM_ERROR_FORMAT,
                         "the end-of-text token, id %u, is not in the vocabulary", id);
    tokenizer->end_of_text = id;
    return true;
}

/* --- merges --- */

/* The two texts of a merge as the vocabulary stores them. */
typedef struct MergeText {
    char *bytes; /* left, then right */
    size_t left, right;
} MergeText;

/* Byte-level texts are read in GPT-2's alphabet, or kept where they are not in it. */
static bool read_merge(const Tokenizer *tokenizer, const char *left, size_t left_size,
                       const char *right, size_t right_size, MergeText *merge, LLMError *error) {
    *merge = (MergeText){malloc(left_size + right_size + 1), left_size, right_size};
    if (!merge->bytes) return error_memory(error, left_size + right_size + 1);
    if (tokenizer->rules.characters) {
        memcpy(merge->bytes, left, left_size);
        memcpy(merge->bytes + left_size, right, right_size);
        return true;
    }
    merge->left = bytes_of_letters(left, left_size, merge->bytes);
    if (merge->left == SIZE_MAX) return true;
    merge->right = bytes_of_letters(right, right_size, merge->bytes + merge->left);
    return true;
}

static uint32_t find_bytes(const Tokenizer *tokenizer, const char *bytes, size_t size) {
    return size == SIZE_MAX ? NO_TOKEN : vocabulary_find(&tokenizer->bpe.vocabulary, bytes, size);
}

bool tokenizer_add_merge_pair(Tokenizer *tokenizer, const char *left, size_t left_size,
                              const char *right, size_t right_size, LLMError *error) {
    MergeText merge;
    if (!read_merge(tokenizer, left, left_size, right, right_size, &merge, error)) return false;
    uint32_t left_id = find_bytes(tokenizer, merge.bytes, merge.left);
    uint32_t right_id = NO_TOKEN, result = NO_TOKEN;
    const char *missing = "its left part is";
    if (left_id != NO_TOKEN) {
        missing = "its right part is";
        right_id = find_bytes(tokenizer, merge.bytes + merge.left, merge.right);
    }
    if (right_id != NO_TOKEN) {
        missing = "the two joined are";
        result = find_bytes(tokenizer, merge.bytes, merge.left + merge.right);
    }
    free(merge.bytes);
    if (result != NO_TOKEN)
        return merges_add(&tokenizer->bpe.merges, left_id, right_id, result, error);
    return error_set(error, LLM_ERROR_FORMAT, "merge %u, \"%.*s %.*s\": %s not in the vocabulary",
                     tokenizer->bpe.merges.count + 1, quoted(left_size), left, quoted(right_size),
                     right, missing);
}

bool tokenizer_add_merge(Tokenizer *tokenizer, const char *merge, size_t size, LLMError *error) {
    const char *space = size ? memchr(merge, ' ', size) : NULL;
    if (!space)
        return error_set(error, LLM_ERROR_FORMAT,
                         "merge %u, \"%.*s\", is not two tokens with a space between",
                         tokenizer->bpe.merges.count + 1, quoted(size), merge);
    size_t left_size = (size_t)(space - merge);
    return tokenizer_add_merge_pair(tokenizer, merge, left_size, space + 1, size - left_size - 1,
                                    error);
}

/* The two tokens that `bytes` are by the merges so far. */
static bool derive_merge(const BPE *bpe, BPEWork *work, const Token *token, uint32_t pair[2],
                         LLMError *error) {
    if (!token->present || token->text_size < 2 ||
        !bpe_merge(bpe, work, bpe->vocabulary.text + token->text, token->text_size, error))
        return false;
    const Symbol *left = work->symbols;
    const Symbol *right = left->next == NO_TOKEN ? NULL : &work->symbols[left->next];
    if (!right || right->next != NO_TOKEN || left->id == NO_TOKEN || right->id == NO_TOKEN)
        return false;
    pair[0] = left->id;
    pair[1] = right->id;
    return true;
}

bool tokenizer_derive_merges(Tokenizer *tokenizer, uint32_t count, LLMError *error) {
    BPE *bpe = &tokenizer->bpe;
    BPEWork work = {0};
    bool derived = true;
    vocabulary_bytes(&bpe->vocabulary, bpe->id_of_byte);
    for (uint32_t rank = 0; derived && rank < count; rank++) {
        uint32_t id = 256 + rank, pair[2];
        derived = id < bpe->vocabulary.size &&
                  derive_merge(bpe, &work, &bpe->vocabulary.tokens[id], pair, error) &&
                  merges_add(&bpe->merges, pair[0], pair[1], id, error);
    }
    bpe_work_free(&work);
    return derived ||
           error_set(error, LLM_ERROR_FORMAT,
                     "merge %u cannot be told from the vocabulary: its ids are not in the "
                     "order of its merges",
                     bpe->merges.count + 1);
}

/* --- finishing --- */

static void find_end_of_text(Tokenizer *tokenizer) {
    static const char text[] = "<|endoftext|>";
    const Vocabulary *vocabulary = &tokenizer->bpe.vocabulary;
    uint32_t id = vocabulary_find(vocabulary, text, strlen(text));
    bool special = id != NO_TOKEN && vocabulary->tokens[id].kind == TOKEN_SPECIAL;
    if (tokenizer->end_of_text == NO_TOKEN && special) tokenizer->end_of_text = id;
}

/* The second round reads normalised text: its tokens are sought as they look there. */
static bool normalise_second(Tokenizer *tokenizer, LLMError *error) {
    SpecialTokens normalised = {0}, *second = &tokenizer->special[1];
    NormalizedText text = {0};
    bool done = true;
    for (uint32_t i = 0; i < second->count && done; i++) {
        const SpecialToken *token = &second->items[i];
        done =
            normalize(&tokenizer->rules.normalizer, second->text + token->text, token->size, &text,
                      error) &&
            special_tokens_add(&normalised, token->id, text.data, text.size, token->flags, error);
    }
    free(text.data);
    special_tokens_free(second);
    *second = normalised;
    return done;
}

static void hand_rules_to_bpe(Tokenizer *tokenizer) {
    const TokenizerRules *rules = &tokenizer->rules;
    tokenizer->bpe.characters = rules->characters;
    tokenizer->bpe.byte_tokens = rules->byte_tokens;
    tokenizer->bpe.whole_first = rules->whole_first;
    tokenizer->bpe.unknown = rules->unknown;
    tokenizer->bpe.fuse_unknown = rules->fuse_unknown;
}

static bool check_rules(const Tokenizer *tokenizer, LLMError *error) {
    const TokenizerRules *rules = &tokenizer->rules;
    for (uint32_t i = 0; i < rules->begin_count + rules->end_count; i++) {
        bool begins = i < rules->begin_count;
        uint32_t id = begins ? rules->begin[i] : rules->end[i - rules->begin_count];
        if (!tokenizer_has(tokenizer, id))
            return error_set(error, LLM_ERROR_FORMAT,
                             "the token put %s each text, id %u, is not in the vocabulary",
                             begins ? "before" : "after", id);
    }
    if (rules->unknown == NO_TOKEN || tokenizer_has(tokenizer, rules->unknown)) return true;
    return error_set(error, LLM_ERROR_FORMAT, "the unknown token, id %u, is not in the vocabulary",
                     rules->unknown);
}

bool tokenizer_finish(Tokenizer *tokenizer, LLMError *error) {
    hand_rules_to_bpe(tokenizer);
    find_end_of_text(tokenizer);
    if (!check_rules(tokenizer, error)) return false;
    if (normalizer_changes(&tokenizer->rules.normalizer) && !normalise_second(tokenizer, error))
        return false;
    for (int round = 0; round < ROUNDS; round++)
        if (!special_tokens_finish(&tokenizer->special[round], error)) return false;
    if (!bpe_finish(&tokenizer->bpe, error)) return false;
    if (!tokenizer_encodes(tokenizer)) return true;
    TokenizerRules *rules = &tokenizer->rules;
    tokenizer->pre = pre_tokenizer_name(rules);
    tokenizer->split = split_new(rules->steps, rules->step_count, error);
    rules->step_count = 0; /* their patterns may lie in a file's text */
    return tokenizer->split != NULL;
}

/* --- encoding --- */

/* What one call of tokenizer_encode works with. */
typedef struct Encoder {
    const Tokenizer *tokenizer;
    uint32_t flags;
    LLMTokens *output;
    LLMError *error;
    BPEWork work;
    SpecialMatches matches[ROUNDS];
    NormalizedText normalised, metaspaced;
} Encoder;

static void encoder_release(Encoder *encoder) {
    bpe_work_free(&encoder->work);
    for (int round = 0; round < ROUNDS; round++)
        free(encoder->matches[round].items);
    free(encoder->normalised.data);
    free(encoder->metaspaced.data);
}

/* SplitPiece for an Encoder. */
static bool encode_piece(void *user, const char *piece, size_t size) {
    Encoder *encoder = user;
    return bpe_encode(&encoder->tokenizer->bpe, &encoder->work, piece, size, encoder->output,
                      encoder->error);
}

/* Text between special tokens. */
static bool encode_plain(Encoder *encoder, const char *text, size_t size, bool at_start) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    Normalizer metaspace = tokenizer->rules.metaspace;
    if (tokenizer->rules.prefix_first && !at_start) metaspace.prefix = PREFIX_NONE;
    if (normalizer_changes(&metaspace)) {
        if (!normalize(&metaspace, text, size, &encoder->metaspaced, encoder->error)) return false;
        text = encoder->metaspaced.data;
        size = encoder->metaspaced.size;
    }
    return split_text(tokenizer->split, text, size, encode_piece, encoder, encoder->error);
}

static bool encode_round(Encoder *encoder, const char *text, size_t size, int round, bool at_start);

/* Text without special tokens of the first round. */
static bool encode_normalised(Encoder *encoder, const char *text, size_t size, bool at_start) {
    const Normalizer *normalizer = &encoder->tokenizer->rules.normalizer;
    if (normalizer_changes(normalizer)) {
        if (!normalize(normalizer, text, size, &encoder->normalised, encoder->error)) return false;
        text = encoder->normalised.data;
        size = encoder->normalised.size;
    }
    return encode_round(encoder, text, size, 1, at_start);
}

static bool encode_between(Encoder *encoder, const char *text, size_t size, int round,
                           bool at_start) {
    if (size == 0) return true;
    return round == 0 ? encode_normalised(encoder, text, size, at_start)
                      : encode_plain(encoder, text, size, at_start);
}

/* The special tokens of this round, and what is between them. */
static bool encode_round(Encoder *encoder, const char *text, size_t size, int round,
                         bool at_start) {
    SpecialMatches *matches = &encoder->matches[round];
    if (!special_tokens_find(&encoder->tokenizer->special[round], text, size, matches,
                             encoder->error))
        return false;
    size_t at = 0;
    for (size_t i = 0; i < matches->count; i++) {
        SpecialMatch match = matches->items[i];
        if (encoder->flags & LLM_PLAIN_TEXT && !(match.flags & SPECIAL_TEXT)) continue;
        if (!encode_between(encoder, text + at, match.start - at, round, at_start && at == 0) ||
            !tokens_append(encoder->output, match.id, encoder->error))
            return false;
        at = match.end;
    }
    return encode_between(encoder, text + at, size - at, round, at_start && at == 0);
}

static bool append_all(Encoder *encoder, const uint32_t *ids, uint32_t count) {
    if (encoder->flags & LLM_NO_BEGIN) return true;
    for (uint32_t i = 0; i < count; i++)
        if (!tokens_append(encoder->output, ids[i], encoder->error)) return false;
    return true;
}

static bool check_encodes(const Tokenizer *tokenizer, LLMError *error) {
    if (tokenizer_encodes(tokenizer)) return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "this model's tokenizer only decodes: its file has no merges and is not "
                     "GPT-2's own vocabulary; use its GGUF or Hugging Face files");
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, uint32_t flags,
                      LLMTokens *tokens, LLMError *error) {
    if (!check_encodes(tokenizer, error)) return false;
    const TokenizerRules *rules = &tokenizer->rules;
    size_t count = tokens->count;
    Encoder encoder = {.tokenizer = tokenizer, .flags = flags, .output = tokens, .error = error};
    bool encoded = append_all(&encoder, rules->begin, rules->begin_count) &&
                   encode_round(&encoder, text, size, 0, true) &&
                   append_all(&encoder, rules->end, rules->end_count);
    if (!encoded) tokens->count = count;
    encoder_release(&encoder);
    return encoded;
}

/* --- a text in parts --- */

/* Control tokens of the second round are sought in what is left over, of whatever part: then parts
 * are taken one by one, else words go on from one to the next. */
static bool seeks_controls_later(const Tokenizer *tokenizer) {
    const SpecialTokens *second = &tokenizer->special[1];
    for (uint32_t i = 0; i < second->count; i++)
        if (!(second->items[i].flags & SPECIAL_TEXT)) return true;
    return false;
}

/* Up to `end`, from where the text has been encoded to. */
static bool encode_up_to(Encoder *encoder, const char *text, size_t *at, size_t end) {
    size_t start = *at;
    if (end <= start) return true;
    *at = end;
    return encode_between(encoder, text + start, end - start, 0, start == 0);
}

static bool encode_part(Encoder *encoder, const char *text, size_t *at, TextPart part) {
    SpecialMatches *matches = &encoder->matches[0];
    encoder->flags = part.plain ? LLM_PLAIN_TEXT : 0;
    if (part.start + part.size <= *at) return true;
    if (part.start < *at) part = (TextPart){*at, part.start + part.size - *at, part.plain};
    if (!special_tokens_find(&encoder->tokenizer->special[0], text + part.start, part.size, matches,
                             encoder->error))
        return false;
    for (size_t i = 0; i < matches->count; i++) {
        SpecialMatch match = matches->items[i];
        if (part.plain && !(match.flags & SPECIAL_TEXT)) continue;
        if (!encode_up_to(encoder, text, at, part.start + match.start) ||
            !tokens_append(encoder->output, match.id, encoder->error))
            return false;
        *at = part.start + match.end;
    }
    return !seeks_controls_later(encoder->tokenizer) ||
           encode_up_to(encoder, text, at, part.start + part.size);
}

bool tokenizer_encode_parts(const Tokenizer *tokenizer, const char *text, size_t from,
                            const TextPart *parts, size_t count, LLMTokens *tokens,
                            LLMError *error) {
    if (!check_encodes(tokenizer, error)) return false;
    size_t before = tokens->count, at = from;
    size_t end = count ? parts[count - 1].start + parts[count - 1].size : 0;
    Encoder encoder = {.tokenizer = tokenizer, .output = tokens, .error = error};
    bool encoded = true;
    for (size_t i = 0; encoded && i < count; i++)
        encoded = encode_part(&encoder, text, &at, parts[i]);
    encoded = encoded && encode_up_to(&encoder, text, &at, end);
    if (!encoded) tokens->count = before;
    encoder_release(&encoder);
    return encoded;
}

bool tokenizer_encodes(const Tokenizer *tokenizer) {
    return tokenizer->bpe.merges.count > 0 || tokenizer->bpe.scores;
}

const char *tokenizer_kind(const Tokenizer *tokenizer) {
    return tokenizer->rules.characters ? "SentencePiece" : "byte-level BPE";
}

uint32_t tokenizer_find(const Tokenizer *tokenizer, const char *text, size_t size) {
    return vocabulary_find(&tokenizer->bpe.vocabulary, text, size);
}

uint32_t tokenizer_vocabulary(const Tokenizer *tokenizer) {
    return tokenizer->bpe.vocabulary.size;
}

uint32_t tokenizer_begin_of_text(const Tokenizer *tokenizer) {
    const TokenizerRules *rules = &tokenizer->rules;
    return rules->begin_count > 0 ? rules->begin[0] : NO_TOKEN;
}

uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer) {
    return tokenizer->end_of_text;
}

/* --- decoding --- */

const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size) {
    const Vocabulary *vocabulary = &tokenizer->bpe.vocabulary;
    *size = 0;
    if (id >= vocabulary->size) return NULL;
    if (!vocabulary->tokens[id].present) return "";
    *size = vocabulary->tokens[id].bytes_size;
    return vocabulary->text + vocabulary->tokens[id].bytes;
}

static bool begins_with(const uint32_t *ids, size_t count, const uint32_t *start,
                        uint32_t start_count) {
    return start_count == 0 ||
           (count >= start_count && memcmp(ids, start, start_count * sizeof *ids) == 0);
}

static bool has_prefix(const TokenizerRules *rules) {
    return rules->normalizer.prefix != PREFIX_NONE || rules->metaspace.prefix != PREFIX_NONE;
}

char *tokenizer_decode(const Tokenizer *tokenizer, const uint32_t *ids, size_t count, size_t *size,
                       LLMError *error) {
    const TokenizerRules *rules = &tokenizer->rules;
    size_t length, capacity = 1;
    for (size_t i = 0; i < count; i++) {
        tokenizer_bytes(tokenizer, ids[i], &length);
        capacity += length;
    }
    char *text = malloc(capacity), *out = text;
    if (!text) return error_memory(error, capacity);
    size_t first =
        begins_with(ids, count, rules->begin, rules->begin_count) ? rules->begin_count : 0;
    size_t ends = rules->end_count;
    if (count - first >= ends && ends > 0 &&
        begins_with(ids + count - ends, ends, rules->end, rules->end_count))
        count -= ends;
    for (size_t i = first; i < count; i++) {
        const char *bytes = tokenizer_bytes(tokenizer, ids[i], &length);
        bool skip = i == first && length > 0 && *bytes == ' ' && has_prefix(rules);
        if (length > 0) memcpy(out, bytes + skip, length - skip);
        out += length - skip;
    }
    *out = '\0';
    *size = (size_t)(out - text);
    return text;
}

/* --- taking it apart --- */

const char *tokenizer_pre(const Tokenizer *tokenizer) {
    return tokenizer->pre;
}

bool tokenizer_splits(const Tokenizer *tokenizer) {
    return tokenizer->split && !split_is_whole(tokenizer->split);
}

const TokenizerRules *tokenizer_rules(const Tokenizer *tokenizer) {
    return &tokenizer->rules;
}

bool tokenizer_has(const Tokenizer *tokenizer, uint32_t id) {
    const Vocabulary *vocabulary = &tokenizer->bpe.vocabulary;
    return id < vocabulary->size && vocabulary->tokens[id].present;
}

TokenText tokenizer_token_kind(const Tokenizer *tokenizer, uint32_t id) {
    return tokenizer->bpe.vocabulary.tokens[id].kind;
}

const char *tokenizer_text(const Tokenizer *tokenizer, uint32_t id, size_t *size) {
    const Token *token = &tokenizer->bpe.vocabulary.tokens[id];
    *size = token->text_size;
    return tokenizer->bpe.vocabulary.text + token->text;
}

void tokenizer_special_flags(const Tokenizer *tokenizer, unsigned *flags) {
    memset(flags, 0, tokenizer_vocabulary(tokenizer) * sizeof *flags);
    for (int round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < tokenizer->special[round].count; i++)
            flags[tokenizer->special[round].items[i].id] = tokenizer->special[round].items[i].flags;
}

const float *tokenizer_scores(const Tokenizer *tokenizer) {
    return tokenizer->bpe.scores;
}

uint32_t tokenizer_merge_count(const Tokenizer *tokenizer) {
    return tokenizer->bpe.merges.count;
}

void tokenizer_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2]) {
    merges_list(&tokenizer->bpe.merges, pairs);
}

uint32_t tokenizer_merge_result(const Tokenizer *tokenizer, uint32_t left, uint32_t right) {
    const Merge *merge = merges_find(&tokenizer->bpe.merges, left, right);
    return merge ? merge->result : NO_TOKEN;
}

static bool has_all_merges(const BPE *bpe, const Token *token) {
    const Vocabulary *vocabulary = &bpe->vocabulary;
    const char *text = vocabulary->text + token->text;
    for (uint32_t at = 1; at < token->text_size; at++) {
        uint32_t left = vocabulary_find(vocabulary, text, at);
        if (left == NO_TOKEN || vocabulary->tokens[left].kind != TOKEN_PIECE) continue;
        uint32_t right = vocabulary_find(vocabulary, text + at, token->text_size - at);
        if (right == NO_TOKEN || vocabulary->tokens[right].kind != TOKEN_PIECE) continue;
        if (!merges_find(&bpe->merges, left, right)) return false;
    }
    return true;
}

bool tokenizer_merges_are_whole(const Tokenizer *tokenizer) {
    const Vocabulary *vocabulary = &tokenizer->bpe.vocabulary;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        const Token *token = &vocabulary->tokens[id];
        if (token->present && token->kind == TOKEN_PIECE && !has_all_merges(&tokenizer->bpe, token))
            return false;
    }
    return true;
}
