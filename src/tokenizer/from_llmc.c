/* llm.c's gpt2_tokenizer.bin. */
#include "from_folder.h"

#include "checkpoint/file_map.h"
#include "hash.h"

/* 256 int32: magic, version, number of tokens, end-of-text token (from version 2 on), zeros. */
#define LLMC_HEADER_BYTES 1024
#define LLMC_MAGIC        20240328

#define GPT2_MERGES      50000
#define GPT2_END_OF_TEXT 50256
/* hash_bytes of what follows the header in the file for GPT-2's own vocabulary. */
#define GPT2_LLMC_HASH 0x13FFF39CF3C6E82C

static uint32_t read_u32(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Per token one byte with its length, and its bytes. */
static bool read_llmc_tokens(Tokenizer *tokenizer, const unsigned char *data, size_t size,
                             uint32_t end_of_text, LLMError *error) {
    size_t at = 0;
    for (uint32_t id = 0; id < tokenizer_vocabulary(tokenizer); id++) {
        if (at == size || data[at] > size - at - 1)
            return error_set(error, LLM_ERROR_FORMAT, "the file is cut off in token %u of %u", id,
                             tokenizer_vocabulary(tokenizer));
        TokenText kind = id == end_of_text ? TOKEN_SPECIAL : TOKEN_BYTES;
        const char *token = (const char *)data + at + 1;
        if (!tokenizer_add_token(tokenizer, id, token, data[at], kind, error)) return false;
        at += 1 + (size_t)data[at];
    }
    if (at == size) return true;
    return error_set(error, LLM_ERROR_FORMAT, "%zu bytes too many after the last token", size - at);
}

static bool build_llmc(Tokenizer *tokenizer, const unsigned char *data, size_t size,
                       uint32_t end_of_text, LLMError *error) {
    if (!read_llmc_tokens(tokenizer, data, size, end_of_text, error)) return false;
    if (!tokenizer_set_end_of_text(tokenizer, end_of_text, error)) return false;
    bool is_gpt2 = end_of_text == GPT2_END_OF_TEXT && hash_bytes(data, size) == GPT2_LLMC_HASH;
    if (is_gpt2 && !tokenizer_derive_merges(tokenizer, GPT2_MERGES, error)) return false;
    return tokenizer_finish(tokenizer, error);
}

Tokenizer *tokenizer_parse_llmc(const void *data, size_t size, LLMError *error) {
    const unsigned char *header = data;
    if (size < LLMC_HEADER_BYTES || read_u32(header) != LLMC_MAGIC) {
        error_set(error, LLM_ERROR_FORMAT,
                  "not a tokenizer of llm.c: the header is cut off or has another magic number");
        return NULL;
    }
    uint32_t version = read_u32(header + 4), vocabulary = read_u32(header + 8);
    if (version != 1 && version != 2) {
        error_set(error, LLM_ERROR_FORMAT,
                  "version %u of llm.c's tokenizer file is not supported: only 1 and 2 are",
                  version);
        return NULL;
    }
    if (vocabulary > size - LLMC_HEADER_BYTES) {
        error_set(error, LLM_ERROR_FORMAT, "the file is too short for its %u tokens", vocabulary);
        return NULL;
    }
    /* Version 1 was written for GPT-2 alone and does not say. */
    uint32_t end_of_text = version == 2 ? read_u32(header + 12) : GPT2_END_OF_TEXT;
    Tokenizer *tokenizer = tokenizer_new(vocabulary, error);
    if (tokenizer && !build_llmc(tokenizer, header + LLMC_HEADER_BYTES, size - LLMC_HEADER_BYTES,
                                 end_of_text, error)) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}

enum { MOST_BYTES = 64 << 20 };

Tokenizer *tokenizer_open_llmc(const char *path, LLMError *error) {
    FileMap map;
    LLMError problem = {0};
    if (!file_map_read(&map, path, MOST_BYTES, error)) return NULL;
    Tokenizer *tokenizer = tokenizer_parse_llmc(map.data, map.size, &problem);
    if (!tokenizer) error_set(error, problem.status, "%s: %s", path, problem.message);
    file_map_close(&map);
    return tokenizer;
}
