#include "measure.h"

#include "engine.h"

/* The text's last token once more, as it is decoded. */
static void run_step(Request *request) {
    Run *run = &request->llm->run;
    const LLMTokens *text = request->text;
    uint32_t length = (uint32_t)text->count - 1, one = 1;
    size_t at = request->first * sizeof length;
    device_write(run->buffers.prompt, 0, &text->ids[length], sizeof *text->ids);
    device_write(run->buffers.lengths, at, &length, sizeof length);
    device_write(run->buffers.counts, at, &one, sizeof one);
    run->first = request->first;
    run->visible = (uint32_t)text->count;
    pipeline_forward(request->llm, run->buffers.prompt, 1, 1, WANTED_NEXT);
    sample_alike(run, &request->sampling);
    advance_rows(run);
}

static void keep_quickest(LLMPlan *best, LLMPlan *plan) {
    for (size_t i = 0; i < best->count; i++)
        best->steps[i].seconds = 0;
    for (size_t i = 0; i < best->calls; i++) {
        if (plan->seconds[i] < best->seconds[i]) best->seconds[i] = plan->seconds[i];
        best->steps[best->order[i]].seconds += best->seconds[i];
    }
}

static bool time_step(Request *request, LLMPlan *plan, LLMError *error) {
    Collection collection = {.plan = plan, .error = error};
    Device *device = request->llm->device;
    device_trace(device, plan_collect, &collection);
    run_step(request);
    device_trace(device, NULL, NULL);
    plan->tokens = 1;
    plan->why = request->llm->run.pass.why;
    return !device_failed(device, error) && !error_is_set(error);
}

static bool time_again(Request *request, LLMError *error) {
    LLMPlan *plan = plan_new(error);
    bool timed = plan && time_step(request, plan, error);
    if (timed) keep_quickest(request->measurement->plan, plan);
    llm_plan_free(plan);
    return timed;
}

bool measure_some(Request *request, LLMError *error) {
    Measurement *measurement = request->measurement;
    if (!prefill_done(&request->prefill)) return prefill_piece(&request->prefill, error);
    uint32_t step = measurement->steps++;
    if (step > 1) return time_again(request, error);
    if (step == 1) return time_step(request, measurement->plan, error);
    run_step(request);
    return !device_failed(request->llm->device, error);
}

bool measure_done(const Request *request) {
    return request->measurement->steps == 1 + MEASURED_STEPS;
}
