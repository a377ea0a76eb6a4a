/* pipelines_stress.c — pipelines side by side write what one alone writes, and a pipeline that is
 * at work refuses a second thread. Built with the thread sanitizer: `make test-threads`. Prints
 * "ok" or what went wrong. Argument: a model. */
#include "metal_llm.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PIPELINES = 4, COUNT = 60, CALLS = 100 };

static LLMPipeline *open_on_two_threads(const char *path, LLMError *error) {
    LLMOptions options = LLM_OPTIONS;
    options.device = LLM_CPU;
    options.threads = 2;
    options.batch = 2;
    return llm_pipeline_open(path, &options, error);
}

/* --- one pipeline for each thread --- */

typedef struct Writer {
    const char *path;
    char *text;
    LLMError error;
} Writer;

/* A short prompt, and two long ones in a batch, which take other kernels. */
static void *write_text(void *argument) {
    Writer *writer = argument;
    LLMError *error = &writer->error;
    LLMPipeline *llm = open_on_two_threads(writer->path, error);
    LLMTokens tokens = llm_encode(llm, "Once upon a time", 0, error);
    llm_generate(llm, &tokens, COUNT, NULL, error);
    char *text = llm_decode(llm, &tokens, error);
    LLMTokens rows[2] = {llm_encode(llm, text, 0, error), llm_encode(llm, text, 0, error)};
    llm_generate_batch(llm, rows, 2, COUNT, NULL, error);
    writer->text = llm_decode(llm, &rows[1], error);
    for (int i = 0; i < 2; i++)
        llm_tokens_free(&rows[i]);
    llm_free(text);
    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return NULL;
}

static const char *compare(const char *path) {
    Writer alone = {.path = path}, writers[PIPELINES] = {0};
    pthread_t threads[PIPELINES];
    static char message[sizeof alone.error.message];
    const char *problem = NULL;
    write_text(&alone);
    for (int i = 0; i < PIPELINES; i++) {
        writers[i].path = path;
        pthread_create(&threads[i], NULL, write_text, &writers[i]);
    }
    for (int i = 0; i < PIPELINES; i++) {
        pthread_join(threads[i], NULL);
        if (!alone.text || !writers[i].text)
            problem = strcpy(message, writers[i].error.message);
        else if (strcmp(writers[i].text, alone.text) != 0)
            problem = "a pipeline among others writes another text";
        llm_free(writers[i].text);
    }
    llm_free(alone.text);
    return problem;
}

/* --- one pipeline for two threads: each call is done or refused --- */

typedef struct Caller {
    LLMPipeline *llm;
    int done, refused;
} Caller;

static void *call(void *argument) {
    Caller *caller = argument;
    for (int i = 0; i < CALLS; i++) {
        LLMError error = {0};
        LLMTokens tokens = {0};
        size_t added = llm_generate(caller->llm, &tokens, 4, NULL, &error);
        caller->done += error.status == LLM_OK && added > 0;
        caller->refused += error.status == LLM_ERROR_BUSY && added == 0;
        llm_tokens_free(&tokens);
    }
    return NULL;
}

static const char *share(const char *path) {
    static LLMError error;
    LLMPipeline *llm = open_on_two_threads(path, &error);
    if (!llm) return error.message;
    Caller callers[2] = {{.llm = llm}, {.llm = llm}};
    pthread_t other;
    pthread_create(&other, NULL, call, &callers[1]);
    call(&callers[0]);
    pthread_join(other, NULL);
    llm_pipeline_close(llm);
    for (int i = 0; i < 2; i++)
        if (callers[i].done + callers[i].refused != CALLS)
            return "a call was neither done nor refused as busy";
    return callers[0].done + callers[1].done ? NULL : "no call was done";
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    const char *problem = compare(arguments[1]);
    if (!problem) problem = share(arguments[1]);
    puts(problem ? problem : "ok");
    return problem != NULL;
}
