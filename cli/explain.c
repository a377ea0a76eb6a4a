/* explain.c — which kernels the model's passes take, and why. */
#include "model.h"
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int width_of(const LLMPlan *plan, const char *(*text)(const LLMPlanStep *)) {
    size_t most = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (strlen(text(llm_plan_step(plan, i))) > most)
            most = strlen(text(llm_plan_step(plan, i)));
    return (int)most;
}

static const char *step_of(const LLMPlanStep *step) {
    return step->step;
}

static const char *shape_of(const LLMPlanStep *step) {
    return step->shape;
}

static const char *kernel_of(const LLMPlanStep *step) {
    return step->kernel;
}

static const char *file_of(const LLMPlanStep *step) {
    return *step->file ? step->file : "(matrix library)";
}

static void print_plan(const char *title, const LLMPlan *plan, uint32_t tokens, uint32_t rows) {
    int step = width_of(plan, step_of), shape = width_of(plan, shape_of);
    int kernel = width_of(plan, kernel_of), file = width_of(plan, file_of);
    printf("%s", title);
    if (tokens > 1) printf(" of %u tokens", tokens);
    if (rows > 1) printf(", %u rows", rows);
    if (plan->tokens < tokens) printf(", in passes of %" PRIu64, plan->tokens);
    printf(": %s\n\n%5s  %-*s  %-*s  %-*s  %-*s  %s\n", plan->why, "calls", step, "step", shape,
           "shape", kernel, "kernel", file, "file", "why");
    for (size_t i = 0; i < plan->count; i++) {
        const LLMPlanStep *line = llm_plan_step(plan, i);
        printf("%5" PRIu64 "  %-*s  %-*s  %-*s  %-*s  %s\n", line->calls, step, line->step, shape,
               line->shape, kernel, line->kernel, file, file_of(line), line->why);
    }
}

/* What --facts takes. */
static const char *join_machines(char text[128], const char *begin, const char *between) {
    size_t used = (size_t)snprintf(text, 128, "%s", begin);
    for (const char *const *name = llm_machines(); *name && used < 128; name++)
        used += (size_t)snprintf(text + used, 128 - used, "%s%s", *name, name[1] ? between : "");
    return text;
}

int verb_explain(Arguments *arguments) {
    char help[128], names[128];
    const char *machine = NULL;
    uint32_t tokens = 64;
    LLMOptions pipeline = LLM_OPTIONS;
    pipeline.batch = 1;
    const Option options[] = {
        option_uint32("p", "N", &tokens, 1, 1 << 24, "tokens of the prompt"),
        option_uint32("batch", "B", &pipeline.batch, 1, 1024, "texts in one batch"),
        option_with_words(option_text("facts", "MACHINE", &machine,
                                      join_machines(help, "not this machine: ", ", ")),
                          join_machines(names, "", " ")),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;

    if (machine && pipeline.device)
        return usage_error(arguments->verb, "--facts are of a machine, leave out --device");
    LLMError error = {0};
    const char *path = model_path(arguments->model, &error);
    LLMPlan *prompt = llm_explain(path, &pipeline, machine, tokens, &error);
    LLMPlan *decode = llm_explain(path, &pipeline, machine, 1, &error);
    if (prompt && decode) {
        print_plan("A prompt", prompt, tokens, pipeline.batch);
        putchar('\n');
        print_plan("A token that is decoded", decode, 1, pipeline.batch);
    }
    llm_plan_free(prompt);
    llm_plan_free(decode);
    return exit_status(&error);
}
