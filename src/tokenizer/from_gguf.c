#include "from_gguf.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_file.h"
#include "pre_tokenizers.h"

#include <stdlib.h>

/* The tokenizer's part of the metadata. */
typedef struct Metadata {
    const GGUFFile *gguf;
    const GGUFEntry *tokens, *types, *scores, *merges, *added; /* NULL where absent */
    bool sentencepiece;
    bool adds_begin, adds_end;
    uint32_t begin, end, unknown;
    TokenizerRules rules;
} Metadata;

static bool missing(const GGUFFile *gguf, const char *key, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the key %s is missing; the file is incomplete, convert the model again",
                     gguf->path, key);
}

/* --- rules --- */

static bool require_false(const GGUFFile *gguf, const char *key, LLMError *error) {
    bool value = false;
    if (!gguf_get_bool(gguf, key, &value, error)) return false;
    return !value || error_set(error, LLM_ERROR_FORMAT,
                               "%s: %s is true, which is not supported; set it to false with "
                               "gguf-set-metadata",
                               gguf->path, key);
}

static bool read_byte_level_rules(Metadata *metadata, LLMError *error) {
    const GGUFFile *gguf = metadata->gguf;
    Text name = {"default", 7};
    if (!gguf_get_text(gguf, "tokenizer.ggml.pre", &name, error)) return false;
    if (!pre_tokenizer_rules(name.data, name.size, &metadata->rules, &metadata->adds_begin))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the tokenizer splits text as \"%.*s\", which is not supported; "
                         "known are %s",
                         gguf->path, TEXT_ARGUMENTS(name), pre_tokenizer_names());
    return require_false(gguf, "tokenizer.ggml.add_space_prefix", error);
}

/* Our own key moves the prefix from the normaliser to where a pre-tokenizer has it. */
static bool read_prefix(Metadata *metadata, LLMError *error) {
    Text prefix = {"", 0};
    TokenizerRules *rules = &metadata->rules;
    if (!gguf_get_text(metadata->gguf, GGUF_PREFIX_SPACE, &prefix, error)) return false;
    if (prefix.size == 0) return true;
    rules->prefix_first = text_is(prefix, "first");
    if (!rules->prefix_first && !text_is(prefix, "missing"))
        return error_set(error, LLM_ERROR_FORMAT, "%s: %s is \"%.*s\", which is not known",
                         metadata->gguf->path, GGUF_PREFIX_SPACE, TEXT_ARGUMENTS(prefix));
    rules->normalizer = (Normalizer){0};
    rules->metaspace = (Normalizer){.mark_spaces = true, .prefix = PREFIX_MISSING};
    return true;
}

static bool read_sentencepiece_rules(Metadata *metadata, LLMError *error) {
    const GGUFFile *gguf = metadata->gguf;
    bool prefix = true;
    if (!gguf_get_bool(gguf, "tokenizer.ggml.add_space_prefix", &prefix, error) ||
        !require_false(gguf, "tokenizer.ggml.remove_extra_whitespaces", error))
        return false;
    if (gguf_find(gguf, "tokenizer.ggml.precompiled_charsmap"))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: tokenizer.ggml.precompiled_charsmap, a normalisation of "
                         "SentencePiece's own, is not supported",
                         gguf->path);
    metadata->rules = (TokenizerRules){
        .normalizer = {.mark_spaces = true, .prefix = prefix ? PREFIX_ALWAYS : PREFIX_NONE},
        .characters = true,
        .byte_tokens = true,
        .unknown = UINT32_MAX,
        .fuse_unknown = true,
    };
    metadata->adds_begin = true;
    metadata->begin = 1;
    metadata->end = 2;
    metadata->unknown = 0;
    return read_prefix(metadata, error);
}

static bool read_rules(Metadata *metadata, LLMError *error) {
    const GGUFFile *gguf = metadata->gguf;
    metadata->begin = metadata->end = metadata->unknown = UINT32_MAX;
    bool read = metadata->sentencepiece ? read_sentencepiece_rules(metadata, error)
                                        : read_byte_level_rules(metadata, error);
    return read &&
           gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &metadata->adds_begin, error) &&
           gguf_get_bool(gguf, "tokenizer.ggml.add_eos_token", &metadata->adds_end, error) &&
           require_false(gguf, "tokenizer.ggml.add_sep_token", error) &&
           gguf_get_integer(gguf, "tokenizer.ggml.bos_token_id", &metadata->begin, error) &&
           gguf_get_integer(gguf, "tokenizer.ggml.eos_token_id", &metadata->end, error) &&
           gguf_get_integer(gguf, "tokenizer.ggml.unknown_token_id", &metadata->unknown, error);
}

