/* metal_llm.c — the public interface: open and close a model, text to tokens and back. */
#include "checkpoint/values.h"
#include "device/thread_pool.h"
#include "model/llm_pipeline.h"
#include "sized.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- open --- */

/* LLM_AUTO or one of two. */
static bool check_choice(const char *what, LLMChoice choice, LLMChoice first, LLMChoice second,
                         const char *names, LLMError *error) {
    if (choice == LLM_AUTO || choice == first || choice == second) return true;
    return error_set(error, LLM_ERROR_ARGUMENT, "%s cannot be %d: use LLM_AUTO, %s", what,
                     (int)choice, names);
}

static bool check_options(const LLMOptions *options, const ModelConfig *config, LLMError *error) {
    if (!check_choice("attention", options->attention, LLM_FLASH, LLM_NAIVE,
                      "LLM_FLASH or LLM_NAIVE", error) ||
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
    return true;
}

/* Asked for in vain it is an error; else it is used where it pays and suits. */
static bool choose_fusion(LLMPipeline *llm, LLMChoice fusion, LLMError *error) {
    bool suits = llm->flash && pipeline_can_fuse(llm);
    if (fusion == LLM_ON && !suits)
        return error_set(
            error, LLM_ERROR_ARGUMENT,
            "the fused kernels are for flash attention, f32 or f16 weights, heads of 64 "
            "channels and a batch of at most 8, of f16 weights 256; leave out the fusion option");
    bool wanted = fusion ? fusion == LLM_ON : llm->is_gpu;
    llm->fused = wanted && suits;
    llm->batched = llm->fused && pipeline_can_batch(llm);
    return true;
}

static DeviceBuffer *floats(LLMPipeline *llm, size_t a, size_t b) {
    return device_buffer_new(llm->device, a * b * sizeof(float));
}

static DeviceBuffer *zeros(LLMPipeline *llm, size_t count, LLMError *error) {
    float *values = calloc(count, sizeof *values);
    if (!values) return error_memory(error, count * sizeof *values);
    DeviceBuffer *buffer = floats(llm, count, 1);
    device_write(buffer, 0, values, count * sizeof *values);
    free(values);
    return buffer;
}

static bool allocate_cache(LLMPipeline *llm, LLMError *error) {
    const ModelConfig *config = &llm->checkpoint->config;
    llm->keys = calloc(config->layers, sizeof *llm->keys);
    llm->values = calloc(config->layers, sizeof *llm->values);
    if (!llm->keys || !llm->values) return error_memory(error, config->layers * sizeof *llm->keys);
    for (uint32_t l = 0; l < config->layers; l++) {
        size_t count = (size_t)llm->B * llm->capacity * config->channels;
        llm->keys[l] = device_buffer_new(llm->device, count * cache_type_size(llm->cache));
        llm->values[l] = device_buffer_new(llm->device, count * cache_type_size(llm->cache));
    }
    return true;
}

static bool allocate(LLMPipeline *llm, LLMError *error) {
    const ModelConfig *config = &llm->checkpoint->config;
    size_t B = llm->B, BT = B * llm->T_max, C = config->channels, V = config->vocabulary;
    size_t logits = B > LOGITS_PER_PASS ? B : LOGITS_PER_PASS;
    size_t tiles = (BT + 7) / 8 * 8; /* what the matrix units read, in tiles of eight rows */
    size_t most = config->inner > 3 * C ? config->inner : 3 * C; /* rows of a matrix */
    if (most < V) most = V;
    llm->prompt = floats(llm, BT, 1);
    llm->ids = floats(llm, B, 1);
    llm->lengths = floats(llm, B, 1);
    llm->counts = floats(llm, B, 1);
    llm->history = floats(llm, B, llm->capacity + (size_t)1);
    llm->x = floats(llm, BT, C);
    llm->res = floats(llm, BT, C);
    llm->norm = floats(llm, tiles, C);
    llm->qkv = floats(llm, BT, 3 * C);
    llm->q = floats(llm, BT, C);
    llm->mixed = floats(llm, BT, C);
    llm->block_out = floats(llm, BT, C);
    llm->up = floats(llm, BT, config->inner);
    llm->gelu = floats(llm, tiles, config->inner);
    llm->last_attended = floats(llm, B, C);
    llm->last_x = floats(llm, B, C);
    llm->logits = floats(llm, logits, V);
    llm->p = floats(llm, B, V);
    llm->targets = floats(llm, LOGITS_PER_PASS, 1);
    llm->nats = floats(llm, LOGITS_PER_PASS, 1);
    llm->zeros = zeros(llm, most, error);
    if (!llm->flash) {
        llm->att = floats(llm, BT * config->heads, llm->capacity);
        llm->merged = floats(llm, BT, C);
    }
    if (llm->half_products) llm->half_attended = device_buffer_new(llm->device, tiles * C * 2);
    if (llm->integers) {
        size_t rows = BT > LOGITS_PER_PASS ? BT : LOGITS_PER_PASS;
        size_t inputs = rows * (config->inner > C ? config->inner : C);
        llm->rounded = device_buffer_new(llm->device, inputs);
        llm->rounded_offsets = device_buffer_new(llm->device, inputs / 4 * sizeof(int32_t));
        llm->rounded_scales = floats(llm, inputs / QUANTISE_BLOCK + 1, 1);
        llm->rounded_block_offsets = floats(llm, inputs / QUANTISE_BLOCK + 1, 1);
    }
    if (llm->weights.largest_packed && !llm->half_products)
        llm->dequantised = floats(llm, llm->weights.largest_packed, 1);
    return !device_failed(llm->device, error) && llm->zeros && allocate_cache(llm, error) &&
           !device_failed(llm->device, error);
}

static void describe(LLMPipeline *llm) {
    const ModelFile *checkpoint = llm->checkpoint;
    const ModelConfig *config = &checkpoint->config;
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
        .context = llm->capacity,
        .vocabulary = config->vocabulary,
        .parameters = llm->weights.parameters,
        .weight_bytes = llm->weights.bytes,
        .cache_bytes = 2ull * cache_type_size(llm->cache) * config->layers * llm->B *
                       llm->capacity * config->channels,
        .end_of_text = checkpoint->end_of_text,
        .begin_of_text =
            checkpoint->tokenizer ? tokenizer_begin_of_text(checkpoint->tokenizer) : UINT32_MAX,
    };
}

