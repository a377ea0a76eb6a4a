/* GPT-2 as a table: github.com/openai/gpt-2, src/model.py. The defaults, and the other spellings of
 * the same settings, are those of transformers' GPT2Config. */
#include "gpt2.h"
#include "kernel_constants.h"

enum { MAX_HEAD_SIZE = FLASH_ATTENTION_MAX_HS };

#define INTO(field) offsetof(ModelConfig, field)

/* clang-format off */
static const SettingRow settings[] = {
    {"layers", "block_count", {"n_layer", "num_hidden_layers"},
        KIND_SIZE, INTO(layers), true, 12, MOST_LAYERS, NULL},
    {"attention heads", "attention.head_count", {"n_head", "num_attention_heads"},
        KIND_SIZE, INTO(heads), true, 12, MOST_HEADS, NULL},
    {"heads of keys and values", "attention.head_count_kv", {NULL},
        KIND_SIZE, INTO(kv_heads), false, 0, MOST_HEADS, NULL},
    {"channels", "embedding_length", {"n_embd", "hidden_size"},
        KIND_SIZE, INTO(channels), true, 768, MOST_CHANNELS, NULL},
    {"feed-forward channels", "feed_forward_length", {"n_inner"},
        KIND_SIZE, INTO(inner), true, 0, MOST_INNER, NULL},
    {"positions of context", "context_length", {"n_positions", "max_position_embeddings", "n_ctx"},
        KIND_SIZE, INTO(context), true, 1024, MOST_CONTEXT, NULL},
    {"tokens of vocabulary", "vocab_size", {"vocab_size"},
        KIND_SIZE, INTO(vocabulary), false, 50257, MOST_TOKENS, NULL},
    {"layernorm epsilon", "attention.layer_norm_epsilon", {"layer_norm_epsilon"},
        KIND_NUMBER, INTO(epsilon), true, 1e-5, 1, NULL},
    {"scaling of attention", NULL, {"scale_attn_weights"},
        KIND_SWITCH, INTO(scale_attention), false, true, 0, NULL},
    {"scaling by layer", NULL, {"scale_attn_by_inverse_layer_idx"},
        KIND_SWITCH, INTO(scale_by_layer), false, false, 0, NULL},
    {"tied output", "", {"tie_word_embeddings"},
        KIND_SWITCH, INTO(tied), false, true, 0, NULL},
    {0},
};

static const FixedSetting fixed[] = {
    {"attention.causal", NULL, "true", "use a model that continues a text"},
    {NULL, "activation_function", "gelu_new|gelu_pytorch_tanh",
        "only gelu_new and gelu_pytorch_tanh are"},
    {NULL, "add_cross_attention", "false", "use a model that reads one text, not two"},
    {0},
};

/* `reorder_and_upcast_attn` is a matter of precision: attention is always computed in float32. */
static const char *const ignored[] = {
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx", "reorder_and_upcast_attn",
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj", NULL,
};

#define MODEL(what, gguf, huggingface, shape, form, flags, field)                                  \
    {what, gguf, huggingface, shape, form, flags, offsetof(Weights, field), 0, what}
#define LAYER(what, gguf, huggingface, shape, form, flags, field)                                  \
    {what, "blk.{layer}." gguf, "transformer.h.{layer}." huggingface, shape, form, flags,          \
     offsetof(LayerWeights, field), 0, what}
#define NORM(what, gguf, huggingface, field)                                                       \
    LAYER(what, gguf ".weight", huggingface ".weight", "C", FORM_NORM, 0, field),                  \
    LAYER("  bias", gguf ".bias", huggingface ".bias", "C", FORM_NORM_BIAS, 0, field)
#define PRODUCT(what, gguf, huggingface, out, in, field)                                           \
    LAYER(what, gguf ".weight", huggingface ".weight", out " " in, FORM_PRODUCT, TENSOR_CONV1D,    \
          field),                                                                                  \
    LAYER("  bias", gguf ".bias", huggingface ".bias", out, FORM_PRODUCT_BIAS, 0, field)

static const TensorRow tensors[] = {
    MODEL("token embedding", "token_embd.weight", "transformer.wte.weight", "V C",
          FORM_MATRIX, 0, token_embedding),
    MODEL("position embedding", "position_embd.weight", "transformer.wpe.weight", "T C",
          FORM_FLOATS, 0, position_embedding),
    NORM("attention norm", "attn_norm", "ln_1", attention_norm),
    PRODUCT("QKV", "attn_qkv", "attn.c_attn", "3C", "C", qkv),
    PRODUCT("projection", "attn_output", "attn.c_proj", "C", "C", projection),
    NORM("MLP norm", "ffn_norm", "ln_2", mlp_norm),
    PRODUCT("up", "ffn_up", "mlp.c_fc", "I", "C", up),
    PRODUCT("down", "ffn_down", "mlp.c_proj", "C", "I", down),
    MODEL("output norm", "output_norm.weight", "transformer.ln_f.weight", "C",
          FORM_NORM, 0, output_norm),
    MODEL("  bias", "output_norm.bias", "transformer.ln_f.bias", "C",
          FORM_NORM_BIAS, 0, output_norm),
    MODEL("output", "output.weight", "lm_head.weight", "V C",
          FORM_PRODUCT, TENSOR_OUTPUT, output),
    {0},
};
/* clang-format on */

/* Causal masks. */
static const char *const ignored_tensors[] = {
    "transformer.h.{layer}.attn.bias",
    "transformer.h.{layer}.attn.masked_bias",
    NULL,
};

static bool settle(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    const char *path = checkpoint->settings.path;
    if (config->inner == 0) config->inner = 4 * config->channels;
    if (config->kv_heads == 0) config->kv_heads = config->heads;
    if (config->kv_heads != config->heads)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u heads of keys for %u heads of queries are not supported; GPT-2 "
                         "has as many of both",
                         path, config->kv_heads, config->heads);
    if (config->channels % config->heads)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u attention heads do not divide %u channels; the file is corrupt",
                         path, config->heads, config->channels);
    config->head_size = config->channels / config->heads;
    if (config->head_size > MAX_HEAD_SIZE)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the attention head size is %u, but the kernels hold at most %d; "
                         "use a model with more heads",
                         path, config->head_size, MAX_HEAD_SIZE);
    return true;
}

const Architecture gpt2_architecture = {
    .name = "gpt2",
    .title = "GPT-2",
    .base_prefix = "transformer.",
    .settings = settings,
    .fixed = fixed,
    .ignored = ignored,
    .tensors = tensors,
    .ignored_tensors = ignored_tensors,
    .settle = settle,
    .forward = gpt2_forward,
};
