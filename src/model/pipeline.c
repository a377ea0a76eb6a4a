#include "pipeline.h"

#include "checkpoint/values.h"
#include "damage.h"
#include "device/thread_pool.h"
#include "sized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- open and free --- */

/* Longer contexts are for those who ask: they cost memory. */
enum { CONTEXT_UNASKED = 8192 };

/* LLM_AUTO or one of two. */
static bool check_choice(const char *what, LLMChoice choice, LLMChoice first, LLMChoice second,
                         const char *names, LLMError *error) {
    if (choice == LLM_AUTO || choice == first || choice == second) return true;
    return error_set(error, LLM_ERROR_ARGUMENT, "%s cannot be %d: use LLM_AUTO, %s", what,
                     (int)choice, names);
}

static bool check_options(const LLMOptions *options, const ModelConfig *config, LLMError *error) {
    if ((options->attention != LLM_PLAIN &&
         !check_choice("attention", options->attention, LLM_FLASH, LLM_NAIVE,
                       "LLM_FLASH, LLM_NAIVE or LLM_PLAIN", error)) ||
        !check_choice("fusion", options->fusion, LLM_ON, LLM_OFF, "LLM_ON or LLM_OFF", error) ||
        !check_choice("integer_products", options->integer_products, LLM_ON, LLM_OFF,
                      "LLM_ON or LLM_OFF", error) ||
        !check_choice("weights", options->weights, LLM_STORED, LLM_F16, "LLM_STORED or LLM_F16",
                      error) ||
        !check_choice("cache", options->cache, LLM_F32, LLM_F16, "LLM_F32 or LLM_F16", error))
        return false;
    if (options->threads > THREADS_MOST)
        return error_set(error, LLM_ERROR_ARGUMENT, "%u threads are more than %d", options->threads,
                         THREADS_MOST);
    if (options->context > config->context)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "a context of %u tokens was asked for, but the model has %u positions",
                         options->context, config->context);
    if (options->batch > 1024)
        return error_set(error, LLM_ERROR_ARGUMENT, "a batch of %u rows is more than 1024",
                         options->batch);
    if (options->sessions > 1024)
        return error_set(error, LLM_ERROR_ARGUMENT, "%zu sessions at a time are more than 1024",
                         options->sessions);
    return true;
}

/* With what the model decides where the caller does not: models with position embeddings, which
 * are small and old, keep the cache that they have been measured with. */
static LLMOptions with_defaults(const LLMOptions *given, const ModelConfig *config) {
    LLMOptions options = *given;
    uint32_t most = config->context;
    if (options.context == 0) options.context = most < CONTEXT_UNASKED ? most : CONTEXT_UNASKED;
    if (options.cache == LLM_AUTO && config->rope.dims > 0) options.cache = LLM_F16;
    return options;
}

const char *pipeline_device_name(LLMChoice choice) {
    static const char *const names[] = {
        [LLM_METAL] = "metal", [LLM_CUDA] = "cuda", [LLM_CPU] = "cpu", [LLM_SIMT] = "simt"};
    if (choice == LLM_AUTO) return NULL;
    return choice >= LLM_METAL && choice <= LLM_SIMT ? names[choice] : "?";
}

Device *pipeline_open_device(const LLMOptions *options, const DryRun *dry, LLMError *error) {
    return device_open(pipeline_device_name(options->device),
                       &(DeviceOptions){.threads = options->threads,
                                        .profile = options->profile,
                                        .matmul = !dry,
                                        .kernels = options->kernels,
                                        .metal_device = options->metal_device,
                                        .dry = dry},
                       error);
}

static ModelFacts model_facts(const LLMPipeline *llm) {
    const ModelConfig *config = &llm->model->config;
    bool rms = llm->weights.output_norm.kind == NORM_RMS;
    bool match = weights_parts_match(&llm->weights);
    return (ModelFacts){.channels = config->channels,
                        .head_size = config->head_size,
                        .rms = rms,
                        .halves = weights_all(&llm->weights, matrix_is_half),
                        .fuses = match && weights_all(&llm->weights, matrix_fuses),
                        .batches = config->head_size % 8 == 0 &&
                                   weights_all(&llm->weights, matrix_batches)};
}

/* Of a pass: kernels count the numbers that they make in 32 bits, most of them in the MLP. */
static uint32_t most_rows(const Sizes *sizes) {
    return UINT32_MAX / sizes->up;
}

