#include "gguf_write.h"

#include "checkpoint/gguf_file.h"
#include "output_file.h"
#include "tokenizer/from_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 32, CHUNK_BYTES = 1 << 20, QUANTISATION_VERSION = 2 };

/* A growing array of bytes; once memory is out, it stays `failed`. */
typedef struct Bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed;
} Bytes;

typedef struct Writer {
    const ModelFile *model;
    const GGUFOptions *options;
    OutputFile *file;
    Bytes keys, tensors; /* two sections of the header */
    uint64_t key_count, tensor_count;
    uint64_t data_bytes; /* of the tensors so far */
    LLMError *error;
} Writer;

/* --- bytes --- */

static void append(Bytes *bytes, const void *data, size_t size) {
    if (bytes->failed) return;
    if (size > bytes->capacity - bytes->size) {
        size_t capacity = 2 * (bytes->size + size);
        unsigned char *grown = realloc(bytes->data, capacity);
        bytes->failed = !grown;
        if (!grown) return;
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void append_u32(Bytes *bytes, uint32_t value) {
    append(bytes, &value, sizeof value);
}

static void append_u64(Bytes *bytes, uint64_t value) {
    append(bytes, &value, sizeof value);
}

static void append_text(Bytes *bytes, const char *text) {
    append_u64(bytes, strlen(text));
    append(bytes, text, strlen(text));
}

static uint64_t aligned(uint64_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* --- metadata --- */

static void put_key(Writer *writer, const char *key, GGUFType type) {
    append_text(&writer->keys, key);
    append_u32(&writer->keys, type);
    writer->key_count++;
}

static void put_u32(Writer *writer, const char *key, uint32_t value) {
    put_key(writer, key, GGUF_U32);
    append_u32(&writer->keys, value);
}

static void put_f32(Writer *writer, const char *key, float value) {
    put_key(writer, key, GGUF_F32);
    append(&writer->keys, &value, sizeof value);
}

static void put_bool(Writer *writer, const char *key, bool value) {
    put_key(writer, key, GGUF_BOOL);
    append(&writer->keys, &(uint8_t){value}, 1);
}

static void put_text(Writer *writer, const char *key, const char *text) {
    put_key(writer, key, GGUF_STRING);
    append_text(&writer->keys, text);
}

/* The `count` values are to be appended after it. */
static void put_array(Writer *writer, const char *key, GGUFType type, uint64_t count) {
    put_key(writer, key, GGUF_ARRAY);
    append_u32(&writer->keys, type);
    append_u64(&writer->keys, count);
}

/* What llama.cpp calls a file most of whose bytes are of this type. */
static uint32_t file_type(const Mixture *types) {
    enum { Q4_K_M = 15 };
    return types->finer ? Q4_K_M : tensor_type_file(types->matrices);
}

/* GGUF has no key for some settings: it means what they usually are. */
static bool check_keyless(const SettingRow *row, const void *value, const char *path,
                          LLMError *error) {
    bool usual = row->kind != KIND_SWITCH || *(const bool *)value == (row->fallback != 0);
    return usual || error_set(error, LLM_ERROR_FORMAT,
                              "%s: cannot be written: GGUF has no key for the %s of this model (%s "
                              "in its config.json); use it as it is",
                              path, row->what, row->huggingface[0]);
}

static bool check_settings(const ModelFile *model, const char *path, LLMError *error) {
    const Architecture *architecture = model->architecture;
    const char *keyless = architecture->keyless ? architecture->keyless(&model->config) : NULL;
    if (keyless)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: cannot be written: GGUF has no key for the %s of this model; use it "
                         "as it is",
                         path, keyless);
    for (const SettingRow *row = architecture->settings; row->what; row++)
        if (!row->gguf &&
            !check_keyless(row, (const char *)&model->config + row->into, path, error))
            return false;
    return true;
}

/* Every how many layers one is global, the others windowed; 0 where that is no rule. */
static uint32_t window_period(const ModelConfig *config) {
    uint32_t period = 1;
    while (period <= config->layers && config->windowed[period - 1])
        period++;
    for (uint32_t l = 0; l < config->layers; l++)
        if (config->windowed[l] != (l % period < period - 1)) return 0;
    return period;
}

/* llama.cpp reads the period alone. */
static void put_windowed(Writer *writer, const char *key) {
    const ModelConfig *config = &writer->model->config;
    uint32_t period = window_period(config);
    if (config->window == 0) return;
    if (period > 0) {
        put_u32(writer, key, period);
        return;
    }
    put_array(writer, key, GGUF_BOOL, config->layers);
    append(&writer->keys, config->windowed, config->layers);
}

/* What is not given and means nothing, as scaling that there is not, has no key. */
static void put_setting(Writer *writer, const SettingRow *row) {
    const void *value = (const char *)&writer->model->config + row->into;
    const SettingName *name = row->names;
    char key[128];
    snprintf(key, sizeof key, "%s.%s", writer->model->architecture->name, row->gguf);
    switch (row->kind) {
    case KIND_SIZE:
    case KIND_COUNT:
        if (*(const uint32_t *)value > 0) put_u32(writer, key, *(const uint32_t *)value);
        break;
    case KIND_NUMBER:
        if (*(const float *)value > 0) put_f32(writer, key, *(const float *)value);
        break;
    case KIND_SWITCH:
        put_bool(writer, key, *(const bool *)value);
        break;
    case KIND_NAME:
        while (name->name && name->value != *(const uint32_t *)value)
            name++;
        if (name->name) put_text(writer, key, name->name);
        break;
    case KIND_LAYERS:
        put_windowed(writer, key);
    }
}

static void put_config(Writer *writer) {
    const Architecture *architecture = writer->model->architecture;
    put_text(writer, "general.architecture", architecture->name);
    put_text(writer, "general.type", "model");
    put_text(writer, "general.name", writer->model->name);
    for (const SettingRow *row = architecture->settings; row->what; row++)
        if (row->gguf && *row->gguf) put_setting(writer, row);
    put_u32(writer, "general.file_type", file_type(&writer->options->types));
    put_u32(writer, "general.quantization_version", QUANTISATION_VERSION);
}

/* Every id needs a text of its own, those without a token too. */
static void append_token(Writer *writer, const GGUFTokenizer *tokenizer, uint32_t id) {
    const char *text = id < tokenizer->token_count ? tokenizer->tokens[id] : NULL;
    char unused[32];
    snprintf(unused, sizeof unused, "[PAD%u]", id);
    append_text(&writer->keys, text ? text : unused);
}

static void put_tokens(Writer *writer, const GGUFTokenizer *tokenizer, uint32_t count) {
    put_array(writer, "tokenizer.ggml.tokens", GGUF_STRING, count);
    for (uint32_t id = 0; id < count; id++)
        append_token(writer, tokenizer, id);
    put_array(writer, "tokenizer.ggml.token_type", GGUF_I32, count);
    for (uint32_t id = 0; id < count; id++)
        append_u32(&writer->keys,
                   id < tokenizer->token_count ? tokenizer->types[id] : GGUF_TOKEN_UNUSED);
}

static void put_scores(Writer *writer, const GGUFTokenizer *tokenizer, uint32_t count) {
    put_array(writer, "tokenizer.ggml.scores", GGUF_F32, count);
    for (uint32_t id = 0; id < count; id++) {
        float score = id < tokenizer->token_count ? tokenizer->scores[id] : 0;
        append(&writer->keys, &score, sizeof score);
    }
    put_bool(writer, "tokenizer.ggml.add_space_prefix", tokenizer->adds_space);
}

static void put_merges(Writer *writer, const GGUFTokenizer *tokenizer) {
    put_array(writer, "tokenizer.ggml.merges", GGUF_STRING, tokenizer->merge_count);
    for (uint32_t i = 0; i < tokenizer->merge_count; i++)
        append_text(&writer->keys, tokenizer->merges[i]);
}

/* What GGUF has no key for goes under keys of our own. */
static void put_own(Writer *writer, const GGUFTokenizer *tokenizer, uint32_t count) {
    uint32_t added = 0;
    while (added < tokenizer->added_count && tokenizer->added[added] < count)
        added += 2;
    if (added > 0) put_array(writer, GGUF_ADDED_TOKENS, GGUF_U32, added);
    for (uint32_t i = 0; i < added; i++)
        append_u32(&writer->keys, tokenizer->added[i]);
    if (tokenizer->prefix) put_text(writer, GGUF_PREFIX_SPACE, tokenizer->prefix);
}

/* A text begins with its end-of-text token, as GPT-2's do, unless the model names another.
 * llama.cpp has keys for three tokens that end one. */
static void put_ends(Writer *writer) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    enum { KEYS = sizeof keys / sizeof *keys };
    const Tokenizer *tokenizer = writer->model->tokenizer;
    const LLMTokens *ends = &writer->model->ends;
    uint32_t begin = tokenizer ? tokenizer_begin_of_text(tokenizer) : UINT32_MAX;
    if (begin != UINT32_MAX || ends->count > 0)
        put_u32(writer, "tokenizer.ggml.bos_token_id", begin != UINT32_MAX ? begin : ends->ids[0]);
    for (size_t i = 0; i < KEYS && i < ends->count; i++)
        put_u32(writer, keys[i], ends->ids[i]);
    if (ends->count <= KEYS) return;
    put_array(writer, GGUF_END_TOKENS, GGUF_U32, ends->count);
    for (size_t i = 0; i < ends->count; i++)
        append_u32(&writer->keys, ends->ids[i]);
}

static void put_tokenizer(Writer *writer, const GGUFTokenizer *tokenizer) {
    uint32_t count = writer->model->config.vocabulary;
    put_text(writer, "tokenizer.ggml.model", tokenizer->model);
    if (tokenizer->pre) put_text(writer, "tokenizer.ggml.pre", tokenizer->pre);
    put_tokens(writer, tokenizer, count);
    if (tokenizer->scores)
        put_scores(writer, tokenizer, count);
    else
        put_merges(writer, tokenizer);
    put_bool(writer, "tokenizer.ggml.add_bos_token", tokenizer->adds_begin);
    put_bool(writer, "tokenizer.ggml.add_eos_token", tokenizer->adds_end);
    if (tokenizer->unknown < count)
        put_u32(writer, "tokenizer.ggml.unknown_token_id", tokenizer->unknown);
    put_own(writer, tokenizer, count);
    put_ends(writer);
    const char *chat = writer->model->checkpoint->chat_template;
    if (chat) put_text(writer, GGUF_CHAT_TEMPLATE, chat);
}

/* --- tensors --- */

typedef bool (*Visit)(Writer *writer, const ModelTensor *tensor, const char *name, TensorType type);

static bool visit_tensors(Writer *writer, Visit visit) {
    const ModelFile *model = writer->model;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const ModelTensor *tensor = &model->tensors[i];
        char name[MAX_NAME];
        tensor_name(name, tensor->row->gguf, tensor->layer);
        if (!visit(writer, tensor, name, mixture_type(&writer->options->types, model, tensor)))
            return false;
    }
    return true;
}

