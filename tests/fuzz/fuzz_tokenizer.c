/* fuzz_tokenizer.c — libFuzzer target for the tokenizer and the files that hold one.
 *
 * The first byte of the input says what the rest is: a text, whose ids must decode to the same
 * bytes, or one of the files, or a part of one spliced into a file that is otherwise whole (else
 * nothing would ever get past "the vocabulary has no token for byte 0x00").
 */
#include "tokenizer/from_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOCABULARY 300

enum {
    TEXT,
    FOLDER_FILE,
    JSON_MEMBERS,
    VOCAB_MEMBERS,
    LLMC,
    LLMC_TOKENS,
    PIECES_TEXT,    /* a text, by SentencePiece */
    PIECES_MEMBERS, /* members of its tokenizer.json */
    STEPS,          /* members of a byte-level tokenizer.json without a pre-tokenizer */
    KINDS
};

static const char merges[] = "t h\nth e\n";
static char vocabulary_members[256 * 16 + 64]; /* "\u0100":0, … without the braces */

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    char *out = vocabulary_members;
    int others = 0;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        out += sprintf(out, "\"\\u%04x\":%d,", printable ? byte : 0x100 + others++, byte);
    }
    strcpy(out, "\"th\":256,\"the\":257,\"<|endoftext|>\":258");
    return 0;
}

/* Copied, so that the sanitizer sees a read past its end. */
static char *copy(const void *data, size_t size) {
    char *bytes = malloc(size ? size : 1);
    if (size > 0) memcpy(bytes, data, size);
    return bytes;
}

static char *splice(const char *before, const char *data, size_t size, const char *after,
                    size_t *total) {
    size_t before_size = strlen(before), after_size = strlen(after);
    char *bytes = malloc(before_size + size + after_size);
    memcpy(bytes, before, before_size);
    if (size > 0) memcpy(bytes + before_size, data, size);
    memcpy(bytes + before_size + size, after, after_size);
    *total = before_size + size + after_size;
    return bytes;
}

static Tokenizer *parse_folder(int which, const char *data, size_t size, LLMError *error) {
    char vocabulary[sizeof vocabulary_members + 2];
    TokenizerFile files[TOKENIZER_FILES] = {0};
    sprintf(vocabulary, "{%s}", vocabulary_members);
    files[VOCAB_JSON] = (TokenizerFile){true, vocabulary, strlen(vocabulary)};
    files[MERGES_TXT] = (TokenizerFile){true, merges, strlen(merges)};
    if (data) files[which] = (TokenizerFile){true, data, size};
    return tokenizer_parse_folder(files, VOCABULARY, error);
}

static Tokenizer *parse_spliced_json(const char *data, size_t size, const char *pre_tokenizer,
                                     LLMError *error) {
    char after[sizeof vocabulary_members + 256];
    sprintf(after, ",%s\"model\":{\"vocab\":{%s},\"merges\":[\"t h\",[\"th\",\"e\"]]}}",
            pre_tokenizer, vocabulary_members);
    char *json = splice("{", data, size, after, &size);
    Tokenizer *tokenizer = parse_folder(TOKENIZER_JSON, json, size, error);
    free(json);
    return tokenizer;
}

/* "▁th", "the", the bytes of U+0301 and an unknown token. */
static Tokenizer *parse_spliced_pieces(const char *data, size_t size, LLMError *error) {
    const char *after =
        ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
        "\"prepend\":\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\u2581\"}]},\"model\":{\"byte_fallback\":true,\"unk_token\":\"<unk>\","
        "\"vocab\":{\"<unk>\":0,\"\u2581\":1,\"t\":2,\"h\":3,\"e\":4,\"th\":5,\"the\":6,"
        "\"\u2581th\":7,\"<0xCC>\":8,\"<0x81>\":9,\"\u2581\u2581\":10},\"merges\":[\"t h\","
        "\"th e\",\"\u2581 th\",\"\u2581 \u2581\"]}}";
    char *json = splice("{", data, size, after, &size);
    Tokenizer *tokenizer = parse_folder(TOKENIZER_JSON, json, size, error);
    free(json);
    return tokenizer;
}

