#include "architecture.h"

#include <stdio.h>

static const Architecture *const architectures[] = {
    &gpt2_architecture,  &llama_architecture, &mistral_architecture,
    &qwen2_architecture, &qwen3_architecture, &gemma3_architecture,
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

/* What a file of this naming calls it. */
static const char *own_name(const Architecture *architecture, Naming naming) {
    bool same = naming == GGUF_NAMES || !architecture->model_type;
    return same ? architecture->name : architecture->model_type;
}

/* Mistral's GGUF files are Llama's. */
static bool is_another_spelling(size_t i, Naming naming) {
    return i > 0 &&
           strcmp(own_name(architectures[i], naming), own_name(architectures[i - 1], naming)) == 0;
}

/* With the names of those that run. */
static bool refuse(const Checkpoint *checkpoint, LLMError *error) {
    char names[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (architectures[i]->forward && !is_another_spelling(i, checkpoint->naming))
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"", used ? ", " : "",
                                 own_name(architectures[i], checkpoint->naming));
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the architecture (general.architecture, model_type) is \"%.80s\"; what "
                     "can be opened: %s",
                     checkpoint->settings.path, checkpoint->architecture, names);
}

const Architecture *architecture_find(const Checkpoint *checkpoint, LLMError *error) {
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (strcmp(own_name(architectures[i], checkpoint->naming), checkpoint->architecture) == 0)
            return architectures[i];
    refuse(checkpoint, error);
    return NULL;
}

bool architecture_runs(const Architecture *architecture, const Checkpoint *checkpoint,
                       LLMError *error) {
    return architecture->forward || refuse(checkpoint, error);
}

static uint32_t letter_size(const ModelConfig *config, char letter) {
    switch (letter) {
    case 'C':
        return config->channels;
    case 'I':
        return config->inner;
    case 'T':
        return config->context;
    case 'V':
        return config->vocabulary;
    case 'S':
        return config->head_size;
    case 'Q':
        return config->heads * config->head_size;
    case 'K':
        return config->kv_heads * config->head_size;
    case 'R':
        return config->rope.dims / 2;
    }
    return 0;
}

/* "3C" */
static uint32_t read_size(const char **text, const ModelConfig *config) {
    bool multiple = **text >= '0' && **text <= '9';
    uint32_t factor = multiple ? (uint32_t)(*(*text)++ - '0') : 1;
    return factor * letter_size(config, *(*text)++);
}

void shape_sizes(const char *shape, const ModelConfig *config, uint32_t *rows, uint32_t *columns) {
    const char *text = shape;
    *rows = 1;
    *columns = read_size(&text, config);
    if (*text++ != ' ') return;
    *rows = *columns;
    *columns = read_size(&text, config);
}
