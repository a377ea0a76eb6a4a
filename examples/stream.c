/* stream.c — print a text while it is generated; Ctrl-C ends it.
 *
 *     cc stream.c $(pkg-config --cflags --libs metal-llm) -o stream
 *     ./stream smollm2.gguf "Once upon a time" 7
 */
#include <metal_llm.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

/* Whole UTF-8 characters; false ends the text. */
static bool print(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)user, (void)row;
    fwrite(bytes, 1, size, stdout);
    return fflush(stdout) == 0 && !interrupted;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: %s MODEL PROMPT SEED\n", arguments[0]);
        return 2;
    }
    signal(SIGINT, interrupt);

    LLMError error = {0};
    LLMGeneration generation = LLM_GENERATION;
    generation.on_text = print;
    generation.temperature = 0.8f;
    generation.top_p = 0.95f;
    generation.seed = strtoull(arguments[3], NULL, 10);
    LLMPipeline *llm = llm_pipeline_open(arguments[1], NULL, &error);
    LLMTokens tokens = llm_encode(llm, arguments[2], 0, &error);
    llm_generate(llm, &tokens, 100, &generation, &error);
    puts("");
    if (error.status != LLM_OK) fprintf(stderr, "%s\n", error.message);

    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return error.status != LLM_OK;
}