/* Texts in one batch. */
static uint32_t rows_of(const LLMOptions *options) {
    uint32_t sessions = (uint32_t)options->sessions;
    uint32_t rows = options->batch > sessions ? options->batch : sessions;
    return rows ? rows : 1;
}

static Sizes sizes_of(const LLMPipeline *llm, const LLMOptions *options) {
    const ModelConfig *config = &llm->model->config;
    Sizes sizes = {.batch = rows_of(options),
                   .capacity = options->context,
                   .layers = config->layers,
                   .channels = config->channels,
                   .heads = config->heads,
                   .kv_heads = config->kv_heads,
                   .head_size = config->head_size,
                   .inner = config->inner,
                   .up = llm->model->architecture->gated ? 2 * config->inner : config->inner,
                   .vocabulary = config->vocabulary,
                   .unpacked = llm->weights.largest_packed};
    uint32_t tokens = choose_pass_tokens(device_facts(llm->device));
    if (tokens > most_rows(&sizes)) tokens = most_rows(&sizes);
    sizes.tokens = sizes.batch < tokens ? tokens / sizes.batch : 1;
    if (sizes.tokens > sizes.capacity) sizes.tokens = sizes.capacity;
    return sizes;
}

static bool check_batch(const Sizes *sizes, LLMError *error) {
    return sizes->batch <= most_rows(sizes) ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "a batch of %u rows is too large for a model of these sizes: at most %u",
                     sizes->batch, most_rows(sizes));
}

static KvShape cache_shape(const LLMPipeline *llm, size_t most) {
    const ModelConfig *config = &llm->model->config;
    const Sizes *sizes = &llm->run.sizes;
    return (KvShape){.rows = sizes->batch,
                     .capacity = sizes->capacity,
                     .layers = sizes->layers,
                     .kv_heads = sizes->kv_heads,
                     .head_size = sizes->head_size,
                     .number = element_size(llm->run.setup.cache),
                     .window = config->window,
                     .windowed = config->windowed,
                     .most = most,
                     .step =
                         sizes->batch * sizes->tokens > ROOM ? sizes->batch * sizes->tokens : ROOM};
}

static void describe(LLMPipeline *llm) {
    const ModelFile *checkpoint = llm->model;
    const ModelConfig *config = &checkpoint->config;
    KvShape shape = cache_shape(llm, 0);
    llm->info = (LLMInfo){
        .size = sizeof(LLMInfo),
        .format = checkpoint->format,
        .name = checkpoint->name,
        .weights = tensor_type_name(model_file_type(checkpoint)),
        .device = device_description(llm->device),
        .layers = config->layers,
        .heads = config->heads,
        .channels = config->channels,
        .inner = config->inner,
        .context = llm->run.sizes.capacity,
        .vocabulary = config->vocabulary,
        .parameters = llm->weights.parameters,
        .weight_bytes = llm->weights.bytes,
        .cache_bytes = kv_cache_full_bytes(&shape),
        .end_of_text = checkpoint->end_of_text,
        .begin_of_text =
            checkpoint->tokenizer ? tokenizer_begin_of_text(checkpoint->tokenizer) : UINT32_MAX,
        .head_size = config->head_size,
        .model_context = config->context,
        .step_bytes = weights_step_bytes(&llm->weights),
        .layer_weights = weights_of_layers(&llm->weights),
    };
}

static bool open_parts(LLMPipeline *llm, const LLMOptions *given, const DryRun *dry,
                       LLMError *error) {
    Run *run = &llm->run;
    llm->profile = given->profile;
    if (!architecture_runs(llm->model->architecture, llm->model->checkpoint, error) ||
        !check_options(given, &llm->model->config, error))
        return false;
    LLMOptions own = with_defaults(given, &llm->model->config), *options = &own;
    llm->device = run->device = pipeline_open_device(options, dry, error);
    if (!llm->device) return false;
    const DeviceFacts *facts = device_facts(llm->device);
    Keeping keeping = choose_keeping(facts, options);
    if (!weights_load(&llm->weights, llm->model, llm->device, keeping, error)) return false;
    llm->halved = keeping != KEEP_STORED && type_can_halve(model_file_type(llm->model));
    ModelFacts model = model_facts(llm);
    run->sizes = sizes_of(llm, options);
    run->span = run->sizes.capacity;
    if (!check_batch(&run->sizes, error) ||
        !choose_setup(&run->setup, facts, &model, options, error))
        return false;
    weights_drop_unread(&llm->weights, run->setup.fused, llm->model->architecture->gated);
    if (!buffers_allocate(&run->buffers, llm->device, &run->setup, &run->sizes, error))
        return false;
    KvShape shape = cache_shape(llm, options->cache_memory);
    if (!kv_cache_open(&run->cache, llm->device, &shape, error)) return false;
    describe(llm);
    return true;
}

