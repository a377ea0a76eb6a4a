#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

LLMPlan *plan_new(LLMError *error) {
    LLMPlan *plan = calloc(1, sizeof *plan);
    if (!plan) return error_memory(error, sizeof *plan);
    plan->size = sizeof *plan;
    return plan;
}

void llm_plan_free(LLMPlan *plan) {
    if (!plan) return;
    free(plan->steps);
    free(plan->order);
    free(plan->seconds);
    free(plan);
}

void plan_restart(Collection *collection) {
    collection->plan->count = 0;
    collection->plan->calls = 0;
}

/* --- memory --- */

static LLMPlanStep *add_step(Collection *collection) {
    LLMPlan *plan = collection->plan;
    if (plan->count == collection->step_room) {
        size_t room = 2 * collection->step_room + 32;
        LLMPlanStep *steps = realloc(plan->steps, room * sizeof *steps);
        if (!steps) return error_memory(collection->error, room * sizeof *steps);
        plan->steps = steps;
        collection->step_room = room;
    }
    return &plan->steps[plan->count++];
}

static bool grow_calls(Collection *collection) {
    LLMPlan *plan = collection->plan;
    size_t room = 2 * collection->call_room + 256;
    uint32_t *order = realloc(plan->order, room * sizeof *order);
    if (order) plan->order = order;
    double *seconds = realloc(plan->seconds, room * sizeof *seconds);
    if (seconds) plan->seconds = seconds;
    if (!order || !seconds) return error_memory(collection->error, room * sizeof *seconds);
    collection->call_room = room;
    return true;
}

static bool add_call(Collection *collection, size_t step, double seconds) {
    LLMPlan *plan = collection->plan;
    if (plan->calls == collection->call_room && !grow_calls(collection)) return false;
    plan->order[plan->calls] = (uint32_t)step;
    plan->seconds[plan->calls++] = seconds;
    return true;
}

/* --- collecting --- */

static bool is_same(const LLMPlanStep *step, const TracedCommand *command) {
    return !strcmp(step->step, command->step) && !strcmp(step->kernel, command->kernel) &&
           !strcmp(step->shape, command->shape) && !strcmp(step->why, command->why);
}

/* The step that the command is a call of; NULL if memory is out. */
static LLMPlanStep *step_of(Collection *collection, const TracedCommand *command) {
    LLMPlan *plan = collection->plan;
    for (size_t i = 0; i < plan->count; i++)
        if (is_same(&plan->steps[i], command)) return &plan->steps[i];
    LLMPlanStep *step = add_step(collection);
    if (!step) return NULL;
    *step = (LLMPlanStep){.size = sizeof *step,
                          .step = command->step,
                          .kernel = command->kernel,
                          .file = command->file,
                          .why = command->why};
    snprintf(step->shape, sizeof step->shape, "%s", command->shape);
    return step;
}

void plan_collect(void *context, const TracedCommand *command) {
    Collection *collection = context;
    LLMPlanStep *step = step_of(collection, command);
    if (!step || !add_call(collection, (size_t)(step - collection->plan->steps), command->seconds))
        return;
    step->calls++;
    step->seconds += command->seconds;
    step->bytes += command->bytes;
}
