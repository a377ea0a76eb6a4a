/* convert.c — a model of any format as a GGUF file of another type. */
#include "convert.h"
#include "bar.h"
#include "model.h"
#include "options.h"
#include "print.h"
#include "units.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Target {
    const char *name;
    TensorType type;
    bool finer;
} Target;

static const Target targets[] = {
    {"f32", TENSOR_F32, false},   {"f16", TENSOR_F16, false},    {"bf16", TENSOR_BF16, false},
    {"q8_0", TENSOR_Q8_0, false}, {"q6_K", TENSOR_Q6_K, false},  {"q5_K", TENSOR_Q5_K, false},
    {"q4_K", TENSOR_Q4_K, false}, {"q4_K_M", TENSOR_Q4_K, true}, {"q4_0", TENSOR_Q4_0, false},
};
#define TARGETS "f32, f16, bf16, q8_0, q6_K, q5_K, q4_K, q4_K_M or q4_0"

static bool same_letters(const char *a, const char *b) {
    enum { CAPITAL = 32 };
    while (*a && ((*a ^ *b) & ~CAPITAL) == 0)
        a++, b++;
    return !*a && !*b;
}

/* Of this name, in capitals or not; NULL if there is none to convert to. */
static const Target *find_target(const char *name) {
    for (size_t i = 0; i < COUNT(targets); i++)
        if (same_letters(name, targets[i].name)) return &targets[i];
    return NULL;
}

/* Rows that are no whole blocks of the type that they should have. */
static void tell_of_other_types(const ModelFile *model, const ConvertOptions *options) {
    size_t counts[TENSOR_TYPES][TENSOR_TYPES] = {0};
    uint32_t columns[TENSOR_TYPES][TENSOR_TYPES];
    for (size_t i = 0; i < model->tensor_count; i++) {
        TensorType wanted, type = convert_type(model, options, &model->tensors[i], &wanted);
        counts[wanted][type]++;
        columns[wanted][type] = model->tensors[i].tensor.columns;
    }
    for (TensorType wanted = 0; wanted < TENSOR_TYPES; wanted++)
        for (TensorType type = 0; type < TENSOR_TYPES; type++)
            if (type != wanted && counts[wanted][type])
                fprintf(stderr,
                        "metal-llm: rows of %u weights are no whole blocks of %s: %zu %s %s\n",
                        columns[wanted][type], tensor_type_name(wanted), counts[wanted][type],
                        counts[wanted][type] == 1 ? "matrix becomes" : "matrices become",
                        tensor_type_name(type));
}

/* Rounding what was rounded before costs more than it would from the original weights. */
static void warn_of_rounding_again(const ModelFile *model, TensorType type) {
    TensorType stored = model_file_type(model);
    if (type_is_float(stored) || type_is_float(type) || stored == type) return;
    fprintf(stderr, "metal-llm: the weights are %s already; from the original model %s is better\n",
            tensor_type_name(stored), tensor_type_name(type));
}

static size_t count_weights(const ModelFile *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->tensor_count; i++)
        count += tensor_count(&model->tensors[i].tensor);
    return count;
}

/* --- IN and OUT --- */

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a folder's file, or what a link in it leads to, is `out`; GGUF files in it are none of a
 * Hugging Face model's. */
static bool folder_holds(const char *folder, const struct stat *out) {
    DIR *directory = opendir(folder);
    bool found = false;
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        struct stat file;
        found = fnmatch("*.gguf", entry->d_name, 0) != 0 &&
                fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && same_file(&file, out);
    }
    if (directory) closedir(directory);
    return found;
}

/* OUT may be none of the files that IN consists of. */
static bool check_output(const char *in, const char *path, LLMError *error) {
    struct stat model, out;
    if (stat(path, &out) != 0 || stat(in, &model) != 0 || !S_ISREG(out.st_mode)) return true;
    bool is_input = S_ISDIR(model.st_mode) ? folder_holds(in, &out) : same_file(&model, &out);
    return !is_input || error_set(error, LLM_ERROR_ARGUMENT,
                                  "%s is read by this conversion and would be replaced; choose "
                                  "another name",
                                  path);
}

/* --- the verb --- */

static void show_progress(void *user, size_t count) {
    progress_update(user, count / 1000);
}

static void convert(const ModelFile *model, const char *path, const Target *target,
                    LLMError *error) {
    Progress progress;
    const ConvertOptions options = {target->type, target->finer, show_progress, &progress};
    warn_of_rounding_again(model, target->type);
    progress = progress_begin(count_weights(model) / 1000 + 1, "k weights");
    convert_to_gguf(model, path, &options, error);
    progress_end(&progress);
    struct stat file;
    if (error_is_set(error)) return;
    tell_of_other_types(model, &options);
    if (stat(path, &file) == 0 && S_ISREG(file.st_mode)) { /* a pipe may be standard output */
        print_name(stdout, path);
        printf("  %s, %s\n", target->name, scaled_text((double)file.st_size, "B").text);
    }
}

int verb_convert(Arguments *arguments) {
    const char *name = "q8_0";
    const Option options[] = {
        option_with_words(option_text("type", "T", &name, TARGETS " (default: q8_0)"),
                          "f32 f16 bf16 q8_0 q6_K q5_K q4_K q4_K_M q4_0"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), NULL, &status)) return status;
    if (!arguments->model || !arguments->count)
        return usage_error(arguments->verb, "IN and OUT.gguf are needed");
    const Target *target = find_target(name);
    if (!target) return usage_error(arguments->verb, "--type takes " TARGETS ", not '%s'", name);

    LLMError error = {0};
    const char *in = model_path(arguments->model, &error), *out = arguments->values[0];
    ModelFile *model = in && check_output(in, out, &error) ? model_open_file(in, &error) : NULL;
    if (model) convert(model, out, target, &error);
    model_file_close(model);
    return exit_status(&error);
}