bool pipeline_options(LLMOptions *options, const LLMOptions *given, LLMError *error) {
    *options = llm_options();
    return !given || sized_copy(options, sizeof *options, given, "LLMOptions",
                                "LLM_OPTIONS, or llm_options() in Swift", error);
}

static bool copy_template(LLMPipeline *llm, const char *given, LLMError *error) {
    llm->chat_template = given ? strdup(given) : NULL;
    return llm->chat_template || !given || error_memory(error, strlen(given));
}

LLMPipeline *pipeline_open_file(ModelFile *file, const LLMOptions *given, const DryRun *dry,
                                LLMError *error) {
    LLMOptions options;
    LLMPipeline *llm = pipeline_options(&options, given, error) ? calloc(1, sizeof *llm) : NULL;
    if (!llm) {
        error_memory(error, sizeof *llm);
        model_file_close(file);
        return NULL;
    }
    llm->model = file;
    llm->owner = getpid();
    llm->holders = 1;
    if (copy_template(llm, options.chat_template, error) && open_parts(llm, &options, dry, error))
        return llm;
    pipeline_free(llm);
    return NULL;
}

LLMPipeline *pipeline_open(const char *path, const LLMOptions *given, const DryRun *dry,
                           LLMError *error) {
    LLMOptions options;
    if (error_is_set(error) || !pipeline_options(&options, given, error)) return NULL;
    if (!path) {
        error_set(error, LLM_ERROR_ARGUMENT, "no model was named");
        return NULL;
    }
    ModelFile *file = options.no_mmap ? model_file_read(path, error) : model_file_open(path, error);
    return file ? pipeline_open_file(file, &options, dry, error) : NULL;
}

void pipeline_free(LLMPipeline *llm) {
    if (llm->owner == getpid()) { /* a forked child has neither the device nor its threads */
        kv_cache_close(&llm->run.cache);
        buffers_free(&llm->run.buffers, &llm->run.sizes);
        weights_free(&llm->weights);
        device_close(llm->device);
    }
    model_file_close(llm->model);
    free(llm->chat_template);
    free(llm);
}

/* --- for callers --- */

bool pipeline_check_ids(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    if (!tokens || (tokens->count && !tokens->ids))
        return error_set(error, LLM_ERROR_ARGUMENT, "there are no tokens: they are NULL");
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->ids[i] >= llm->info.vocabulary)
            return error_set(error, LLM_ERROR_ARGUMENT, "token %u is not in the vocabulary of %u",
                             tokens->ids[i], llm->info.vocabulary);
    return true;
}

const char *pipeline_nan_reason(LLMPipeline *llm) {
    char where[MAX_NAME + 16];
    const Setup *setup = &llm->run.setup;
    if (damage_find(llm->model, where, sizeof where)) {
        snprintf(llm->nan_reason, sizeof llm->nan_reason,
                 "the model's weights are damaged: one is no finite number (%s)", where);
        return llm->nan_reason;
    }
    if (setup->cache == ELEMENT_F16)
        return "its keys or values are too large for the option cache f16; use f32";
    if (llm->halved) return "its numbers are too large for the option weights f16; use stored";
    if (setup->half_products)
        return "its numbers are too large for the halves in which this device multiplies weights "
               "of f16; convert the model with --type f32";
    return "all weights are numbers, but sums of them are too large for floats; the model is none "
           "that was trained well";
}

/* --- passes --- */

void pipeline_forward(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T, Wanted wanted) {
    begin_pass(&llm->run, ids, B, T);
    llm->model->architecture->forward(&llm->run, &llm->model->config, &llm->weights, wanted);
}

void pipeline_decode(LLMPipeline *llm, uint32_t B) {
    llm->run.first = 0;
    pipeline_forward(llm, llm->run.buffers.ids, B, 1, WANTED_NEXT);
}

void pipeline_logits(LLMPipeline *llm, uint32_t first, uint32_t count) {
    logits(&llm->run, &llm->weights.output, first, count);
}
