/* explain.c — which kernels a pass would run, and why: the pass itself, on a device that runs
 * nothing. */
#include "model/pipeline.h"
#include "model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool unknown_machine(const char *machine, LLMError *error) {
    char names[128] = "";
    size_t used = 0;
    for (const char *const *name = device_facts_names; *name && used < sizeof names; name++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", *name);
    return error_set(error, LLM_ERROR_ARGUMENT, "unknown machine '%s'; use one of %s", machine,
                     names);
}

/* Of the machine that is named, or of the device that `options` choose. */
static bool find_facts(const char *machine, const LLMOptions *options, DeviceFacts *facts,
                       LLMError *error) {
    if (machine) {
        const DeviceFacts *named = device_facts_named(machine);
        if (!named) return unknown_machine(machine, error);
        *facts = *named;
        return true;
    }
    Device *device = pipeline_open_device(options, NULL, error);
    if (!device) return false;
    *facts = *device_facts(device);
    device_close(device);
    return true;
}

/* Room in the KV cache for `tokens` of every row. */
static bool reserve(LLMPipeline *llm, uint32_t tokens, LLMError *error) {
    uint32_t rows = llm->run.sizes.batch, *lengths = calloc(2 * (size_t)rows, sizeof *lengths);
    if (!lengths) return error_memory(error, 2 * (size_t)rows * sizeof *lengths);
    uint32_t *ends = lengths + rows;
    for (uint32_t b = 0; b < rows; b++)
        ends[b] = tokens;
    bool reserved = kv_cache_reserve(&llm->run.cache, 0, rows, lengths, ends, error);
    free(lengths);
    return reserved;
}

/* A pass over `tokens` more of each row; of a prompt that takes several, the last. */
static void run_pass(LLMPipeline *llm, uint32_t tokens, Collection *collection) {
    Run *run = &llm->run;
    uint32_t pieces = divide_up(tokens, run->sizes.tokens), B = run->sizes.batch;
    plan_restart(collection); /* what opening the model has run */
    run->visible = tokens;
    pipeline_forward(llm, run->buffers.prompt, B, divide_up(tokens, pieces), WANTED_NEXT);
    RowSampling greedy = sampling_of(run, &(LLMGeneration){0});
    sample_alike(run, &greedy);
    advance_rows(run);
    device_wait(llm->device, device_submit(llm->device));
    collection->plan->tokens = run->pass.T;
    collection->plan->why = run->pass.why;
}

static bool explain(Collection *collection, const char *path, const LLMOptions *given,
                    const char *machine, uint32_t tokens, LLMError *error) {
    LLMOptions options;
    DryRun dry = {.trace = plan_collect, .context = collection};
    if (!pipeline_options(&options, given, error) ||
        !find_facts(machine, &options, &dry.facts, error))
        return false;
    LLMPipeline *llm = pipeline_open(path, &options, &dry, error);
    if (!llm) return false;
    if (tokens == 0 || tokens > llm->run.sizes.capacity)
        error_set(error, LLM_ERROR_CONTEXT, "a pass of %u tokens does not fit the context of %u",
                  tokens, llm->run.sizes.capacity);
    else if (reserve(llm, tokens, error))
        run_pass(llm, tokens, collection);
    device_failed(llm->device, error);
    pipeline_free(llm);
    return !error_is_set(error);
}

LLMPlan *llm_explain(const char *path, const LLMOptions *options, const char *machine,
                     uint32_t tokens, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    if (error_is_set(error)) return NULL;
    LLMPlan *plan = plan_new(error);
    if (!plan) return NULL;
    if (explain(&(Collection){.plan = plan, .error = error}, path, options, machine, tokens, error))
        return plan;
    llm_plan_free(plan);
    return NULL;
}

const char *const *llm_machines(void) {
    return device_facts_names;
}
