#include "text.h"

#include "model/pipeline.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cJSON *text_json(const char *bytes, size_t size) {
    char *copy = malloc(size + 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, bytes, size);
    copy[size] = 0;
    for (size_t i = 0; i < size; i++)
        if (!copy[i]) copy[i] = '?';
    utf8_repair(copy, size);
    cJSON *text = cJSON_CreateString(copy);
    free(copy);
    return text;
}

static bool is_text(const char *bytes, size_t size) {
    uint32_t character;
    for (size_t length; size; bytes += length, size -= length)
        if (!(length = utf8_decode(bytes, size, &character)) || !character) return false;
    return true;
}

char *token_text(const LLMPipeline *llm, uint32_t token) {
    size_t size = 0;
    const char *bytes = llm_token_bytes(llm, token, &size);
    if (is_text(bytes, size)) return strndup(bytes ? bytes : "", size);
    char *text = malloc(6 + 4 * size + 1);
    if (!text) return NULL;
    char *end = text + sprintf(text, "bytes:");
    for (size_t i = 0; i < size; i++)
        end += sprintf(end, "\\x%02x", (unsigned char)bytes[i]);
    return text;
}

/* llm_decode does not tell the size. */
char *tokens_text(LLMPipeline *llm, const LLMTokens *tokens, size_t *size, LLMError *error) {
    if (llm->model->tokenizer)
        return tokenizer_decode(llm->model->tokenizer, tokens->ids, tokens->count, size, error);
    error_set(error, LLM_ERROR_FORMAT, "the model brings no tokenizer");
    return NULL;
}