static bool set_frame(Metadata *metadata, LLMError *error) {
    TokenizerRules *rules = &metadata->rules;
    if (metadata->adds_begin && metadata->begin == UINT32_MAX)
        return missing(metadata->gguf, "tokenizer.ggml.bos_token_id", error);
    if (metadata->adds_end && metadata->end == UINT32_MAX)
        return missing(metadata->gguf, "tokenizer.ggml.eos_token_id", error);
    if (metadata->adds_begin) rules->begin[rules->begin_count++] = metadata->begin;
    if (metadata->adds_end) rules->end[rules->end_count++] = metadata->end;
    return true;
}

/* --- tokens --- */

static bool read_arrays(Metadata *metadata, LLMError *error) {
    const GGUFFile *gguf = metadata->gguf;
    if (!gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, &metadata->tokens, error) ||
        !gguf_get_array(gguf, "tokenizer.ggml.token_type", GGUF_I32, &metadata->types, error) ||
        !gguf_get_array(gguf, "tokenizer.ggml.scores", GGUF_F32, &metadata->scores, error) ||
        !gguf_get_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, &metadata->merges, error) ||
        !gguf_get_array(gguf, GGUF_ADDED_TOKENS, GGUF_U32, &metadata->added, error))
        return false;
    bool by_score = metadata->sentencepiece;
    if (!metadata->tokens) return missing(gguf, "tokenizer.ggml.tokens", error);
    if (by_score && !metadata->scores) return missing(gguf, "tokenizer.ggml.scores", error);
    if (!by_score && !metadata->merges) return missing(gguf, "tokenizer.ggml.merges", error);
    uint64_t tokens = metadata->tokens->count;
    uint64_t types = metadata->types ? metadata->types->count : tokens;
    uint64_t scores = by_score ? metadata->scores->count : tokens;
    if (tokens > MOST_TOKENS || types != tokens || scores != tokens)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %llu tokens with %llu types and %llu scores, where as many of each "
                         "are due, at most %d; the file is corrupt",
                         gguf->path, (unsigned long long)tokens, (unsigned long long)types,
                         (unsigned long long)scores, MOST_TOKENS);
    return true;
}

/* flags[tokens->count] of the special tokens, from our own key. */
static bool read_flags(const Metadata *metadata, unsigned char *flags, LLMError *error) {
    if (!metadata->added) return true;
    Reader values = metadata->added->values;
    for (uint64_t i = 0; i + 1 < metadata->added->count; i += 2) {
        uint32_t id = reader_u32(&values), value = reader_u32(&values);
        const uint32_t known = SPECIAL_STRIP_LEFT | SPECIAL_STRIP_RIGHT | SPECIAL_SECOND;
        if (id >= metadata->tokens->count || value & ~known)
            return error_set(
                error, LLM_ERROR_FORMAT,
                "%s: %s names token %u with flags %u, which are not known; the file is "
                "corrupt or too new",
                metadata->gguf->path, GGUF_ADDED_TOKENS, id, value);
        flags[id] = (unsigned char)value;
    }
    return true;
}

static bool add_token(Tokenizer *tokenizer, const Metadata *metadata, uint32_t id, uint32_t type,
                      unsigned flags, Text text, LLMError *error) {
    TokenText ordinary = metadata->sentencepiece ? TOKEN_PIECE : TOKEN_PRINTABLE;
    switch (type) {
    case GGUF_TOKEN_NORMAL:
        return tokenizer_add_token(tokenizer, id, text.data, text.size, ordinary, error);
    case GGUF_TOKEN_USER_DEFINED:
        flags |= SPECIAL_TEXT; /* fall through */
    case GGUF_TOKEN_UNKNOWN:
    case GGUF_TOKEN_CONTROL:
        return tokenizer_add_special(tokenizer, id, text.data, text.size, flags, error);
    case GGUF_TOKEN_UNUSED:
        return true;
    case GGUF_TOKEN_BYTE:
        if (metadata->sentencepiece)
            return tokenizer_add_token(tokenizer, id, text.data, text.size, TOKEN_BYTE, error);
        break;
    }
    return error_set(error, LLM_ERROR_FORMAT,
                     "token %u is of the type %u, which this tokenizer has not; convert the model "
                     "again",
                     id, type);
}

