/* bench_peer.c — run another program's benchmark and take its figures out of the JSON that it
 * prints: that of llama-bench, or of another build of this command. */
#include "bench.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { PEER_TEXT_MOST = 1 << 20 };

/* All that it prints; NULL on an error. */
static char *output_of(const char *command, LLMError *error) {
    char *text = malloc(PEER_TEXT_MOST + 1);
    if (!text) {
        error_memory(error, PEER_TEXT_MOST + 1);
        return NULL;
    }
    FILE *peer = popen(command, "r");
    size_t size = peer ? fread(text, 1, PEER_TEXT_MOST, peer) : 0;
    text[size] = 0;
    int status = peer ? pclose(peer) : -1;
    if (status == 0) return text;
    free(text);
    if (status > 0 && WIFEXITED(status))
        error_set(error, LLM_ERROR_ARGUMENT, "--against '%s' ended with exit code %d", command,
                  WEXITSTATUS(status));
    else
        error_set(error, LLM_ERROR_ARGUMENT, "--against '%s' could not be run to its end", command);
    return NULL;
}

static double number(const cJSON *object, const char *name) {
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* llama-bench: [{"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 242.1, …}, …]. What is
 * decoded at its depth of 0 is so after our prompt of one token. */
static double rate_of_list(const cJSON *list, const Measure *measure) {
    const cJSON *test;
    cJSON_ArrayForEach(test, list) {
        double prompt = number(test, "n_prompt"), decoded = number(test, "n_gen");
        double depth = number(test, "n_depth");
        if (measure->depth == 0 && prompt == measure->tokens && decoded == 0 && !(depth > 0))
            return number(test, "avg_ts");
        bool deep = depth == measure->depth || (measure->depth == 1 && !(depth > 0));
        if (measure->depth > 0 && prompt == 0 && decoded == measure->tokens && deep)
            return number(test, "avg_ts");
    }
    return 0;
}

static double rate_of_test(const cJSON *test, const Measure *measure) {
    bool same = number(test, "tokens") == measure->tokens;
    if (measure->depth > 0) same = same && number(test, "depth") == measure->depth;
    return same ? number(test, "tokens_per_second") : 0;
}

/* Another build's --json: {"prefill": {"tokens": 512, "tokens_per_second": …}, "decode": …}. */
static double rate_of_object(const cJSON *object, const Measure *measure) {
    const char *name = measure->depth ? "decode" : "prefill";
    double rate = rate_of_test(cJSON_GetObjectItemCaseSensitive(object, name), measure);
    if (measure->depth == 0 || rate > 0) return rate;
    const cJSON *test;
    cJSON_ArrayForEach(test, cJSON_GetObjectItemCaseSensitive(object, "deeper")) {
        rate = rate_of_test(test, measure);
        if (rate > 0) return rate;
    }
    return 0;
}

static void take_rate(const Bench *bench, const cJSON *json, Measure *measure, uint32_t turn,
                      LLMError *error) {
    double rate = cJSON_IsArray(json) ? rate_of_list(json, measure) : rate_of_object(json, measure);
    measure->peer[turn] = rate;
    if (rate > 0) return;
    if (measure->depth == 0)
        error_set(error, LLM_ERROR_ARGUMENT, "--against '%s' measured no prefill of %u tokens",
                  bench->against, measure->tokens);
    else
        error_set(error, LLM_ERROR_ARGUMENT,
                  "--against '%s' measured no decoding of %u tokens at a depth of %u",
                  bench->against, measure->tokens, measure->depth);
}

void bench_run_peer(Bench *bench, uint32_t turn, LLMError *error) {
    char *text = output_of(bench->against, error);
    if (!text) return;
    cJSON *json = cJSON_Parse(text);
    if (!cJSON_IsArray(json) && !cJSON_IsObject(json))
        error_set(error, LLM_ERROR_ARGUMENT,
                  "--against '%s' prints no JSON; llama-bench has -o json for it, metal-llm bench "
                  "--json",
                  bench->against);
    for (size_t i = 0; i < bench->count && !error_is_set(error); i++)
        take_rate(bench, json, &bench->measures[i], turn, error);
    cJSON_Delete(json);
    free(text);
}
