/* Llama, Mistral, Qwen2 and Qwen3 as tables. They differ in what is windowed, in biases, and in the
 * norms of Qwen3's heads. Mistral's GGUF files are Llama's. */
#include "family.h"
#include "llama.h"

/* clang-format off */
#define ROPE_BASE                                                                                  \
    {"rope base", "rope.freq_base", {"rope_theta", "rope_parameters.rope_theta"},                  \
        KIND_NUMBER, INTO(rope.base), false, 10000, 1e12, NULL}
#define WINDOW(gguf, fallback)                                                                     \
    {"tokens of a window", gguf, {"sliding_window"},                                               \
        KIND_COUNT, INTO(window), false, fallback, MOST_CONTEXT, NULL}
#define ALL_WINDOWED                                                                               \
    {"windowed layers", NULL, {NULL}, KIND_LAYERS, INTO(windowed), false, 0, 0, NULL}
/* Layers from `max_window_layers` on, if at all. */
#define QWEN_WINDOWS(window_from_)                                                                 \
    WINDOW("", 4096),                                                                              \
    {"use of windows", "", {"use_sliding_window"},                                                 \
        KIND_SWITCH, INTO(uses_window), false, false, 0, NULL},                                    \
    {"layers before those with windows", "", {"max_window_layers"},                                \
        KIND_COUNT, INTO(window_from), false, window_from_, MOST_CONTEXT, NULL},                   \
    {"windowed layers", "", {"layer_types"},                                                       \
        KIND_LAYERS, INTO(windowed), false, 1, 0, NULL}

static const SettingRow llama_settings[] = {
    FAMILY_SIZES(32, 32, 0, 0, 4096, 11008, 2048, 32000, false),
    ROPE_BASE,
    FAMILY_ROPE("rope_parameters"),
    {"tokens of a window", "attention.sliding_window", {NULL},
        KIND_COUNT, INTO(window), false, 0, MOST_CONTEXT, NULL},
    ALL_WINDOWED,
    {"biases of attention", "", {"attention_bias"},
        KIND_SWITCH, INTO(attention_bias), false, false, 0, NULL},
    {"biases of the MLP", "", {"mlp_bias"}, KIND_SWITCH, INTO(mlp_bias), false, false, 0, NULL},
    {0},
};

static const SettingRow mistral_settings[] = {
    FAMILY_SIZES(32, 32, 8, 0, 4096, 14336, 131072, 32000, false),
    ROPE_BASE,
    FAMILY_ROPE("rope_parameters"),
    WINDOW("attention.sliding_window", 4096),
    ALL_WINDOWED,
    {0},
};

static const SettingRow qwen2_settings[] = {
    FAMILY_SIZES(32, 32, 32, 0, 4096, 22016, 32768, 151936, false),
    ROPE_BASE,
    FAMILY_ROPE("rope_parameters"),
    QWEN_WINDOWS(28),
    {0},
};

static const SettingRow qwen3_settings[] = {
    FAMILY_SIZES(32, 32, 32, 128, 4096, 22016, 32768, 151936, false),
    ROPE_BASE,
    FAMILY_ROPE("rope_parameters"),
    QWEN_WINDOWS(28),
    {0},
};

static const FixedSetting fixed[] = {
    FAMILY_FIXED,
    {NULL, "hidden_act", "silu|swish", "only silu is"},
    {0},
};

/* Biases are for Llama alone, which has a key for them. */
static const FixedSetting fixed_unbiased[] = {
    FAMILY_FIXED,
    {NULL, "hidden_act", "silu|swish", "only silu is"},
    {NULL, "attention_bias", "false", "use a model without these biases"},
    {NULL, "mlp_bias", "false", "use a model without these biases"},
    {0},
};

static const char *const ignored[] = {FAMILY_IGNORED, NULL};

#define MLP                                                                                        \
    NORM("MLP norm", "ffn_norm", "post_attention_layernorm", "C", 0, mlp_norm),                    \
    PART("gate", "ffn_gate", "mlp.gate_proj", "I C", 0, up, 0, "gate, up"),                        \
    PART("up", "ffn_up", "mlp.up_proj", "I C", 0, up, 1, NULL),                                    \
    PART("down", "ffn_down", "mlp.down_proj", "C I", 0, down, 0, "down")

