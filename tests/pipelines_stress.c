/* pipelines_stress.c — pipelines in parallel write what one alone writes, and so do eight threads
 * that share one, each with a session, some of which write JSON, and some beyond the context. Built
 * with the thread sanitizer: `make test-threads`. Prints "ok" or what went wrong. Argument: a
 * model. */
#include "metal_llm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PIPELINES = 4, COUNT = 60 };

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

/* --- one pipeline for all threads: sessions join, leave, wait and share what they begin with ---
 */

enum { SESSIONS = 8, ROWS = 3, TURNS = 3, CONTEXT = 96 };

typedef struct Talker {
    LLMPipeline *llm;
    int number;
    LLMTokens text;
    size_t left_out; /* of the context, by those who write beyond it */
    LLMError error;
} Talker;

static bool shifts(const Talker *talker) {
    return talker->number % 3 == 1;
}

static void add(LLMSession *session, const char *text, uint32_t flags, LLMError *error) {
    llm_session_add_text(session, text, flags, error);
}

static void *talk(void *argument) {
    Talker *talker = argument;
    LLMError *error = &talker->error;
    const char *names[] = {"Tom", "Lily", "the cat", "a bear"};
    LLMGeneration generation = LLM_GENERATION;
    if (shifts(talker)) generation.shift = SIZE_MAX;
    generation.ignore_end = shifts(talker);
    if (talker->number % 3 == 2) generation.json_schema = "{\"type\": \"object\"}";
    LLMSession *session = llm_session_open(talker->llm, error);
    add(session, "Once upon a time there was a little house in the woods. In it lived ", 0, error);
    for (int turn = 0; turn < TURNS; turn++) {
        add(session, names[(talker->number + turn) % 4], LLM_NO_BEGIN, error);
        size_t count = 3 + (size_t)(talker->number + 5 * turn) % 11;
        if (shifts(talker)) count = CONTEXT / 2;
        llm_session_generate(session, count, &generation, error);
        talker->left_out += session ? llm_session_info(session)->left_out : 0;
        LLMSession *fork = llm_session_fork(session, error);
        llm_session_close(session);
        session = fork;
    }
    const LLMSessionInfo *info = llm_session_info(session);
    LLMTokens text = {(uint32_t *)(uintptr_t)(info ? info->ids : NULL), info ? info->tokens : 0, 0};
    char *written = llm_decode(talker->llm, &text, error);
    if (written) talker->text = llm_encode(talker->llm, written, 0, error);
    llm_free(written);
    llm_session_close(session);
    return NULL;
}

static LLMPipeline *open_for_sessions(const char *path, size_t sessions, LLMError *error) {
    LLMOptions options = LLM_OPTIONS;
    options.device = LLM_CPU;
    options.threads = 2;
    options.sessions = sessions;
    options.context = CONTEXT;
    options.integer_products = LLM_OFF;
    options.cache = LLM_F32;
    return llm_pipeline_open(path, &options, error);
}

static const char *share(const char *path) {
    static LLMError error;
    LLMPipeline *llm = open_for_sessions(path, ROWS, &error);
    Talker talkers[SESSIONS] = {0};
    pthread_t threads[SESSIONS];
    const char *problem = NULL;
    if (!llm) return error.message;
    for (int i = 0; i < SESSIONS; i++) {
        talkers[i] = (Talker){.llm = llm, .number = i};
        pthread_create(&threads[i], NULL, talk, &talkers[i]);
    }
    for (int i = 0; i < SESSIONS; i++)
        pthread_join(threads[i], NULL);
    llm_pipeline_close(llm);
    for (int i = 0; i < SESSIONS; i++) {
        if (talkers[i].error.status && !problem)
            problem = strcpy(error.message, talkers[i].error.message);
        if (!talkers[i].text.count && !problem) problem = "a session wrote nothing";
        if (shifts(&talkers[i]) && !talkers[i].left_out && !problem)
            problem = "nothing was shifted";
        llm_tokens_free(&talkers[i].text);
    }
    return problem;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    const char *problem = compare(arguments[1]);
    if (!problem) problem = share(arguments[1]);
    puts(problem ? problem : "ok");
    return problem != NULL;
}
