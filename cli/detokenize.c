/* detokenize.c — token ids on standard input to their bytes. */
#include "input.h"
#include "model.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

static bool check_ids(const Tokenizer *tokenizer, const LLMTokens *tokens, LLMError *error) {
    for (size_t i = 0; i < tokens->count; i++) {
        size_t size;
        if (!tokenizer_bytes(tokenizer, tokens->ids[i], &size))
            return error_set(error, LLM_ERROR_ARGUMENT, "token %u is not in the vocabulary of %u",
                             tokens->ids[i], tokenizer_vocabulary(tokenizer));
    }
    return true;
}

static void write_tokens(const Tokenizer *tokenizer, const LLMTokens *tokens) {
    for (size_t i = 0; i < tokens->count; i++) {
        size_t size;
        const char *bytes = tokenizer_bytes(tokenizer, tokens->ids[i], &size);
        fwrite(bytes, 1, size, stdout);
    }
}

int verb_detokenize(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    LLMError error = {0};
    Checkpoint *checkpoint = model_open_tokenizer(arguments->values[0], &error);
    Bytes text = read_bytes("-", &error);
    LLMTokens tokens = parse_ids(text.data, text.size, &error);
    if (!error_is_set(&error) && check_ids(checkpoint->tokenizer, &tokens, &error))
        write_tokens(checkpoint->tokenizer, &tokens);
    llm_tokens_free(&tokens);
    free(text.data);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
