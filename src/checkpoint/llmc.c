/* llm.c's model files: 256 int32 of header, then every tensor in one fixed order, those of all
 * layers together. The format: github.com/karpathy/llm.c, train_gpt2.py, write_model. */
#include "loader.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_BYTES = 256 * 4, VERSION_F32 = 3, VERSION_BF16 = 5 };

typedef struct LLMC {
    const char *path;
    Reader reader;
    TensorType type; /* of every tensor */
    uint32_t padded_vocabulary;
} LLMC;

static bool read_header(LLMC *llmc, ModelConfig *config, LLMError *error) {
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
    config->context = reader_u32(&header);
    config->vocabulary = reader_u32(&header);
    config->layers = reader_u32(&header);
    config->heads = reader_u32(&header);
    config->channels = reader_u32(&header);
    llmc->padded_vocabulary = reader_u32(&header);
    config->inner = 4 * config->channels;
    config->epsilon = 1e-5f;
    config->scale_attention = true;
    return true;
}

static bool check_padding(const LLMC *llmc, const ModelConfig *config, LLMError *error) {
    enum { MOST = 1 << 24 };
    if (llmc->padded_vocabulary >= config->vocabulary && llmc->padded_vocabulary <= MOST)
        return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: a vocabulary of %u tokens is padded to %u; the file is corrupt",
                     llmc->path, config->vocabulary, llmc->padded_vocabulary);
}

/* Rows of a slot as the file stores them. */
static size_t stored_rows(const LLMC *llmc, const TensorSlot *slot, const ModelConfig *config) {
    return slot->rows == VOCABULARY ? llmc->padded_vocabulary : slot_rows(slot, config);
}

/* Point the slot's tensors, of every layer in turn, at the next bytes of the file. */
static void take_slot(LLMC *llmc, Checkpoint *checkpoint, const TensorSlot *slot) {
    const ModelConfig *config = &checkpoint->config;
    Tensor tensor = {.type = llmc->type,
                     .rows = (uint32_t)slot_rows(slot, config),
                     .columns = (uint32_t)slot_columns(slot, config)};
    size_t bytes = stored_rows(llmc, slot, config) * tensor_row_bytes(tensor.type, tensor.columns);
    uint32_t copies = slot->per_layer ? config->layers : 1;
    for (uint32_t layer = 0; layer < copies; layer++) {
        tensor.data = reader_take(&llmc->reader, bytes);
        *slot_tensor(slot, checkpoint, layer) = tensor;
    }
}

static bool take_tensors(LLMC *llmc, Checkpoint *checkpoint, LLMError *error) {
    for (size_t i = 0; i < tensor_slot_count; i++)
        if (!tensor_slots[i].optional) take_slot(llmc, checkpoint, &tensor_slots[i]);
    if (!llmc->reader.failed && reader_left(&llmc->reader) == 0) return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the file of %zu bytes is %s than its header says; it is truncated or "
                     "corrupt: copy it again",
                     llmc->path, llmc->reader.size, llmc->reader.failed ? "shorter" : "longer");
}

/* gpt2_tokenizer.bin of the same folder, where there is one. */
static bool load_tokenizer(Checkpoint *checkpoint, const char *path, LLMError *error) {
    static const char name[] = "gpt2_tokenizer.bin";
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *file = malloc(folder + sizeof name);
    if (!file) return error_memory(error, folder + sizeof name);
    memcpy(file, path, folder);
    memcpy(file + folder, name, sizeof name);
    bool present = access(file, F_OK) == 0;
    if (present) checkpoint->tokenizer = tokenizer_open_llmc(file, error);
    free(file);
    return !present || checkpoint->tokenizer;
}

static bool check_tokenizer(const Checkpoint *checkpoint, const char *path, LLMError *error) {
    if (!checkpoint->tokenizer) return true;
    uint32_t tokens = tokenizer_vocabulary(checkpoint->tokenizer);
    return tokens <= checkpoint->config.vocabulary ||
           error_set(error, LLM_ERROR_FORMAT,
                     "%s: the model has %u tokens, but gpt2_tokenizer.bin beside it has %u; "
                     "it belongs to another model: move it away",
                     path, checkpoint->config.vocabulary, tokens);
}

bool llmc_load(Checkpoint *checkpoint, const char *path, LLMError *error) {
    FileMap map;
    if (!checkpoint_map(checkpoint, path, &map, error)) return false;
    checkpoint->format = "llm.c";
    LLMC llmc = {.path = path, .reader = {.data = map.data, .size = map.size}};
    if (!read_header(&llmc, &checkpoint->config, error) ||
        !checkpoint_configure(checkpoint, path, error) ||
        !check_padding(&llmc, &checkpoint->config, error) ||
        !take_tensors(&llmc, checkpoint, error) ||
        !checkpoint_name_after(checkpoint, path, ".bin", error) ||
        !load_tokenizer(checkpoint, path, error) || !check_tokenizer(checkpoint, path, error))
        return false;
    checkpoint_set_end_of_text(checkpoint, UINT64_MAX);
    return true;
}
