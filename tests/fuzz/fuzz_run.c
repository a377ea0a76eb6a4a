/* Input: a byte of options, and a GGUF or llm.c file. A model that opens continues a text, and its
 * logits are computed: with a result, or an error of one line. */
#include "fuzz_checkpoint.h"

enum { TOKENS = 3, FOLLOWING = 4 };

static void check(const LLMError *error) {
    fuzz_check_error(error->status == LLM_OK, error);
}

static void generate(LLMPipeline *llm, uint8_t byte) {
    LLMError error = {0};
    LLMTokens tokens = llm_encode(llm, "a the", 0, &error);
    LLMGeneration generation = LLM_GENERATION;
    generation.temperature = byte & 16 ? 1 : 0;
    size_t before = tokens.count;
    size_t added = llm_generate(llm, &tokens, FOLLOWING, &generation, &error);
    check(&error);
    fuzz_require(added <= FOLLOWING && (error.status || tokens.count >= before + added),
                 "more tokens than asked for");
    char *text = llm_decode(llm, &tokens, &error);
    fuzz_require(!text == (error.status != LLM_OK), "no text and no error");
    llm_free(text);
    llm_tokens_free(&tokens);
}

static void compute_logits(LLMPipeline *llm) {
    uint32_t vocabulary = llm_info(llm)->vocabulary,
             ids[TOKENS] = {0, vocabulary - 1, vocabulary / 2};
    LLMTokens tokens = {ids, TOKENS, TOKENS};
    LLMError error = {0};
    float *logits = calloc((size_t)TOKENS * vocabulary, sizeof *logits);
    if (!logits) return;
    llm_logits(llm, &tokens, logits, &error);
    check(&error);
    free(logits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    LLMOptions options = LLM_OPTIONS;
    options.device = LLM_CPU;
    options.threads = 1;
    options.context = 8;
    options.attention = *data & 1 ? LLM_NAIVE : LLM_FLASH;
    options.fusion = *data & 2 ? LLM_OFF : LLM_ON;
    options.cache = *data & 4 ? LLM_F16 : LLM_F32;
    options.integer_products = *data & 8 ? LLM_OFF : LLM_ON;
    LLMError error = {0};
    LLMPipeline *llm = llm_pipeline_open(fuzz_write("model", data + 1, size - 1), &options, &error);
    fuzz_check_error(llm != NULL, &error);
    if (llm) generate(llm, *data);
    if (llm) compute_logits(llm);
    llm_pipeline_close(llm);
    return 0;
}
