/* detokenize.c — token ids on standard input to their bytes. */
#include "input.h"
#include "model.h"
#include "options.h"
#include "text_stream.h"

#include <stdlib.h>

/* Ids without text, in a padded vocabulary, are none. */
static bool check_ids(const Tokenizer *tokenizer, const LLMTokens *tokens, LLMError *error) {
    uint32_t vocabulary = tokenizer_vocabulary(tokenizer);
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->ids[i] >= vocabulary)
            return error_set(error, LLM_ERROR_ARGUMENT, "token %u is not in the vocabulary of %u",
                             tokens->ids[i], vocabulary);
    return true;
}

static void write_tokens(const Tokenizer *tokenizer, const LLMTokens *tokens, LLMError *error) {
    TextStream stream = text_stream_begin(error);
    for (size_t i = 0; i < tokens->count; i++) {
        size_t size;
        const char *bytes = tokenizer_bytes(tokenizer, tokens->ids[i], &size);
        if (bytes) text_stream_write(&stream, bytes, size);
    }
    text_stream_end(&stream, "");
}

int verb_detokenize(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    LLMError error = {0};
    Checkpoint *checkpoint = model_open_tokenizer(arguments->model, &error);
    Bytes text = read_bytes("-", &error);
    LLMTokens tokens = parse_ids(text.data, text.size, &error);
    if (!error_is_set(&error) && check_ids(checkpoint->tokenizer, &tokens, &error))
        write_tokens(checkpoint->tokenizer, &tokens, &error);
    llm_tokens_free(&tokens);
    free(text.data);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
