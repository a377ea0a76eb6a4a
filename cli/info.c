/* info.c — what a model file consists of. */
#include "model.h"
#include "options.h"
#include "print.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same tensor of every layer, or a single one. */
typedef struct Group {
    const char *name;
    uint32_t rows, columns;
    uint32_t tensors;
    bool types[TENSOR_TYPES]; /* which occur */
    double parameters, bytes;
} Group;

static void add_tensor(Group *group, const Tensor *tensor) {
    group->rows = tensor->rows;
    group->columns = tensor->columns;
    group->tensors++;
    group->types[tensor->type] = true;
    group->parameters += (double)tensor_count(tensor);
    group->bytes += (double)tensor_bytes(tensor);
}

static void print_types(const Group *group) {
    const char *separator = "";
    for (int type = 0; type < (int)COUNT(group->types); type++)
        if (group->types[type]) {
            printf("%s%s", separator, tensor_type_name((TensorType)type));
            separator = "+";
        }
}

static void print_group(const Group *group) {
    char shape[40], each[16] = "";
    if (group->rows == 1)
        snprintf(shape, sizeof shape, "[%u]", group->columns);
    else
        snprintf(shape, sizeof shape, "[%u, %u]", group->rows, group->columns);
    if (group->tensors > 1) snprintf(each, sizeof each, "%u x ", group->tensors);
    printf("  %-18s %6s%-16s %9s  ", group->name, each, shape, scaled_text(group->bytes, "B").text);
    print_types(group);
    putchar('\n');
}

/* groups[row of the table]; those of rows without tensors stay empty. */
static void fill_groups(const ModelFile *model, Group *groups) {
    for (size_t i = 0; i < model->tensor_count; i++) {
        const ModelTensor *tensor = &model->tensors[i];
        Group *group = &groups[tensor->row - model->architecture->tensors];
        group->name = tensor->row->what;
        add_tensor(group, &tensor->tensor);
    }
}

/* How positions are turned, and what each layer sees of them. */
static void print_positions(const ModelConfig *config) {
    static const char *const scalings[] = {[ROPE_LINEAR] = "linear", [ROPE_YARN] = "YaRN"};
    const RopeConfig *rope = &config->rope;
    uint32_t windowed = 0;
    for (uint32_t l = 0; l < config->layers; l++)
        windowed += config->windowed[l];
    printf("positions     rope, base %g", (double)rope->base);
    if (rope->dims < config->head_size) printf(", %u channels of each head", rope->dims);
    if (rope->scaling != ROPE_UNSCALED)
        printf(", %s scaling by %g", scalings[rope->scaling], (double)rope->factor);
    if (windowed > 0) printf("; %u layers see %u tokens", windowed, config->window);
    if (windowed > 0 && rope->local_base > 0) printf(", base %g", (double)rope->local_base);
    putchar('\n');
}

static void print_architecture(const ModelFile *model) {
    const ModelConfig *config = &model->config;
    printf("architecture  %s: %u layers, %u channels, %u heads of %u", model->architecture->title,
           config->layers, config->channels, config->heads, config->head_size);
    if (config->kv_heads < config->heads) printf(", %u of keys and values", config->kv_heads);
    printf(", feed-forward %u\n", config->inner);
    if (config->rope.dims > 0) print_positions(config);
    printf("vocabulary    %u tokens\n", config->vocabulary);
    printf("context       %u token%s\n", config->context, plural(config->context));
}

static void print_tokenizer(const ModelFile *model) {
    const Tokenizer *tokenizer = model->tokenizer;
    if (!tokenizer) {
        const LLMError *problem = model->tokenizer_problem;
        printf("tokenizer     %s\n", problem->status ? problem->message : "none");
        return;
    }
    printf("tokenizer     %s%s, %u tokens", tokenizer_kind(tokenizer),
           tokenizer_encodes(tokenizer) ? "" : " without merges (decodes only)",
           tokenizer_vocabulary(tokenizer));
    size_t size;
    uint32_t id = model->end_of_text;
    const char *text = tokenizer_bytes(tokenizer, id, &size);
    if (text) {
        printf(", end of text %u \"", id);
        print_bytes(stdout, text, size);
        putchar('"');
    }
    putchar('\n');
}

static void print_info(const ModelFile *model, LLMError *error) {
    size_t count = 0;
    while (model->architecture->tensors[count].what)
        count++;
    Group *groups = calloc(count, sizeof *groups);
    if (!groups) {
        error_memory(error, count * sizeof *groups);
        return;
    }
    fill_groups(model, groups);
    double parameters = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        parameters += groups[i].parameters;
        bytes += groups[i].bytes;
    }
    fputs("name          ", stdout);
    print_name(stdout, *model->name ? model->name : "(none)");
    putchar('\n');
    printf("format        %s\n", model->format);
    print_architecture(model);
    print_tokenizer(model);
    printf("parameters    %s (%.0f)%s\n", scaled_text(parameters, "").text, parameters,
           model->config.tied ? ", output tied to the token embedding" : "");
    printf("tensors       %s\n", scaled_text(bytes, "B").text);
    for (size_t i = 0; i < count; i++)
        if (groups[i].tensors > 0) print_group(&groups[i]);
    free(groups);
}

int verb_info(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    LLMError error = {0};
    ModelFile *model = model_open_file(arguments->model, &error);
    if (model) print_info(model, &error);
    model_file_close(model);
    return exit_status(&error);
}
