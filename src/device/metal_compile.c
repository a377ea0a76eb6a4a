#include "metal_compile.h"

#include <stdlib.h>
#include <string.h>

const char *metal_error_text(id error) {
    id description = error ? send(description, error) : NULL;
    const char *text = description ? send(text, description) : NULL;
    return text ? text : "no reason was given";
}

/* Older systems know the one switch, newer ones prefer the two others. */
static void set_safe_math(id options) {
    if (send(responds, options, metal_selector(MESSAGE_set_math_mode))) {
        send(set_math_mode, options, MTL_MATH_SAFE);
        send(set_math_functions, options, MTL_FUNCTIONS_PRECISE);
    } else {
        send(set_fast_math, options, false);
    }
}

/* Of many lines the first with an error: "activation.metal:12:5: error: …". */
static void report(const char *file, const char *log, LLMError *error) {
    const char *line = strstr(log, ": error:");
    bool has_place = line != NULL;
    if (!has_place) line = log;
    while (line > log && line[-1] != '\n')
        line--;
    error_set(error, LLM_ERROR_DEVICE, "Metal cannot compile %s%s%.*s", has_place ? "" : file,
              has_place ? "" : ": ", (int)strcspn(line, "\n"), line);
}

id metal_compile(id device, const char *file, const char *text, LLMError *error) {
    id pool = metal_pool_open();
    id options = send(new, metal_class("MTLCompileOptions")), problem = NULL;
    send(set_language, options, MTL_LANGUAGE_3_0);
    set_safe_math(options);
    id library = send(new_library, device, metal_string(text), options, &problem);
    if (!library) report(file, metal_error_text(problem), error);
    metal_release(&options);
    metal_pool_close(pool);
    return library;
}

id metal_pipeline(id device, id library, const char *kernel, LLMError *error) {
    id pool = metal_pool_open();
    id function = send(new_function, library, metal_string(kernel)), problem = NULL;
    id pipeline = function ? send(new_pipeline, device, function, &problem) : NULL;
    if (!function)
        error_set(error, LLM_ERROR_DEVICE, "metal: the compiled file has no kernel '%s'", kernel);
    else if (!pipeline)
        error_set(error, LLM_ERROR_DEVICE, "metal: this GPU cannot run %s: %s", kernel,
                  metal_error_text(problem));
    metal_release(&function);
    metal_pool_close(pool);
    return pipeline;
}