static Tokenizer *parse_spliced_vocabulary(const char *data, size_t size, LLMError *error) {
    char after[sizeof vocabulary_members + 2];
    sprintf(after, ",%s}", vocabulary_members);
    char *json = splice("{", data, size, after, &size);
    Tokenizer *tokenizer = parse_folder(VOCAB_JSON, json, size, error);
    free(json);
    return tokenizer;
}

/* A header for as many tokens as there are. */
static Tokenizer *parse_spliced_llmc(const char *data, size_t size, LLMError *error) {
    uint32_t header[256] = {20240328, 2, 0, 0};
    for (size_t at = 0; at < size; at += 1 + (size_t)(unsigned char)data[at])
        header[2]++;
    char *file = malloc(sizeof header + size);
    memcpy(file, header, sizeof header);
    if (size > 0) memcpy(file + sizeof header, data, size);
    Tokenizer *tokenizer = tokenizer_parse_llmc(file, sizeof header + size, error);
    free(file);
    return tokenizer;
}

static Tokenizer *parse(int kind, const char *data, size_t size, LLMError *error) {
    switch (kind) {
    case FOLDER_FILE:
        if (size == 0) return parse_folder(0, NULL, 0, error);
        return parse_folder((unsigned char)data[0] % TOKENIZER_FILES, data + 1, size - 1, error);
    case JSON_MEMBERS:
        return parse_spliced_json(data, size, "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},", error);
    case STEPS:
        return parse_spliced_json(data, size, "", error);
    case PIECES_TEXT:
        return parse_spliced_pieces("\"version\":\"1.0\"", 15, error);
    case PIECES_MEMBERS:
        return parse_spliced_pieces(data, size, error);
    case VOCAB_MEMBERS:
        return parse_spliced_vocabulary(data, size, error);
    case LLMC:
        return tokenizer_parse_llmc(data, size, error);
    case LLMC_TOKENS:
        return parse_spliced_llmc(data, size, error);
    default:
        return parse_folder(0, NULL, 0, error);
    }
}

static void require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Special tokens may take white space along, so only the plain tokenizer gives every byte back. */
static void encode_and_decode(const Tokenizer *tokenizer, const char *text, size_t size,
                              bool exactly) {
    LLMTokens tokens = {0};
    LLMError error = {0};
    bool encoded = tokenizer_encode(tokenizer, text, size, 0, &tokens, &error);
    bool lacks = strstr(error.message, "has no token for") != NULL && !exactly;
    require(encoded == tokenizer_encodes(tokenizer) || lacks, error.message);
    size_t at = 0;
    for (size_t i = 0; i < tokens.count; i++) {
        size_t length;
        const char *bytes = tokenizer_bytes(tokenizer, tokens.ids[i], &length);
        require(bytes, "an id beyond the vocabulary");
        if (!exactly) continue;
        require(length <= size - at && memcmp(bytes, text + at, length) == 0, "other bytes");
        at += length;
    }
    require(!exactly || at == size, "bytes are missing");
    char *decoded = tokenizer_decode(tokenizer, tokens.ids, tokens.count, &at, &error);
    require(decoded != NULL, error.message);
    free(decoded);
    llm_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    int kind = data[0] % KINDS;
    LLMError error = {0};
    char *input = copy(data + 1, size - 1);
    Tokenizer *tokenizer = parse(kind, input, size - 1, &error);
    require((tokenizer == NULL) == (error.status != LLM_OK), "a failure without an error");
    require(!strchr(error.message, '\n'), "a message of two lines");
    if (tokenizer) encode_and_decode(tokenizer, input, size - 1, kind == TEXT);
    tokenizer_free(tokenizer);
    free(input);
    return 0;
}
