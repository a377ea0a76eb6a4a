#include "gguf_write.h"

#include "gguf_file.h"
#include "output_file.h"

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
    const Checkpoint *checkpoint;
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

static void put_true(Writer *writer, const char *key) {
    put_key(writer, key, GGUF_BOOL);
    append(&writer->keys, &(bool){true}, 1);
}

static void put_f32(Writer *writer, const char *key, float value) {
    put_key(writer, key, GGUF_F32);
    append(&writer->keys, &value, sizeof value);
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
static uint32_t file_type(TensorType type) {
    static const uint32_t numbers[] = {
        [TENSOR_F32] = 0,  [TENSOR_F16] = 1,  [TENSOR_BF16] = 32,
        [TENSOR_Q4_0] = 2, [TENSOR_Q4_1] = 3, [TENSOR_Q5_0] = 8,
        [TENSOR_Q5_1] = 9, [TENSOR_Q8_0] = 7, [TENSOR_Q6_K] = 18,
    };
    return numbers[type];
}

static void put_config(Writer *writer) {
    const ModelConfig *config = &writer->checkpoint->config;
    put_text(writer, "general.architecture", "gpt2");
    put_text(writer, "general.type", "model");
    put_text(writer, "general.name", writer->checkpoint->name);
    put_u32(writer, "gpt2.block_count", config->layers);
    put_u32(writer, "gpt2.context_length", config->context);
    put_u32(writer, "gpt2.embedding_length", config->channels);
    put_u32(writer, "gpt2.feed_forward_length", config->inner);
    put_u32(writer, "gpt2.attention.head_count", config->heads);
    put_f32(writer, "gpt2.attention.layer_norm_epsilon", config->epsilon);
    put_u32(writer, "gpt2.vocab_size", config->vocabulary);
    put_u32(writer, "general.file_type", file_type(writer->options->matrices));
    put_u32(writer, "general.quantization_version", QUANTISATION_VERSION);
}

static const char *token_text(const GGUFVocabulary *vocabulary, uint32_t id) {
    return id < vocabulary->token_count ? vocabulary->tokens[id] : NULL;
}

/* Every id needs a text of its own, those without a token too. */
static void append_token(Writer *writer, const GGUFVocabulary *vocabulary, uint32_t id) {
    const char *text = token_text(vocabulary, id);
    char unused[32];
    snprintf(unused, sizeof unused, "[PAD%u]", id);
    append_text(&writer->keys, text ? text : unused);
}

static uint32_t token_type(const GGUFVocabulary *vocabulary, uint32_t id) {
    if (!token_text(vocabulary, id)) return GGUF_TOKEN_UNUSED;
    return vocabulary->special[id] ? GGUF_TOKEN_CONTROL : GGUF_TOKEN_NORMAL;
}

/* A text begins with its end-of-text token, as GPT-2's do, unless the model names another. */
static void put_ends(Writer *writer) {
    const Tokenizer *tokenizer = writer->checkpoint->tokenizer;
    uint32_t begin = tokenizer ? tokenizer_begin_of_text(tokenizer) : UINT32_MAX;
    uint32_t end = writer->checkpoint->end_of_text;
    if (end != UINT32_MAX) put_u32(writer, "tokenizer.ggml.eos_token_id", end);
    if (begin != UINT32_MAX || end != UINT32_MAX)
        put_u32(writer, "tokenizer.ggml.bos_token_id", begin != UINT32_MAX ? begin : end);
    if (begin != UINT32_MAX) put_true(writer, "tokenizer.ggml.add_bos_token");
}

static void put_tokenizer(Writer *writer, const GGUFVocabulary *vocabulary) {
    uint32_t count = writer->checkpoint->config.vocabulary;
    put_text(writer, "tokenizer.ggml.model", "gpt2");
    put_text(writer, "tokenizer.ggml.pre", "gpt-2");
    put_array(writer, "tokenizer.ggml.tokens", GGUF_STRING, count);
    for (uint32_t id = 0; id < count; id++)
        append_token(writer, vocabulary, id);
    put_array(writer, "tokenizer.ggml.token_type", GGUF_I32, count);
    for (uint32_t id = 0; id < count; id++)
        append_u32(&writer->keys, token_type(vocabulary, id));
    put_array(writer, "tokenizer.ggml.merges", GGUF_STRING, vocabulary->merge_count);
    for (uint32_t i = 0; i < vocabulary->merge_count; i++)
        append_text(&writer->keys, vocabulary->merges[i]);
    put_ends(writer);
}

/* --- tensors --- */

static TensorType stored_type(const Writer *writer, const TensorSlot *slot, uint32_t columns) {
    if (slot->rows == ONE || slot->rows == CONTEXT) return TENSOR_F32;
    TensorType type =
        slot->rows == VOCABULARY ? writer->options->embeddings : writer->options->matrices;
    return tensor_row_bytes(type, columns) ? type : TENSOR_F16;
}

typedef bool (*Visit)(Writer *writer, const Tensor *source, const char *name, TensorType type,
                      bool vector);

static bool visit_tensors(Writer *writer, Visit visit) {
    for (size_t i = 0; i < tensor_slot_count; i++) {
        const TensorSlot *slot = &tensor_slots[i];
        uint32_t copies = slot->per_layer ? writer->checkpoint->config.layers : 1;
        for (uint32_t layer = 0; layer < copies; layer++) {
            const Tensor *source = slot_tensor(slot, writer->checkpoint, layer);
            char name[MAX_NAME];
            slot_name(name, slot, layer, (Naming){.gguf = true, .prefix = ""});
            if (source->data &&
                !visit(writer, source, name, stored_type(writer, slot, source->columns),
                       slot->rows == ONE))
                return false;
        }
    }
    return true;
}

static bool declare(Writer *writer, const Tensor *source, const char *name, TensorType type,
                    bool vector) {
    append_text(&writer->tensors, name);
    append_u32(&writer->tensors, vector ? 1 : 2);
    append_u64(&writer->tensors, source->columns);
    if (!vector) append_u64(&writer->tensors, source->rows);
    append_u32(&writer->tensors, gguf_type_number(type));
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

static bool write_rows(Writer *writer, const char *name, const Tensor *source, TensorType type,
                       void *chunk, uint32_t chunk_rows, size_t row_bytes) {
    const GGUFOptions *options = writer->options;
    for (uint32_t row = 0; row < source->rows; row += chunk_rows) {
        uint32_t left = source->rows - row, rows = left < chunk_rows ? left : chunk_rows;
        if (!options->fill(options->user, name, source, type, row, rows, chunk, writer->error) ||
            !write_bytes(writer, chunk, rows * row_bytes))
            return false;
    }
    return write_padding(writer, source->rows * row_bytes);
}

static bool write_tensor(Writer *writer, const Tensor *source, const char *name, TensorType type,
                         bool vector) {
    (void)vector;
    size_t row_bytes = tensor_row_bytes(type, source->columns);
    uint32_t rows = (uint32_t)(CHUNK_BYTES / row_bytes) + 1;
    void *chunk = malloc(rows * row_bytes);
    if (!chunk) return error_memory(writer->error, rows * row_bytes);
    bool written = write_rows(writer, name, source, type, chunk, rows, row_bytes);
    free(chunk);
    return written;
}

static bool write_file(Writer *writer) {
    put_config(writer);
    if (writer->options->vocabulary)
        put_tokenizer(writer, writer->options->vocabulary);
    else
        put_text(writer, "tokenizer.ggml.model", "no_vocab");
    return visit_tensors(writer, declare) && write_header(writer) &&
           visit_tensors(writer, write_tensor);
}

static bool check_scales(const Checkpoint *checkpoint, const char *path, LLMError *error) {
    if (checkpoint->config.scale_attention && !checkpoint->config.scale_by_layer) return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: cannot be written: GGUF has no key for the attention scale of this model "
                     "(scale_attn_weights, scale_attn_by_inverse_layer_idx); use it as it is",
                     path);
}

bool gguf_write(const char *path, const Checkpoint *checkpoint, const GGUFOptions *options,
                LLMError *error) {
    LLMError reason = {0}; /* what ends the writing, even if the caller takes no error */
    if (error_is_set(error) || !check_scales(checkpoint, path, error)) return false;
    Writer writer = {.checkpoint = checkpoint, .options = options, .error = &reason};
    writer.file = output_file_open(path, &reason);
    if (writer.file) write_file(&writer);
    bool written = output_file_close(writer.file, &reason);
    if (!written) error_set(error, reason.status, "%s", reason.message);
    free(writer.keys.data);
    free(writer.tensors.data);
    return written;
}