static bool is_half(const Matrix *matrix) {
    return matrix->type == TENSOR_F16;
}

/* NULL for LLM_AUTO; a name that no device has for what is no choice of a device. */
static const char *device_name(LLMChoice choice) {
    static const char *const names[] = {
        [LLM_METAL] = "metal", [LLM_CUDA] = "cuda", [LLM_CPU] = "cpu", [LLM_SIMT] = "simt"};
    if (choice == LLM_AUTO) return NULL;
    return choice >= LLM_METAL && choice <= LLM_SIMT ? names[choice] : "?";
}

static bool open_parts(LLMPipeline *llm, const char *path, const LLMOptions *options,
                       const DryRun *dry, LLMError *error) {
    llm->checkpoint = model_file_open(path, error);
    if (!llm->checkpoint) return false;
    const ModelConfig *config = &llm->checkpoint->config;
    if (!check_options(options, config, error)) return false;
    DeviceOptions device = {.threads = options->threads,
                            .profile = options->profile,
                            .matmul = true,
                            .kernels = options->kernels,
                            .metal_device = options->metal_device,
                            .dry = dry};
    llm->device = device_open(device_name(options->device), &device, error);
    if (!llm->device) return false;
    llm->flash = options->attention != LLM_NAIVE;
    llm->profile = options->profile;
    llm->is_gpu = device_facts(llm->device)->simd_width > 1;
    if (options->cache == LLM_F16) llm->cache = CACHE_F16;
    llm->B = options->batch ? options->batch : 1;
    llm->capacity = options->context ? options->context : config->context;
    uint32_t tokens = llm->is_gpu ? TOKENS_PER_PASS_GPU : TOKENS_PER_PASS;
    llm->T_max = llm->B < tokens ? tokens / llm->B : 1;
    if (llm->T_max > llm->capacity) llm->T_max = llm->capacity;
    bool halves =
        options->weights ? options->weights == LLM_F16 : device_facts(llm->device)->prefers_halves;
    if (!weights_load(&llm->weights, llm->checkpoint, llm->device, halves, error)) return false;
    llm->halved = halves && !type_is_float(model_file_type(llm->checkpoint));
    llm->half_products = llm->is_gpu && weights_all(&llm->weights, is_half);
    llm->integers = options->integer_products ? options->integer_products == LLM_ON : !llm->is_gpu;
    if (!choose_fusion(llm, options->fusion, error) || !allocate(llm, error)) return false;
    describe(llm);
    return true;
}

