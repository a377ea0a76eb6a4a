#include "logprobs.h"
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool logprobs_add(Logprobs *logprobs, const LLMLogprob *list, size_t width) {
    size_t used = logprobs->count * width;
    if (used + width > logprobs->capacity) {
        size_t capacity = 2 * (used + width);
        LLMLogprob *grown = realloc(logprobs->list, capacity * sizeof *grown);
        if (!grown) return false;
        logprobs->list = grown;
        logprobs->capacity = capacity;
    }
    memcpy(logprobs->list + used, list, width * sizeof *list);
    logprobs->width = width;
    logprobs->count++;
    return true;
}

static void print_token(const LLMPipeline *llm, LLMLogprob logprob) {
    size_t size;
    const char *bytes = llm_token_bytes(llm, logprob.token, &size);
    fprintf(stderr, " %8.4f \"", (double)logprob.logprob);
    print_bytes(stderr, bytes, size);
    fputc('"', stderr);
}

void logprobs_print(const LLMPipeline *llm, const Logprobs *logprobs) {
    fputs("logprobs of the tokens, and of the likeliest in their places\n", stderr);
    for (size_t i = 0; i < logprobs->count; i++) {
        const LLMLogprob *list = logprobs->list + i * logprobs->width;
        print_token(llm, list[0]);
        fputs(logprobs->width > 1 ? " of" : "", stderr);
        for (size_t n = 1; n < logprobs->width; n++)
            print_token(llm, list[n]);
        fputc('\n', stderr);
    }
}

void logprobs_free(Logprobs *logprobs) {
    free(logprobs->list);
}
