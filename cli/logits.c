/* logits.c — logits [T,V] of some tokens, as a NumPy file. */
#include "input.h"
#include "model.h"
#include "npy.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

static void save_logits(LLMPipeline *llm, const LLMTokens *tokens, OutputFile *file,
                        LLMError *error) {
    if (error_is_set(error)) return;
    uint32_t V = llm_info(llm)->vocabulary;
    bool fits = tokens->count <= llm_info(llm)->context; /* else llm_logits says so */
    float *logits = fits ? calloc(tokens->count * V, sizeof *logits) : NULL;
    if (fits && !logits) error_memory(error, tokens->count * V * sizeof *logits);
    llm_logits(llm, tokens, logits, error);
    npy_write(file, &(NpyArray){"<f4", sizeof *logits, 2, {tokens->count, V}, logits}, error);
    free(logits);
}

int verb_logits(Arguments *arguments) {
    const char *ids = NULL, *path = NULL;
    LLMOptions pipeline = LLM_OPTIONS;
    const Option options[] = {
        option_text("tokens", "IDS", &ids, "ids separated by spaces; \"-\": standard input"),
        option_text("o", "FILE", &path, "the .npy file to write"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    if (!ids) return usage_error(arguments->verb, "--tokens \"IDS\" is missing");
    if (!path) return usage_error(arguments->verb, "-o FILE is missing");

    LLMError error = {0};
    Bytes input = {0};
    if (!strcmp(ids, "-")) input = read_bytes("-", &error);
    LLMTokens tokens = input.data ? parse_ids(input.data, input.size, &error)
                                  : parse_ids(ids, strlen(ids), &error);
    if (tokens.count == 0) error_set(&error, LLM_ERROR_ARGUMENT, "no token ids were given");
    OutputFile *file = output_file_open(path, &error);
    LLMPipeline *llm = model_open(arguments->model, &pipeline, &error);
    save_logits(llm, &tokens, file, &error);
    output_file_close(file, &error);
    llm_pipeline_close(llm);
    llm_tokens_free(&tokens);
    free(input.data);
    return exit_status(&error);
}