/* The caller's options, or the defaults for NULL. */
static bool read_options(LLMOptions *options, const LLMOptions *given, LLMError *error) {
    *options = llm_options();
    return !given || sized_copy(options, sizeof *options, given, "LLMOptions",
                                "LLM_OPTIONS, or llm_options() in Swift", error);
}

LLMPipeline *pipeline_open(const char *path, const LLMOptions *given, const DryRun *dry,
                           LLMError *error) {
    LLMOptions options;
    if (error_is_set(error) || !read_options(&options, given, error)) return NULL;
    if (!path) {
        error_set(error, LLM_ERROR_ARGUMENT, "no model was named");
        return NULL;
    }
    LLMPipeline *llm = calloc(1, sizeof *llm);
    if (!llm) return error_memory(error, sizeof *llm);
    llm->owner = getpid();
    if (open_parts(llm, path, &options, dry, error)) return llm;
    llm_pipeline_close(llm);
    return NULL;
}

LLMPipeline *llm_pipeline_open(const char *path, const LLMOptions *options, LLMError *error) {
    return pipeline_open(path, options, NULL, error);
}

static void free_buffers(LLMPipeline *llm) {
    DeviceBuffer *buffers[] = {llm->prompt,
                               llm->ids,
                               llm->lengths,
                               llm->counts,
                               llm->history,
                               llm->x,
                               llm->res,
                               llm->norm,
                               llm->qkv,
                               llm->q,
                               llm->att,
                               llm->mixed,
                               llm->merged,
                               llm->half_attended,
                               llm->up,
                               llm->block_out,
                               llm->gelu,
                               llm->last_attended,
                               llm->last_x,
                               llm->logits,
                               llm->p,
                               llm->zeros,
                               llm->targets,
                               llm->nats,
                               llm->dequantised,
                               llm->rounded,
                               llm->rounded_offsets,
                               llm->rounded_scales,
                               llm->rounded_block_offsets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        device_buffer_free(buffers[i]);
    for (uint32_t l = 0; l < llm->weights.layers; l++) {
        if (llm->keys) device_buffer_free(llm->keys[l]);
        if (llm->values) device_buffer_free(llm->values[l]);
    }
    free(llm->keys);
    free(llm->values);
}

void llm_pipeline_close(LLMPipeline *llm) {
    if (!llm) return;
    llm->closing = true;
    if (llm->busy) return;        /* pipeline_leave does it */
    if (llm->owner == getpid()) { /* a forked child has neither the device nor its threads */
        free_buffers(llm);
        weights_free(&llm->weights);
        device_close(llm->device);
    }
    model_file_close(llm->checkpoint);
    free(llm);
}

/* --- one call at a time --- */

bool pipeline_enter(LLMPipeline *llm, LLMError *error) {
    if (error_is_set(error)) return false;
    if (!llm) return error_set(error, LLM_ERROR_ARGUMENT, "no model is open");
    if (llm->owner != getpid())
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the model was opened by the process %ld: a forked child opens its own",
                         (long)llm->owner);
    if (atomic_exchange(&llm->busy, true))
        return error_set(error, LLM_ERROR_BUSY,
                         "the model is at work: a callback, or another thread, calls again when "
                         "that has ended");
    return true;
}

void pipeline_leave(LLMPipeline *llm) {
    llm->busy = false;
    if (llm->closing) llm_pipeline_close(llm);
}