static bool declare(Writer *writer, const ModelTensor *tensor, const char *name, TensorType type) {
    const Tensor *source = &tensor->tensor;
    bool vector = shape_is_vector(tensor->row->shape);
    append_text(&writer->tensors, name);
    append_u32(&writer->tensors, vector ? 1 : 2);
    append_u64(&writer->tensors, source->columns);
    if (!vector) append_u64(&writer->tensors, source->rows);
    append_u32(&writer->tensors, tensor_type_gguf(type));
    append_u64(&writer->tensors, writer->data_bytes);
    writer->data_bytes += aligned(source->rows * tensor_row_bytes(type, source->columns));
    writer->tensor_count++;
    return true;
}

/* --- the file --- */

static bool write_bytes(Writer *writer, const void *data, size_t size) {
    return output_file_write(writer->file, data, size, writer->error);
}

static bool write_padding(Writer *writer, uint64_t written) {
    static const unsigned char zeros[ALIGNMENT];
    return write_bytes(writer, zeros, (size_t)(aligned(written) - written));
}

static bool write_header(Writer *writer) {
    Bytes start = {0};
    append(&start, "GGUF", 4);
    append_u32(&start, 3);
    append_u64(&start, writer->tensor_count);
    append_u64(&start, writer->key_count);
    size_t size = start.size + writer->keys.size + writer->tensors.size;
    bool failed = start.failed || writer->keys.failed || writer->tensors.failed;
    if (failed) error_memory(writer->error, size);
    bool written = !failed && write_bytes(writer, start.data, start.size) &&
                   write_bytes(writer, writer->keys.data, writer->keys.size) &&
                   write_bytes(writer, writer->tensors.data, writer->tensors.size) &&
                   write_padding(writer, size);
    free(start.data);
    return written;
}