/* Old files bring no types: then the tokens that begin and end a text are special. */
static bool add_tokens(Tokenizer *tokenizer, const Metadata *metadata, const unsigned char *flags,
                       LLMError *error) {
    Reader texts = metadata->tokens->values;
    Reader types = metadata->types ? metadata->types->values : (Reader){0};
    for (uint32_t id = 0; id < metadata->tokens->count; id++) {
        bool named = id == metadata->begin || id == metadata->end;
        uint32_t type = named ? GGUF_TOKEN_CONTROL : GGUF_TOKEN_NORMAL;
        if (metadata->types) type = reader_u32(&types);
        if (!add_token(tokenizer, metadata, id, type, flags[id], reader_text(&texts), error))
            return false;
    }
    return true;
}

static bool add_merges(Tokenizer *tokenizer, const Metadata *metadata, LLMError *error) {
    Reader texts = metadata->merges->values;
    for (uint64_t i = 0; i < metadata->merges->count; i++) {
        Text merge = reader_text(&texts);
        if (!tokenizer_add_merge(tokenizer, merge.data, merge.size, error)) return false;
    }
    return true;
}

/* Copied, since in the file they may be misaligned. */
static bool add_scores(Tokenizer *tokenizer, const Metadata *metadata, LLMError *error) {
    size_t bytes = metadata->tokens->count * sizeof(float);
    float *scores = malloc(bytes);
    if (!scores) return error_memory(error, bytes);
    memcpy(scores, metadata->scores->values.data, bytes);
    bool set = tokenizer_set_scores(tokenizer, scores, error);
    free(scores);
    return set;
}

/* SentencePiece's unknown token is the first, where nothing else is said and there is one. */
static bool set_unknown(Tokenizer *tokenizer, const Metadata *metadata) {
    TokenizerRules rules = metadata->rules;
    if (metadata->sentencepiece && tokenizer_has(tokenizer, metadata->unknown))
        rules.unknown = metadata->unknown;
    tokenizer_set_rules(tokenizer, &rules);
    return true;
}

static bool fill(Tokenizer *tokenizer, const Metadata *metadata, LLMError *error) {
    unsigned char *flags = calloc(metadata->tokens->count + 1, 1);
    if (!flags) return error_memory(error, metadata->tokens->count);
    tokenizer_set_rules(tokenizer, &metadata->rules);
    bool filled = read_flags(metadata, flags, error) &&
                  add_tokens(tokenizer, metadata, flags, error) &&
                  set_unknown(tokenizer, metadata) &&
                  (metadata->sentencepiece ? add_scores(tokenizer, metadata, error)
                                           : add_merges(tokenizer, metadata, error)) &&
                  tokenizer_finish(tokenizer, error);
    free(flags);
    return filled;
}

static Tokenizer *build(Metadata *metadata, LLMError *error) {
    LLMError reason = {0};
    if (!read_rules(metadata, error) || !read_arrays(metadata, error) ||
        !set_frame(metadata, error))
        return NULL;
    Tokenizer *tokenizer = tokenizer_new((uint32_t)metadata->tokens->count, &reason);
    if (tokenizer && fill(tokenizer, metadata, &reason)) return tokenizer;
    tokenizer_free(tokenizer);
    error_set(error, reason.status, "%s: %s", metadata->gguf->path, reason.message);
    return NULL;
}

Tokenizer *tokenizer_from_gguf(const GGUFFile *gguf, LLMError *error) {
    Text model = {"none", 4};
    if (!gguf_get_text(gguf, "tokenizer.ggml.model", &model, error) || text_is(model, "none") ||
        text_is(model, "no_vocab"))
        return NULL;
    Metadata metadata = {.gguf = gguf, .sentencepiece = text_is(model, "llama")};
    if (metadata.sentencepiece || text_is(model, "gpt2")) return build(&metadata, error);
    error_set(error, LLM_ERROR_FORMAT,
              "%s: the tokenizer is of the kind \"%.*s\", which is not supported; \"gpt2\" and "
              "\"llama\" are",
              gguf->path, TEXT_ARGUMENTS(model));
    return NULL;
}
