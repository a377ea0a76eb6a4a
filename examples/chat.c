/* chat.c — talk with a model: each line is a message.
 *
 *     cc chat.c $(pkg-config --cflags --libs metal-llm) -o chat
 *     ./chat smollm2.gguf
 */
#include <metal_llm.h>

#include <stdio.h>
#include <string.h>

static bool print(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)user, (void)row;
    fwrite(bytes, 1, size, stdout);
    return fflush(stdout) == 0;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s MODEL\n", arguments[0]);
        return 2;
    }

    LLMError error = {0};
    LLMGeneration generation = LLM_GENERATION;
    generation.on_text = print;
    LLMPipeline *llm = llm_pipeline_open(arguments[1], NULL, &error);
    LLMSession *session = llm_session_open(llm, &error);
    char line[4096];
    while (error.status == LLM_OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        llm_session_add_message(session, "user", line, &error);
        llm_session_generate(session, SIZE_MAX, &generation, &error);
        puts("");
    }
    if (error.status != LLM_OK) fprintf(stderr, "%s\n", error.message);

    llm_session_close(session);
    llm_pipeline_close(llm);
    return error.status != LLM_OK;
}
