/* quickstart.c — continue a text by 50 tokens.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs metal-llm) -o quickstart
 *     ./quickstart gpt2.gguf
 */
#include <metal_llm.h>

#include <stdio.h>

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s MODEL\n", arguments[0]);
        return 2;
    }

    LLMError error = {0};
    LLMPipeline *llm = llm_pipeline_open(arguments[1], NULL, &error);
    LLMTokens tokens = llm_encode(llm, "The meaning of life is", 0, &error);
    llm_generate(llm, &tokens, 50, NULL, &error);
    char *text = llm_decode(llm, &tokens, &error);
    if (text)
        puts(text);
    else
        fprintf(stderr, "%s\n", error.message);

    llm_free(text);
    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return error.status != LLM_OK;
}
