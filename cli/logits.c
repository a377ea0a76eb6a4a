/* logits.c — logits [T,V] of some tokens, as a NumPy file. */
#include "input.h"
#include "model.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0. */
static bool write_npy_header(FILE *file, size_t rows, uint32_t columns) {
    enum { PREAMBLE = 10, ALIGNMENT = 64 };
    char header[128];
    int size =
        snprintf(header, sizeof header,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %u), }", rows, columns);
    int padded = (PREAMBLE + size + ALIGNMENT) / ALIGNMENT * ALIGNMENT - PREAMBLE;
    const char preamble[PREAMBLE + 1] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)padded, 0};
    fwrite(preamble, 1, PREAMBLE, file);
    return fprintf(file, "%-*s\n", padded - 1, header) > 0;
}

static bool write_npy(const char *path, const float *logits, size_t rows, uint32_t columns,
                      LLMError *error) {
    FILE *file = fopen(path, "wb");
    bool written = file && write_npy_header(file, rows, columns) &&
                   fwrite(logits, columns * sizeof *logits, rows, file) == rows;
    if (file) written = fclose(file) == 0 && written;
    if (written) return true;
    return error_set(error, LLM_ERROR_FILE, "%s: cannot be written: %s", path, strerror(errno));
}

static void save_logits(LLMPipeline *llm, const LLMTokens *tokens, const char *path,
                        LLMError *error) {
    if (error_is_set(error)) return;
    uint32_t V = llm_info(llm)->vocabulary;
    float *logits = calloc(tokens->count * V, sizeof *logits);
    if (!logits) error_memory(error, tokens->count * V * sizeof *logits);
    llm_logits(llm, tokens, logits, error);
    if (!error_is_set(error)) write_npy(path, logits, tokens->count, V, error);
    free(logits);
}

int verb_logits(Arguments *arguments) {
    const char *ids = NULL, *path = NULL;
    LLMOptions pipeline = {0};
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
    LLMPipeline *llm = model_open(arguments->values[0], &pipeline, &error);
    save_logits(llm, &tokens, path, &error);
    llm_pipeline_close(llm);
    llm_tokens_free(&tokens);
    free(input.data);
    return exit_status(&error);
}
