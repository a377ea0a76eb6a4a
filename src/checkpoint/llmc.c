/* llm.c's model files: 256 int32 of header, then every tensor in one fixed order, those of all
 * layers together. The format: github.com/karpathy/llm.c, train_gpt2.py, write_model. */
#include "llmc.h"

#include "loader.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 256 * 4, VERSION_F32 = 3, VERSION_BF16 = 5, MOST_LAYERS = 1 << 10 };

typedef struct LLMC {
    const char *path;
    Reader reader;
    TensorType type; /* of every tensor */
    uint32_t context, vocabulary, layers, heads, channels, padded_vocabulary;
} LLMC;

static bool read_header(LLMC *llmc, LLMError *error) {
    Reader header = {.data = reader_take(&llmc->reader, HEADER_BYTES), .size = HEADER_BYTES};
    if (!header.data)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the file ends inside its header (%zu bytes); it is truncated: copy "
                         "it again",
                         llmc->path, llmc->reader.size);
    reader_u32(&header); /* magic */
    uint32_t version = reader_u32(&header);
    if (version != VERSION_F32 && version != VERSION_BF16)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: version %u of llm.c's model files is not supported; write it as "
                         "version 3 (float32) or 5 (bfloat16) with llm.c's train_gpt2.py",
                         llmc->path, version);
    llmc->type = version == VERSION_F32 ? TENSOR_F32 : TENSOR_BF16;
    llmc->context = reader_u32(&header);
    llmc->vocabulary = reader_u32(&header);
    llmc->layers = reader_u32(&header);
    llmc->heads = reader_u32(&header);
    llmc->channels = reader_u32(&header);
    llmc->padded_vocabulary = reader_u32(&header);
    return true;
}

static bool check_header(const LLMC *llmc, LLMError *error) {
    if (llmc->padded_vocabulary < llmc->vocabulary)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: a vocabulary of %u tokens is padded to %u; the file is corrupt",
                         llmc->path, llmc->vocabulary, llmc->padded_vocabulary);
    if (llmc->layers > MOST_LAYERS)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the header has %u layers, where 1 to %d are possible; the file is "
                         "corrupt",
                         llmc->path, llmc->layers, MOST_LAYERS);
    return true;
}

/* The settings that the header has, and those of every model that llm.c trains. */
static bool add_settings(const LLMC *llmc, Checkpoint *checkpoint, LLMError *error) {
    Settings *settings = &checkpoint->settings;
    static const char epsilon[] = "gpt2.attention.layer_norm_epsilon";
    bool begun =
        settings_begin(settings, llmc->path, error) &&
        settings_add_integer(settings, "gpt2.block_count", llmc->layers, error) &&
        settings_add_integer(settings, "gpt2.attention.head_count", llmc->heads, error) &&
        settings_add_integer(settings, "gpt2.embedding_length", llmc->channels, error) &&
        settings_add_integer(settings, "gpt2.feed_forward_length", 4 * llmc->channels, error) &&
        settings_add_integer(settings, "gpt2.context_length", llmc->context, error) &&
        settings_add_integer(settings, "gpt2.vocab_size", llmc->vocabulary, error);
    Setting *number =
        begun ? settings_add(settings, epsilon, strlen(epsilon), SETTING_NUMBER, false, 1, error)
              : NULL;
    if (!number) return false;
    number->values[0].number = (double)1e-5f;
    settings_sort(settings);
    return true;
}

/* --- tensors --- */

/* In the order of the file; sizes are C = channels or a multiple. */
typedef struct LLMCTensor {
    const char *name; /* GGUF's; "{layer}" stands for its number */
    enum { ONE, TOKENS, POSITIONS, C_1, C_3, C_4 } rows, columns;
} LLMCTensor;

static const LLMCTensor tensors[] = {
    {"token_embd.weight", TOKENS, C_1},
    {"position_embd.weight", POSITIONS, C_1},
    {"blk.{layer}.attn_norm.weight", ONE, C_1},
    {"blk.{layer}.attn_norm.bias", ONE, C_1},
    {"blk.{layer}.attn_qkv.weight", C_3, C_1},
    {"blk.{layer}.attn_qkv.bias", ONE, C_3},
    {"blk.{layer}.attn_output.weight", C_1, C_1},
    {"blk.{layer}.attn_output.bias", ONE, C_1},
    {"blk.{layer}.ffn_norm.weight", ONE, C_1},
    {"blk.{layer}.ffn_norm.bias", ONE, C_1},
    {"blk.{layer}.ffn_up.weight", C_4, C_1},
    {"blk.{layer}.ffn_up.bias", ONE, C_4},
    {"blk.{layer}.ffn_down.weight", C_1, C_4},
    {"blk.{layer}.ffn_down.bias", ONE, C_1},
    {"output_norm.weight", ONE, C_1},
    {"output_norm.bias", ONE, C_1},
};