const LLMInfo *llm_info(const LLMPipeline *llm) {
    return llm ? &llm->info : NULL;
}

const char *llm_version(void) {
    return LLM_VERSION;
}

size_t llm_timings(LLMPipeline *llm, const LLMTiming **timings) {
    const LLMTiming *none;
    if (!timings) timings = &none;
    *timings = NULL;
    return llm ? device_timings(llm->device, timings) : 0;
}

void llm_timings_reset(LLMPipeline *llm) {
    if (llm) device_timings_reset(llm->device);
}

void llm_free(void *pointer) {
    free(pointer);
}

/* --- text --- */

static const Tokenizer *tokenizer_of(const LLMPipeline *llm, LLMError *error) {
    if (!llm) {
        error_set(error, LLM_ERROR_ARGUMENT, "no model is open");
        return NULL;
    }
    const LLMError *problem = llm->checkpoint->tokenizer_problem;
    if (problem->status)
        error_set(error, problem->status, "%s", problem->message);
    else if (!llm->checkpoint->tokenizer)
        error_set(error, LLM_ERROR_FORMAT,
                  "the model brings no tokenizer; work with token ids, or put its tokenizer files "
                  "beside it");
    return llm->checkpoint->tokenizer;
}

static bool check_encoding(const void *bytes, size_t size, uint32_t flags, LLMError *error) {
    if (!bytes && size)
        return error_set(error, LLM_ERROR_ARGUMENT, "there is no text to encode: it is NULL");
    if (flags & ~(uint32_t)(LLM_NO_BEGIN | LLM_PLAIN_TEXT))
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the flags of encoding are LLM_NO_BEGIN and LLM_PLAIN_TEXT, not %#x",
                         flags);
    return true;
}

LLMTokens llm_encode_bytes(LLMPipeline *llm, const void *bytes, size_t size, uint32_t flags,
                           LLMError *error) {
    LLMTokens tokens = {0};
    if (error_is_set(error) || !check_encoding(bytes, size, flags, error)) return tokens;
    const Tokenizer *tokenizer = tokenizer_of(llm, error);
    if (tokenizer && !tokenizer_encode(tokenizer, bytes ? bytes : "", size, flags, &tokens, error))
        llm_tokens_free(&tokens);
    return tokens;
}

LLMTokens llm_encode(LLMPipeline *llm, const char *text, uint32_t flags, LLMError *error) {
    return llm_encode_bytes(llm, text, text ? strlen(text) : SIZE_MAX, flags, error);
}

const char *llm_token_bytes(const LLMPipeline *llm, uint32_t token, size_t *size) {
    size_t ignored;
    if (!size) size = &ignored;
    *size = 0;
    if (!llm || !llm->checkpoint->tokenizer || token >= llm->info.vocabulary) return NULL;
    const char *bytes = tokenizer_bytes(llm->checkpoint->tokenizer, token, size);
    return bytes ? bytes : "";
}

bool llm_is_end(const LLMPipeline *llm, uint32_t token) {
    for (size_t i = 0; llm && i < llm->checkpoint->ends.count; i++)
        if (llm->checkpoint->ends.ids[i] == token) return true;
    return false;
}

/* The bytes of all tokens to `out`, or only their number if `out` is NULL. */
static size_t join(const LLMPipeline *llm, const LLMTokens *tokens, char *out) {
    size_t total = 0;
    bool begins = tokens->count && tokens->ids[0] == llm->info.begin_of_text;
    for (size_t i = begins; i < tokens->count; i++) {
        size_t size;
        const char *bytes = llm_token_bytes(llm, tokens->ids[i], &size);
        if (out) memcpy(out + total, bytes, size);
        total += size;
    }
    return total;
}

char *llm_decode(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    if (error_is_set(error) || !tokenizer_of(llm, error) || !pipeline_check_ids(llm, tokens, error))
        return NULL;
    size_t size = join(llm, tokens, NULL);
    char *text = malloc(size + 1);
    if (!text) return error_memory(error, size + 1);
    join(llm, tokens, text);
    text[size] = 0;
    return text;
}
