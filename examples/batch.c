/* batch.c — continue several prompts in one batch: every weight is read once for all of them.
 *
 *     cc batch.c $(pkg-config --cflags --libs metal-llm) -o batch
 *     ./batch smollm2.gguf "The sun is" "The moon is" "A comet is"
 */
#include <metal_llm.h>

#include <stdio.h>

enum { PROMPTS_MOST = 16, NEW_TOKENS = 20 };

int main(int count, char **arguments) {
    if (count < 3 || count > 2 + PROMPTS_MOST) {
        fprintf(stderr, "usage: %s MODEL PROMPT…, at most %d prompts\n", arguments[0],
                PROMPTS_MOST);
        return 2;
    }

    LLMError error = {0};
    LLMOptions options = LLM_OPTIONS;
    options.batch = (uint32_t)count - 2;
    LLMPipeline *llm = llm_pipeline_open(arguments[1], &options, &error);
    LLMTokens rows[PROMPTS_MOST] = {0}; /* prompts of different lengths, continued in place */
    for (uint32_t b = 0; b < options.batch; b++)
        rows[b] = llm_encode(llm, arguments[2 + b], 0, &error);
    llm_generate_batch(llm, rows, options.batch, NEW_TOKENS, NULL, &error);
    for (uint32_t b = 0; b < options.batch; b++) {
        char *text = llm_decode(llm, &rows[b], &error);
        if (text) puts(text);
        llm_free(text);
        llm_tokens_free(&rows[b]);
    }
    if (error.status != LLM_OK) fprintf(stderr, "%s\n", error.message);

    llm_pipeline_close(llm);
    return error.status != LLM_OK;
}