static const TensorRow llama_tensors[] = {
    FAMILY_HEAD,
    NORM("attention norm", "attn_norm", "input_layernorm", "C", 0, attention_norm),
    PART("Q", "attn_q", "self_attn.q_proj", "Q C", TENSOR_TURNED, qkv, 0, "QKV"),
    BIAS("attn_q", "self_attn.q_proj", "Q", TENSOR_TURNED | TENSOR_ATTENTION_BIAS, qkv, 0),
    PART("K", "attn_k", "self_attn.k_proj", "K C", TENSOR_TURNED, qkv, 1, NULL),
    BIAS("attn_k", "self_attn.k_proj", "K", TENSOR_TURNED | TENSOR_ATTENTION_BIAS, qkv, 1),
    PART("V", "attn_v", "self_attn.v_proj", "K C", 0, qkv, 2, NULL),
    BIAS("attn_v", "self_attn.v_proj", "K", TENSOR_ATTENTION_BIAS, qkv, 2),
    PART("projection", "attn_output", "self_attn.o_proj", "C Q", 0, projection, 0, "projection"),
    BIAS("attn_output", "self_attn.o_proj", "C", TENSOR_ATTENTION_BIAS, projection, 0),
    MLP,
    BIAS("ffn_gate", "mlp.gate_proj", "I", TENSOR_MLP_BIAS, up, 0),
    BIAS("ffn_up", "mlp.up_proj", "I", TENSOR_MLP_BIAS, up, 1),
    BIAS("ffn_down", "mlp.down_proj", "C", TENSOR_MLP_BIAS, down, 0),
    FAMILY_TAIL(0),
    {0},
};

static const TensorRow qwen2_tensors[] = {
    FAMILY_HEAD,
    NORM("attention norm", "attn_norm", "input_layernorm", "C", 0, attention_norm),
    PART("Q", "attn_q", "self_attn.q_proj", "Q C", 0, qkv, 0, "QKV"),
    BIAS("attn_q", "self_attn.q_proj", "Q", 0, qkv, 0),
    PART("K", "attn_k", "self_attn.k_proj", "K C", 0, qkv, 1, NULL),
    BIAS("attn_k", "self_attn.k_proj", "K", 0, qkv, 1),
    PART("V", "attn_v", "self_attn.v_proj", "K C", 0, qkv, 2, NULL),
    BIAS("attn_v", "self_attn.v_proj", "K", 0, qkv, 2),
    PART("projection", "attn_output", "self_attn.o_proj", "C Q", 0, projection, 0, "projection"),
    MLP,
    FAMILY_TAIL(0),
    {0},
};

static const TensorRow qwen3_tensors[] = {
    FAMILY_HEAD,
    NORM("attention norm", "attn_norm", "input_layernorm", "C", 0, attention_norm),
    PART("Q", "attn_q", "self_attn.q_proj", "Q C", 0, qkv, 0, "QKV"),
    PART("K", "attn_k", "self_attn.k_proj", "K C", 0, qkv, 1, NULL),
    PART("V", "attn_v", "self_attn.v_proj", "K C", 0, qkv, 2, NULL),
    FAMILY_HEAD_NORMS(0),
    PART("projection", "attn_output", "self_attn.o_proj", "C Q", 0, projection, 0, "projection"),
    MLP,
    FAMILY_TAIL(0),
    {0},
};
/* clang-format on */

static bool settle_qwen(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    if (!config->uses_window) config->window = 0;
    for (uint32_t l = 0; l < config->layers && !config->says_windowed; l++)
        config->windowed[l] = l >= config->window_from;
    return family_settle(config, checkpoint, error);
}

static const char *qwen_keyless(const ModelConfig *config) {
    for (uint32_t l = 0; l < config->layers; l++)
        if (config->windowed[l]) return "sliding windows (use_sliding_window)";
    return NULL;
}

const Architecture llama_architecture = {
    .name = "llama",
    .title = "Llama",
    .norm = NORM_RMS,
    .gated = true,
    .gguf_order = ROPE_ADJACENT,
    .base_prefix = "model.",
    .settings = llama_settings,
    .fixed = fixed,
    .ignored = ignored,
    .tensors = llama_tensors,
    .ignored_tensors = family_ignored_tensors,
    .settle = family_settle,
    .forward = llama_forward,
};

const Architecture mistral_architecture = {
    .name = "llama",
    .model_type = "mistral",
    .title = "Mistral",
    .norm = NORM_RMS,
    .gated = true,
    .gguf_order = ROPE_ADJACENT,
    .base_prefix = "model.",
    .settings = mistral_settings,
    .fixed = fixed_unbiased,
    .ignored = ignored,
    .tensors = llama_tensors,
    .ignored_tensors = family_ignored_tensors,
    .settle = family_settle,
    .forward = llama_forward,
};

const Architecture qwen2_architecture = {
    .name = "qwen2",
    .title = "Qwen2",
    .norm = NORM_RMS,
    .gated = true,
    .gguf_order = ROPE_HALVES,
    .base_prefix = "model.",
    .settings = qwen2_settings,
    .fixed = fixed_unbiased,
    .ignored = ignored,
    .tensors = qwen2_tensors,
    .ignored_tensors = family_ignored_tensors,
    .settle = settle_qwen,
    .keyless = qwen_keyless,
    .forward = llama_forward,
};

const Architecture qwen3_architecture = {
    .name = "qwen3",
    .title = "Qwen3",
    .norm = NORM_RMS,
    .gated = true,
    .gguf_order = ROPE_HALVES,
    .base_prefix = "model.",
    .settings = qwen3_settings,
    .fixed = fixed_unbiased,
    .ignored = ignored,
    .tensors = qwen3_tensors,
    .ignored_tensors = family_ignored_tensors,
    .settle = settle_qwen,
    .keyless = qwen_keyless,
    .forward = llama_forward,
};
