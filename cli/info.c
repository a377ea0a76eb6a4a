/* info.c — what a model file consists of. */
#include "model.h"
#include "options.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same tensor of every layer, or a single one. */
typedef struct Group {
    const char *name;
    uint32_t rows, columns;
    uint32_t tensors;
    bool types[TENSOR_Q6_K + 1]; /* which occur */
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

#define TENSOR_GROUP(member, name)                                                                 \
    { name, offsetof(LayerTensors, member) }
static const struct {
    const char *name;
    size_t offset;
} layer_groups[] = {
    TENSOR_GROUP(attention_norm_weight, "attention norm"),
    TENSOR_GROUP(attention_norm_bias, "  bias"),
    TENSOR_GROUP(qkv_weight, "QKV"),
    TENSOR_GROUP(qkv_bias, "  bias"),
    TENSOR_GROUP(projection_weight, "projection"),
    TENSOR_GROUP(projection_bias, "  bias"),
    TENSOR_GROUP(mlp_norm_weight, "MLP norm"),
    TENSOR_GROUP(mlp_norm_bias, "  bias"),
    TENSOR_GROUP(up_weight, "up"),
    TENSOR_GROUP(up_bias, "  bias"),
    TENSOR_GROUP(down_weight, "down"),
    TENSOR_GROUP(down_bias, "  bias"),
};

/* All groups in the order of the forward pass, at most this many. */
enum { GROUPS_MOST = COUNT(layer_groups) + 5 };

static size_t list_groups(const Checkpoint *checkpoint, Group groups[GROUPS_MOST]) {
    size_t count = 0;
    groups[count].name = "token embedding";
    add_tensor(&groups[count++], &checkpoint->token_embedding);
    groups[count].name = "position embedding";
    add_tensor(&groups[count++], &checkpoint->position_embedding);
    for (size_t i = 0; i < COUNT(layer_groups); i++, count++) {
        groups[count].name = layer_groups[i].name;
        for (uint32_t l = 0; l < checkpoint->config.layers; l++) {
            const char *layer = (const char *)&checkpoint->layer[l];
            add_tensor(&groups[count], (const Tensor *)(layer + layer_groups[i].offset));
        }
    }
    groups[count].name = "output norm";
    add_tensor(&groups[count++], &checkpoint->output_norm_weight);
    groups[count].name = "  bias";
    add_tensor(&groups[count++], &checkpoint->output_norm_bias);
    if (checkpoint->output.data) {
        groups[count].name = "output";
        add_tensor(&groups[count++], &checkpoint->output);
    }
    return count;
}

static void print_architecture(const ModelConfig *config) {
    printf("architecture  GPT-2: %u layers, %u channels, %u heads of %u, feed-forward %u\n",
           config->layers, config->channels, config->heads, config->channels / config->heads,
           config->inner);
    printf("vocabulary    %u tokens\n", config->vocabulary);
    printf("context       %u tokens\n", config->context);
}

static void print_tokenizer(const Checkpoint *checkpoint) {
    const Tokenizer *tokenizer = checkpoint->tokenizer;
    if (!tokenizer) {
        puts("tokenizer     none");
        return;
    }
    printf("tokenizer     byte-level BPE%s, %u tokens",
           tokenizer_encodes(tokenizer) ? "" : " without merges (decodes only)",
           tokenizer_vocabulary(tokenizer));
    size_t size;
    uint32_t id = checkpoint->end_of_text;
    const char *text = tokenizer_bytes(tokenizer, id, &size);
    if (text) printf(", end of text %u \"%.*s\"", id, (int)size, text);
    putchar('\n');
}

static void print_info(const Checkpoint *checkpoint) {
    Group groups[GROUPS_MOST] = {0};
    size_t count = list_groups(checkpoint, groups);
    double parameters = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        parameters += groups[i].parameters;
        bytes += groups[i].bytes;
    }
    printf("name          %s\n", *checkpoint->name ? checkpoint->name : "(none)");
    printf("format        %s\n", checkpoint->format);
    print_architecture(&checkpoint->config);
    print_tokenizer(checkpoint);
    printf("parameters    %s (%.0f)%s\n", scaled_text(parameters, "").text, parameters,
           checkpoint->output.data ? "" : ", output tied to the token embedding");
    printf("tensors       %s\n", scaled_text(bytes, "B").text);
    for (size_t i = 0; i < count; i++)
        print_group(&groups[i]);
}

int verb_info(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    LLMError error = {0};
    Checkpoint *checkpoint = model_open_checkpoint(arguments->values[0], &error);
    if (checkpoint) print_info(checkpoint);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
