/* metal_llm.c — the public interface: open and close a model, text to tokens and back. */
#include "engine/call.h"
#include "engine/engine.h"
#include "model/shape.h"

#include <stdlib.h>
#include <string.h>

/* --- open and close --- */

LLMPipeline *llm_pipeline_open(const char *path, const LLMOptions *options, LLMError *error) {
    return pipeline_open(path, options, NULL, error);
}

LLMPipeline *llm_pipeline_open_shape(const char *shape, const char *type, const LLMOptions *options,
                                     LLMError *error) {
    if (error_is_set(error)) return NULL;
    if (!shape || !type) {
        error_set(error, LLM_ERROR_ARGUMENT, "no shape was named, or no type");
        return NULL;
    }
    ModelFile *file = shape_open(shape, type, error);
    return file ? pipeline_open_file(file, options, NULL, error) : NULL;
}

void llm_pipeline_close(LLMPipeline *llm) {
    if (!llm || atomic_exchange(&llm->closing, true)) return;
    engine_wake(llm);
    pipeline_let_go(llm);
}

const LLMInfo *llm_info(const LLMPipeline *llm) {
    return llm ? &llm->info : NULL;
}

const char *llm_version(void) {
    return LLM_VERSION;
}

size_t llm_timings(LLMPipeline *llm, const LLMTiming **timings) {
    const LLMTiming *none;
    if (!timings) timings = &none;
    *timings = NULL;
    return llm ? device_timings(llm->device, timings) : 0;
}

void llm_timings_reset(LLMPipeline *llm) {
    if (llm) device_timings_reset(llm->device);
}

void llm_free(void *pointer) {
    free(pointer);
}

/* --- text --- */

static const Tokenizer *tokenizer_of(const LLMPipeline *llm, LLMError *error) {
    if (!llm) {
        error_set(error, LLM_ERROR_ARGUMENT, "no model is open");
        return NULL;
    }
    const LLMError *problem = llm->model->tokenizer_problem;
    if (problem->status)
        error_set(error, problem->status, "%s", problem->message);
    else if (!llm->model->tokenizer)
        error_set(error, LLM_ERROR_FORMAT,
                  "the model brings no tokenizer; work with token ids, or put its tokenizer files "
                  "beside it");
    return llm->model->tokenizer;
}

static bool check_encoding(const void *bytes, size_t size, uint32_t flags, LLMError *error) {
    if (!bytes && size)
        return error_set(error, LLM_ERROR_ARGUMENT, "there is no text to encode: it is NULL");
    if (flags & ~(uint32_t)(LLM_NO_BEGIN | LLM_PLAIN_TEXT))
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the flags of encoding are LLM_NO_BEGIN and LLM_PLAIN_TEXT, not %#x",
                         flags);
    return true;
}

LLMTokens llm_encode_bytes(LLMPipeline *llm, const void *bytes, size_t size, uint32_t flags,
                           LLMError *error) {
    LLMTokens tokens = {0};
    if (error_is_set(error) || !check_encoding(bytes, size, flags, error)) return tokens;
    const Tokenizer *tokenizer = tokenizer_of(llm, error);
    if (tokenizer && !tokenizer_encode(tokenizer, bytes ? bytes : "", size, flags, &tokens, error))
        llm_tokens_free(&tokens);
    return tokens;
}

LLMTokens llm_encode(LLMPipeline *llm, const char *text, uint32_t flags, LLMError *error) {
    return llm_encode_bytes(llm, text, text ? strlen(text) : SIZE_MAX, flags, error);
}

const char *llm_token_bytes(const LLMPipeline *llm, uint32_t token, size_t *size) {
    size_t ignored;
    if (!size) size = &ignored;
    *size = 0;
    if (!llm || !llm->model->tokenizer || token >= llm->info.vocabulary) return NULL;
    const char *bytes = tokenizer_bytes(llm->model->tokenizer, token, size);
    return bytes ? bytes : "";
}

bool llm_is_end(const LLMPipeline *llm, uint32_t token) {
    for (size_t i = 0; llm && i < llm->model->ends.count; i++)
        if (llm->model->ends.ids[i] == token) return true;
    return false;
}

char *llm_decode(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    if (error_is_set(error) || !tokenizer_of(llm, error) || !pipeline_check_ids(llm, tokens, error))
        return NULL;
    size_t size;
    return tokenizer_decode(llm->model->tokenizer, tokens->ids, tokens->count, &size, error);
}