/* What differs in a GGUF file from what Hugging Face has. */
typedef struct Difference {
    uint32_t pairs; /* rows of a head in two halves that are to be neighbours; 0: they stay */
    bool less_one;  /* floats are stored less 1 */
} Difference;

static Difference difference_of(const ModelFile *model, const TensorRow *row) {
    const RopeConfig *rope = &model->config.rope;
    bool turned = row->flags & TENSOR_TURNED && rope->order != model->architecture->gguf_order;
    bool less_one = row->flags & TENSOR_LESS_ONE && model->checkpoint->naming == HUGGINGFACE_NAMES;
    return (Difference){turned ? rope->dims / 2 : 0, less_one};
}

/* Of each head's `2 * pairs` rows in `from`, the halves to neighbours in `to`. */
static void interleave(const unsigned char *from, unsigned char *to, size_t rows, size_t row_bytes,
                       size_t pairs) {
    for (size_t row = 0; row < rows; row++) {
        size_t head = row / (2 * pairs), i = row % (2 * pairs);
        size_t source = head * 2 * pairs + i / 2 + (i % 2) * pairs;
        memcpy(to + row * row_bytes, from + source * row_bytes, row_bytes);
    }
}

static void add_one(float *floats, size_t count) {
    for (size_t i = 0; i < count; i++)
        floats[i] += 1;
}

