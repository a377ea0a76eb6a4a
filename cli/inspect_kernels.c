/* inspect_kernels.c — what the kernels of the next token take, in a terminal. */
#include "bar.h"
#include "inspect.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BAR = 16 };

static int step_width(const LLMPlan *plan) {
    size_t most = strlen("step");
    for (size_t i = 0; i < plan->count; i++)
        if (strlen(llm_plan_step(plan, i)->step) > most)
            most = strlen(llm_plan_step(plan, i)->step);
    return (int)most;
}

/* `total` is all steps together. */
static void print_step(const LLMPlanStep *step, const LLMPlanStep *total, int width) {
    printf("%-*s %5" PRIu64 " %9s ", width, step->step, step->calls,
           number_text(1e6 * step->seconds).text);
    print_bar(stdout, total->seconds > 0 ? step->seconds / total->seconds : 0, BAR);
    printf(" %9s ", scaled_text(step->bytes, "B").text);
    print_bar(stdout, total->bytes > 0 ? step->bytes / total->bytes : 0, BAR);
    printf(" %6s  %s\n",
           number_text(step->seconds > 0 ? 1e-9 * step->bytes / step->seconds : 0).text,
           step->kernel);
}

void print_kernels(const LLMPlan *plan, size_t tokens) {
    LLMPlanStep total = {.step = "all", .kernel = ""};
    int width = step_width(plan);
    for (size_t i = 0; i < plan->count; i++) {
        total.calls += llm_plan_step(plan, i)->calls;
        total.seconds += llm_plan_step(plan, i)->seconds;
        total.bytes += llm_plan_step(plan, i)->bytes;
    }
    printf("\nthe kernels of the next token, after %zu: %s\n%-*s %5s %10s %*s %9s %*s %6s  %s\n",
           tokens, plan->why, width, "step", "calls", "µs", BAR, "", "bytes", BAR, "", "GB/s",
           "kernel");
    for (size_t i = 0; i < plan->count; i++)
        print_step(llm_plan_step(plan, i), &total, width);
    print_step(&total, &total, width);
}
