/* tokenize.c — text to token ids. */
#include "input.h"
#include "model.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Bytes read_text(const char *argument, LLMError *error) {
    if (argument && strcmp(argument, "-")) return copy_bytes(argument, error);
    if (isatty(STDIN_FILENO))
        fputs("metal-llm: the text comes from standard input; Ctrl-D ends it\n", stderr);
    return read_bytes("-", error);
}

int verb_tokenize(Arguments *arguments) {
    bool no_special = false;
    const Option options[] = {option_no_special(&no_special)};
    int status;
    if (!options_parse(arguments, options, COUNT(options), NULL, &status)) return status;
    LLMError error = {0};
    LLMTokens tokens = {0};
    const char *argument = text_argument(arguments, &error);
    Checkpoint *checkpoint = model_open_tokenizer(arguments->model, &error);
    Bytes text = error_is_set(&error) ? (Bytes){0} : read_text(argument, &error);
    if (!error_is_set(&error))
        tokenizer_encode(checkpoint->tokenizer, text.data, text.size,
                         no_special ? LLM_PLAIN_TEXT : 0, &tokens, &error);
    for (size_t i = 0; i < tokens.count; i++)
        printf(i ? " %u" : "%u", tokens.ids[i]);
    if (!error_is_set(&error)) putchar('\n');
    llm_tokens_free(&tokens);
    free(text.data);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
