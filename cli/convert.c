/* convert.c — a model of any format as a GGUF file of another type. */
#include "convert.h"
#include "bar.h"
#include "checkpoint/values.h"
#include "model.h"
#include "options.h"
#include "units.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const TensorType types[] = {TENSOR_F32, TENSOR_F16, TENSOR_Q8_0, TENSOR_Q4_0};

/* The type of this name; false if there is none to convert to. */
static bool find_type(const char *name, TensorType *type) {
    for (size_t i = 0; i < COUNT(types); i++)
        if (!strcmp(name, tensor_type_name(types[i]))) {
            *type = types[i];
            return true;
        }
    return false;
}

/* Rounding what was rounded before costs more than it would from the original weights. */
static void warn_of_rounding_again(const Checkpoint *checkpoint, TensorType type) {
    TensorType stored = checkpoint->layer[0].qkv_weight.type;
    if (type_is_float(stored) || type_is_float(type) || stored == type) return;
    fprintf(stderr, "metal-llm: the weights are %s already; from the original model %s is better\n",
            tensor_type_name(stored), tensor_type_name(type));
}

static size_t count_weights(const Checkpoint *checkpoint) {
    const Tensor *outer[] = {&checkpoint->token_embedding, &checkpoint->position_embedding,
                             &checkpoint->output_norm_weight, &checkpoint->output_norm_bias,
                             &checkpoint->output};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(outer); i++)
        count += tensor_count(outer[i]);
    for (uint32_t l = 0; l < checkpoint->config.layers; l++) {
        const Tensor *tensors = (const Tensor *)&checkpoint->layer[l];
        for (size_t i = 0; i < sizeof(LayerTensors) / sizeof(Tensor); i++)
            count += tensor_count(&tensors[i]);
    }
    return count;
}

static void show_progress(void *user, size_t count) {
    progress_update(user, count / 1000);
}

static void convert(const Checkpoint *checkpoint, const char *path, TensorType type,
                    LLMError *error) {
    warn_of_rounding_again(checkpoint, type);
    Progress progress = progress_begin(count_weights(checkpoint) / 1000 + 1, "k weights");
    const ConvertOptions options = {type, show_progress, &progress};
    convert_to_gguf(checkpoint, path, &options, error);
    progress_end(&progress);
    struct stat file;
    if (!error_is_set(error) && stat(path, &file) == 0)
        printf("%s  %s, %s\n", path, tensor_type_name(type),
               scaled_text((double)file.st_size, "B").text);
}

int verb_convert(Arguments *arguments) {
    const char *name = "q8_0";
    const Option options[] = {
        option_text("type", "T", &name, "f32, f16, q8_0 (the default) or q4_0"),
    };
    int status;
    TensorType type;
    if (!options_parse(arguments, options, COUNT(options), NULL, &status)) return status;
    if (arguments->count < 2) return usage_error(arguments->verb, "IN and OUT.gguf are needed");
    if (!find_type(name, &type))
        return usage_error(arguments->verb, "--type takes f32, f16, q8_0 or q4_0, not '%s'", name);

    LLMError error = {0};
    Checkpoint *checkpoint = model_open_checkpoint(arguments->values[0], &error);
    if (checkpoint) convert(checkpoint, arguments->values[1], type, &error);
    checkpoint_close(checkpoint);
    return exit_status(&error);
}
