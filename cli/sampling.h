/* sampling.h — the options of verbs that generate text. */
#ifndef METAL_LLM_SAMPLING_H
#define METAL_LLM_SAMPLING_H

#include "options.h"

enum { SAMPLING_OPTIONS = 15 };

typedef struct Sampling {
    LLMGeneration *generation;
    uint32_t last; /* tokens that are recent */
    OptionTexts stops;
    OptionBiases biases;
    const char *schema_file; /* NULL: none */
    bool json_object;
    char *schema; /* what is in the file */
} Sampling;

/* What they are without an option; a fresh seed. */
Sampling sampling_begin(LLMGeneration *generation);
void sampling_options(Sampling *sampling, Option options[SAMPLING_OPTIONS]);
/* After options_parse; `sampling` stays where it is as long as the generation is used. */
void sampling_end(Sampling *sampling, LLMError *error);
void sampling_free(Sampling *sampling);

#endif
