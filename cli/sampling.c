#include "sampling.h"

#include "input.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static uint64_t fresh_seed(void) {
    uint32_t seed; /* short enough to type again */
    return getentropy(&seed, sizeof seed) ? (uint64_t)getpid() : seed;
}

Sampling sampling_begin(LLMGeneration *generation) {
    *generation = llm_generation();
    generation->temperature = 0.8f;
    generation->top_k = 40;
    generation->top_p = 0.95f;
    generation->repetition_penalty = 1;
    generation->seed = fresh_seed();
    return (Sampling){.generation = generation, .last = 64};
}

void sampling_options(Sampling *sampling, Option options[SAMPLING_OPTIONS]) {
    LLMGeneration *generation = sampling->generation;
    const Option list[SAMPLING_OPTIONS] = {
        option_float("temp", "T", &generation->temperature, 0, 10000,
                     "temperature; 0 takes the likeliest token"),
        option_uint32("top-k", "K", &generation->top_k, 0, UINT32_MAX,
                      "choose among the K likeliest tokens; 0: all"),
        option_float("top-p", "P", &generation->top_p, 0, 1,
                     "of those, the likeliest that make up P of the probability; 0: one"),
        option_float("min-p", "P", &generation->min_p, 0, 1,
                     "of those, the ones at least P times as likely as the likeliest; 0: all"),
        option_float("typical", "P", &generation->typical_p, 0, 1,
                     "after top-k, the most typical that make up P of the probability; 0: all"),
        option_float("repeat-penalty", "X", &generation->repetition_penalty, 0.01, 100,
                     "make recent tokens X times less likely in their logits; 1: none"),
        option_float("presence-penalty", "X", &generation->presence_penalty, -100, 100,
                     "take X off the logits of recent tokens"),
        option_float("frequency-penalty", "X", &generation->frequency_penalty, -100, 100,
                     "and this, as often as they have come"),
        option_count("repeat-last-n", "N", &sampling->last,
                     "recent are the last N tokens, the prompt's too; 0: none, -1: all"),
        option_biases("logit-bias", &sampling->biases,
                      "add X to a token's logit, -inf forbids it; may be given several times"),
        option_uint64("seed", "S", &generation->seed,
                      "of the random choices (default: a fresh one, which is printed)"),
        option_texts("stop", "TEXT", &sampling->stops,
                     "end before this text; may be given several times"),
        option_text("json-schema", "FILE", &sampling->schema_file,
                    "write JSON that this JSON Schema allows: docs/json.md says what it may have"),
        option_flag("json-object", &sampling->json_object, "write an object of JSON"),
        option_flag("ignore-eos", &generation->ignore_end, "go on after the end-of-text token"),
    };
    memcpy(options, list, sizeof list);
}

static void take_schema(Sampling *sampling, LLMError *error) {
    if (sampling->json_object) sampling->generation->json_schema = "{\"type\": \"object\"}";
    if (!sampling->schema_file) return;
    Bytes bytes = read_bytes(sampling->schema_file, error);
    sampling->schema = bytes.data ? strndup(bytes.data, bytes.size) : strdup("");
    free(bytes.data);
    if (!sampling->schema)
        error_memory(error, bytes.size);
    else if (strlen(sampling->schema) != bytes.size)
        error_set(error, LLM_ERROR_ARGUMENT, "%s: this is no JSON, it has a NUL in it",
                  sampling->schema_file);
    sampling->generation->json_schema = sampling->schema;
}

/* For the library 0 is the default, and what is recent starts with the last token. */
void sampling_end(Sampling *sampling, LLMError *error) {
    LLMGeneration *generation = sampling->generation;
    if (generation->top_p == 0) generation->temperature = 0;
    generation->penalty_window = sampling->last;
    if (sampling->last == 0) {
        generation->repetition_penalty = 1;
        generation->presence_penalty = generation->frequency_penalty = 0;
    }
    generation->logit_bias = sampling->biases.list;
    generation->logit_bias_count = sampling->biases.count;
    generation->stops = sampling->stops.texts;
    generation->stop_count = sampling->stops.count;
    take_schema(sampling, error);
}

void sampling_free(Sampling *sampling) {
    free(sampling->schema);
}
