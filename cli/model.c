#include "model.h"

#include "print.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && !strcmp(text + size - end_size, end);
}

static bool is_written_as_path(const char *argument) {
    if (ends_with(argument, ".gguf") || ends_with(argument, ".bin") ||
        ends_with(argument, ".safetensors"))
        return true;
    bool is_path = argument[0] == '/' || argument[0] == '.';
    return strchr(argument, '/') && (is_path || !strpbrk(argument, " \t\n"));
}

/* Also a link to nothing: to open it says so. */
static bool exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

/* --- models that have a name --- */

const char *models_folder(LLMError *error) {
    static char path[PATH_MAX];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int size = -1;
    if (data && data[0] == '/') /* others are to be ignored, as the XDG rules say */
        size = snprintf(path, sizeof path, "%s/metal-llm/models", data);
    else if (home && home[0] == '/')
        size = snprintf(path, sizeof path, "%s/.local/share/metal-llm/models", home);
    if (size > 0 && (size_t)size < sizeof path) return path;
    error_set(error, LLM_ERROR_FILE,
              "there is no folder for models: neither XDG_DATA_HOME nor HOME names one");
    return NULL;
}

/* NAME.gguf or the folder NAME in the models folder; NULL if there is neither. */
static const char *named_model(const char *name) {
    static char path[PATH_MAX + 64];
    const char *folder = models_folder(NULL);
    if (!folder || !*name || strlen(name) > NAME_MAX || strchr(name, '/') || name[0] == '.')
        return NULL;
    snprintf(path, sizeof path, "%s/%s.gguf", folder, name);
    if (exists(path)) return path;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return exists(path) ? path : NULL;
}

/* --- the default model --- */

static bool program_path(char path[PATH_MAX]) {
#ifdef __APPLE__
    char unresolved[PATH_MAX];
    uint32_t size = sizeof unresolved;
    return _NSGetExecutablePath(unresolved, &size) == 0 && realpath(unresolved, path);
#else
    return realpath("/proc/self/exe", path);
#endif
}

static const char *default_model(LLMError *error) {
    static const char *const places[] = {"models", "../models", "../../models",
                                         "../share/metal-llm"};
    static char path[PATH_MAX + 64];
    char folder[PATH_MAX];
    if (program_path(folder)) {
        *strrchr(folder, '/') = 0;
        for (size_t i = 0; i < COUNT(places); i++) {
            snprintf(path, sizeof path, "%s/%s/tales.gguf", folder, places[i]);
            if (access(path, F_OK) == 0) return path;
        }
    }
    error_set(error, LLM_ERROR_FILE,
              "no model was named, and the default one is not there: tales.gguf was sought beside "
              "the program, in models/ up to two folders above it, and in ../share/metal-llm");
    return NULL;
}

const char *model_path(const char *named, LLMError *error) {
    if (!named) return default_model(error);
    if (exists(named) || is_written_as_path(named)) return named;
    const char *path = named_model(named);
    if (path) return path;
    const char *folder = models_folder(error);
    if (folder)
        error_set(error, LLM_ERROR_FILE,
                  "there is no model '%s': neither a file or folder, nor a name in %s (see "
                  "metal-llm get)",
                  named, folder);
    return NULL;
}

/* A line on stderr, in the form of the statistics. */
static void say(const char *name, const char *value, const char *rest) {
    fprintf(stderr, "%-8s ", name);
    print_name(stderr, value);
    fprintf(stderr, "%s\n", rest);
}

const char *text_argument(Arguments *arguments, LLMError *error) {
    const char *argument = arguments->count ? arguments->values[0] : NULL;
    if (!argument || arguments->model) return argument;
    if (!exists(argument) && is_written_as_path(argument)) {
        error_set(error, LLM_ERROR_FILE,
                  "%s: No such file or directory; if it is a text and not a model, give it on "
                  "standard input",
                  argument);
        return NULL;
    }
    const char *path = exists(argument) ? argument : named_model(argument);
    if (path) {
        arguments->model = argument;
        if (!is_written_as_path(argument)) say("model", path, "");
        return NULL;
    }
    if (*argument && !strpbrk(argument, " \t\n"))
        say("text", argument, ", which is no model's name");
    return argument;
}

/* --- open --- */

static void print_opened(const LLMInfo *info, const LLMOptions *options) {
    fprintf(stderr, "device   %s\n", info->device);
    if (options->context == 0 && info->context < info->model_context)
        fprintf(stderr, "context  %u tokens; the model has %u, for --context\n", info->context,
                info->model_context);
}

LLMPipeline *model_open(const char *named, const LLMOptions *options, LLMError *error) {
    const char *path = model_path(named, error);
    LLMPipeline *llm = llm_pipeline_open(path, options, error);
    if (llm) print_opened(llm_info(llm), options);
    return llm;
}

LLMPipeline *model_open_shape(const char *shape, const char *type, const LLMOptions *options,
                              LLMError *error) {
    LLMPipeline *llm = llm_pipeline_open_shape(shape, type, options, error);
    if (llm) print_opened(llm_info(llm), options);
    return llm;
}

ModelFile *model_open_file(const char *named, LLMError *error) {
    const char *path = model_path(named, error);
    return path ? model_file_open(path, error) : NULL;
}

Checkpoint *model_open_tokenizer(const char *named, LLMError *error) {
    const char *path = model_path(named, error);
    Checkpoint *checkpoint = path ? checkpoint_open(path, USE_TOKENIZER, error) : NULL;
    if (!checkpoint || checkpoint->tokenizer) return checkpoint;
    const LLMError *problem = &checkpoint->tokenizer_problem;
    if (problem->status)
        error_set(error, problem->status, "%s", problem->message);
    else
        error_set(error, LLM_ERROR_FORMAT,
                  "%s: the model brings no tokenizer; put its files beside it", path);
    checkpoint_close(checkpoint);
    return NULL;
}
