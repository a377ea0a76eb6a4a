#include "architecture.h"

#include <stdio.h>

static const Architecture *const architectures[] = {&gpt2_architecture};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

/* With the names of those that run. */
static bool refuse(const char *name, const char *path, LLMError *error) {
    char names[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (architectures[i]->forward)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"",
                                     used ? ", " : "", architectures[i]->name);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the architecture (general.architecture, model_type) is \"%.80s\"; what "
                     "can be opened: %s",
                     path, name, names);
}

const Architecture *architecture_find(const char *name, const char *path, LLMError *error) {
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (strcmp(architectures[i]->name, name) == 0) return architectures[i];
    refuse(name, path, error);
    return NULL;
}

bool architecture_runs(const Architecture *architecture, const char *path, LLMError *error) {
    return architecture->forward || refuse(architecture->name, path, error);
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