/* `rows` rows of a matrix, or the one of a vector, whose elements are then the rows of a head. */
static const void *as_gguf(const Tensor *source, Difference difference, bool vector, void *chunk,
                           void *spare, size_t rows, size_t row_bytes) {
    if (difference.less_one) add_one(chunk, rows * source->columns);
    if (difference.pairs == 0) return chunk;
    if (vector)
        interleave(chunk, spare, source->columns, sizeof(float), difference.pairs);
    else
        interleave(chunk, spare, rows, row_bytes, difference.pairs);
    return spare;
}

static bool write_rows(Writer *writer, const char *name, const ModelTensor *tensor, TensorType type,
                       void *chunk, uint32_t chunk_rows, size_t row_bytes) {
    const GGUFOptions *options = writer->options;
    const Tensor *source = &tensor->tensor;
    Difference difference = difference_of(writer->model, tensor->row);
    void *spare = (char *)chunk + chunk_rows * row_bytes;
    bool vector = shape_is_vector(tensor->row->shape);
    for (uint32_t row = 0; row < source->rows; row += chunk_rows) {
        uint32_t left = source->rows - row, rows = left < chunk_rows ? left : chunk_rows;
        if (!options->fill(options->user, name, source, type, row, rows, chunk, writer->error))
            return false;
        const void *data = as_gguf(source, difference, vector, chunk, spare, rows, row_bytes);
        if (!write_bytes(writer, data, rows * row_bytes)) return false;
    }
    return write_padding(writer, source->rows * row_bytes);
}

/* Chunks are of whole heads. */
static bool write_tensor(Writer *writer, const ModelTensor *tensor, const char *name,
                         TensorType type) {
    size_t row_bytes = tensor_row_bytes(type, tensor->tensor.columns);
    uint32_t rows = (uint32_t)(CHUNK_BYTES / row_bytes) + 1;
    uint32_t head = writer->model->config.head_size;
    rows = (rows + head - 1) / head * head;
    void *chunk = malloc(2 * rows * row_bytes);
    if (!chunk) return error_memory(writer->error, 2 * rows * row_bytes);
    bool written = write_rows(writer, name, tensor, type, chunk, rows, row_bytes);
    free(chunk);
    return written;
}

static bool write_file(Writer *writer) {
    put_config(writer);
    if (writer->options->tokenizer)
        put_tokenizer(writer, writer->options->tokenizer);
    else
        put_text(writer, "tokenizer.ggml.model", "no_vocab");
    return visit_tensors(writer, declare) && write_header(writer) &&
           visit_tensors(writer, write_tensor);
}

bool gguf_write(const char *path, const ModelFile *model, const GGUFOptions *options,
                LLMError *error) {
    LLMError reason = {0}; /* what ends the writing, even if the caller takes no error */
    if (error_is_set(error) || !check_settings(model, path, error)) return false;
    Writer writer = {.model = model, .options = options, .error = &reason};
    writer.file = output_file_open(path, &reason);
    if (writer.file) write_file(&writer);
    bool written = output_file_close(writer.file, &reason);
    if (!written) error_set(error, reason.status, "%s", reason.message);
    free(writer.keys.data);
    free(writer.tensors.data);
    return written;
}
