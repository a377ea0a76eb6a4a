#include "model.h"
#include "verb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && !strcmp(text + size - end_size, end);
}

bool names_a_model(const char *argument) {
    if (access(argument, F_OK) == 0) return true;
    if (ends_with(argument, ".gguf") || ends_with(argument, ".bin") ||
        ends_with(argument, ".safetensors"))
        return true;
    bool is_path = argument[0] == '/' || argument[0] == '.';
    return strchr(argument, '/') && (is_path || !strpbrk(argument, " \t\n"));
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
    return named ? named : default_model(error);
}

/* --- open --- */

LLMPipeline *model_open(const char *named, const LLMOptions *options, LLMError *error) {
    const char *path = model_path(named, error);
    LLMPipeline *llm = llm_pipeline_open(path, options, error);
    if (llm) fprintf(stderr, "device   %s\n", llm_info(llm)->device);
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