static uint64_t size_of(const LLMC *llmc, int size) {
    const uint64_t sizes[] = {[ONE] = 1,
                              [TOKENS] = llmc->padded_vocabulary,
                              [POSITIONS] = llmc->context,
                              [C_1] = llmc->channels,
                              [C_3] = 3ull * llmc->channels,
                              [C_4] = 4ull * llmc->channels};
    return sizes[size];
}

static bool is_per_layer(const LLMCTensor *tensor) {
    return strchr(tensor->name, '{') != NULL;
}

/* The next tensor of the file. */
static bool take(LLMC *llmc, TensorIndex *index, const LLMCTensor *tensor, uint32_t layer,
                 LLMError *error) {
    char name[MAX_NAME];
    tensor_name(name, tensor->name, layer);
    StoredTensor stored = {.type = llmc->type};
    uint64_t bytes;
    if (tensor->rows != ONE) stored.shape[stored.dimensions++] = size_of(llmc, tensor->rows);
    stored.shape[stored.dimensions++] = size_of(llmc, tensor->columns);
    if (!stored_bytes(&stored, &bytes)) bytes = UINT64_MAX;
    stored.data = reader_take(&llmc->reader, bytes);
    return index_add(index, stored, name, strlen(name), error);
}

static bool take_tensors(LLMC *llmc, Checkpoint *checkpoint, LLMError *error) {
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        uint32_t copies = is_per_layer(&tensors[i]) ? llmc->layers : 1;
        for (uint32_t layer = 0; layer < copies && !llmc->reader.failed; layer++)
            if (!take(llmc, &checkpoint->tensors, &tensors[i], layer, error)) return false;
    }
    if (!llmc->reader.failed && reader_left(&llmc->reader) == 0)
        return index_sort(&checkpoint->tensors, llmc->path, error);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the file of %zu bytes is %s than its header says; it is truncated or "
                     "corrupt: copy it again",
                     llmc->path, llmc->reader.size, llmc->reader.failed ? "shorter" : "longer");
}

/* --- the whole file --- */

/* gpt2_tokenizer.bin, where it is there and has no more tokens than the model. */
static Tokenizer *open_tokenizer(const char *path, uint32_t vocabulary, LLMError *error) {
    if (!file_is_listed(path)) return NULL;
    Tokenizer *tokenizer = tokenizer_open_llmc(path, error);
    if (!tokenizer || tokenizer_vocabulary(tokenizer) <= vocabulary) return tokenizer;
    error_set(error, LLM_ERROR_FORMAT,
              "%s: %u tokens, but the model beside it has %u; the file belongs to another model: "
              "move it away",
              path, tokenizer_vocabulary(tokenizer), vocabulary);
    tokenizer_free(tokenizer);
    return NULL;
}

static bool load_tokenizer(const LLMC *llmc, Checkpoint *checkpoint, LLMError *error) {
    static const char name[] = "gpt2_tokenizer.bin";
    const char *path = checkpoint->path, *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *file = malloc(folder + sizeof name);
    if (!file) return error_memory(error, folder + sizeof name);
    memcpy(file, path, folder);
    memcpy(file + folder, name, sizeof name);
    LLMError problem = {0};
    Tokenizer *tokenizer = open_tokenizer(file, llmc->vocabulary, &problem);
    free(file);
    return checkpoint_set_tokenizer(checkpoint, tokenizer, &problem, error);
}

bool llmc_load(Checkpoint *checkpoint, LLMError *error) {
    FileMap map;
    checkpoint->format = "llm.c";
    checkpoint->naming = GGUF_NAMES;
    if (!checkpoint_map(checkpoint, checkpoint->path, &map, error)) return false;
    LLMC llmc = {.path = checkpoint->path, .reader = {.data = map.data, .size = map.size}};
    return read_header(&llmc, error) && check_header(&llmc, error) &&
           checkpoint_set_architecture(checkpoint, "gpt2", 4, error) &&
           add_settings(&llmc, checkpoint, error) && take_tensors(&llmc, checkpoint, error) &&
           checkpoint_name_after(checkpoint, checkpoint->path, ".bin", error) &&
           load_tokenizer(&llmc, checkpoint, error);
}
