/* json.c — an answer that a JSON Schema allows, whatever the model would rather say.
 *
 *     cc json.c $(pkg-config --cflags --libs metal-llm) -o json
 *     ./json smollm2.gguf "A baker, as JSON: "
 */
#include <metal_llm.h>

#include <stdio.h>

static const char person[] = "{\"type\": \"object\", \"properties\": {"
                             "\"name\": {\"type\": \"string\", \"maxLength\": 20}, "
                             "\"age\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 120}}, "
                             "\"required\": [\"name\", \"age\"]}";

static bool print(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)user, (void)row;
    return fwrite(bytes, 1, size, stdout) == size;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s MODEL PROMPT\n", arguments[0]);
        return 2;
    }

    LLMError error = {0};
    LLMEnd end = LLM_END_NONE;
    LLMGeneration generation = LLM_GENERATION;
    generation.json_schema = person;
    generation.on_text = print;
    generation.ends = &end;
    LLMPipeline *llm = llm_pipeline_open(arguments[1], NULL, &error);
    LLMTokens tokens = llm_encode(llm, arguments[2], 0, &error);
    llm_generate(llm, &tokens, 200, &generation, &error);
    puts("");
    if (error.status != LLM_OK)
        fprintf(stderr, "%s\n", error.message);
    else if (end != LLM_END_JSON)
        fprintf(stderr, "the JSON was cut after 200 tokens\n");

    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return end != LLM_END_JSON;
}
