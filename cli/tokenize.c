/* tokenize.c — standard input to token ids. */
#include "input.h"
#include "model.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

int verb_tokenize(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    LLMError error = {0};
    LLMTokens tokens = {0};
    Checkpoint *checkpoint = model_open_tokenizer(arguments->values[0], &error);
    Bytes text = read_bytes("-", &error);
    if (!error_is_set(&error))
        tokenizer_encode(checkpoint->tokenizer, text.data, text.size, 0, &tokens, &error);
    for (size_t i = 0; i < tokens.count; i++)
        printf(i ? " %u" : "%u", tokens.ids[i]);
    if (!error_is_set(&error)) putchar('\n');
    llm_tokens_free(&tokens);
    free(text.data);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
