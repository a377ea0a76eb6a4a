/* Gemma 3, the text model, as a table. */
#include "family.h"
#include "gemma.h"

#include <math.h>

/* clang-format off */
static const SettingRow settings[] = {
    FAMILY_SIZES(26, 8, 4, 256, 2304, 9216, 131072, 262208, true),
    {"rope base", "rope.freq_base", {"rope_theta", "rope_parameters.full_attention.rope_theta"},
        KIND_NUMBER, INTO(rope.base), true, 1e6, 1e12, NULL},
    {"rope base of windowed layers", "rope.freq_base_swa",
        {"rope_local_base_freq", "rope_parameters.sliding_attention.rope_theta"},
        KIND_NUMBER, INTO(rope.local_base), false, 10000, 1e12, NULL},
    FAMILY_ROPE("rope_parameters.full_attention"),
    {"tokens of a window", "attention.sliding_window", {"sliding_window"},
        KIND_COUNT, INTO(window), false, 4096, MOST_CONTEXT, NULL},
    {"windowed layers", "attention.sliding_window_pattern",
        {"layer_types", "sliding_window_pattern", "_sliding_window_pattern"},
        KIND_LAYERS, INTO(windowed), false, 6, 0, NULL},
    {"query_pre_attn_scalar", "", {"query_pre_attn_scalar"},
        KIND_NUMBER, INTO(score_scalar), false, 256, 1e6, NULL},
    {0},
};

static const FixedSetting fixed[] = {
    FAMILY_FIXED,
    {NULL, "hidden_activation", "gelu_pytorch_tanh", "only gelu_pytorch_tanh is"},
    {NULL, "attention_bias", "false", "use a model without these biases"},
    {NULL, "use_bidirectional_attention", "false", "use a model that continues a text"},
    {NULL, "rope_parameters.sliding_attention.rope_type", "default",
        "only the rope of global layers may be scaled"},
    {0},
};

static const char *const ignored[] = {FAMILY_IGNORED, NULL};

static const TensorRow tensors[] = {
    FAMILY_HEAD,
    NORM("attention norm", "attn_norm", "input_layernorm", "C", TENSOR_LESS_ONE, attention_norm),
    PART("Q", "attn_q", "self_attn.q_proj", "Q C", 0, qkv, 0, "QKV"),
    PART("K", "attn_k", "self_attn.k_proj", "K C", 0, qkv, 1, NULL),
    PART("V", "attn_v", "self_attn.v_proj", "K C", 0, qkv, 2, NULL),
    FAMILY_HEAD_NORMS(TENSOR_LESS_ONE),
    PART("projection", "attn_output", "self_attn.o_proj", "C Q", 0, projection, 0, "projection"),
    NORM("after attention", "post_attention_norm", "post_attention_layernorm", "C",
         TENSOR_LESS_ONE, attention_after),
    NORM("MLP norm", "ffn_norm", "pre_feedforward_layernorm", "C", TENSOR_LESS_ONE, mlp_norm),
    PART("gate", "ffn_gate", "mlp.gate_proj", "I C", 0, up, 0, "gate, up"),
    PART("up", "ffn_up", "mlp.up_proj", "I C", 0, up, 1, NULL),
    PART("down", "ffn_down", "mlp.down_proj", "C I", 0, down, 0, "down"),
    NORM("after the MLP", "post_ffw_norm", "post_feedforward_layernorm", "C",
         TENSOR_LESS_ONE, mlp_after),
    FAMILY_TAIL(TENSOR_LESS_ONE),
    {0},
};
/* clang-format on */

/* What the scores are divided by the root of, where no key says it: the head size, but in the 27B
 * model of 62 layers. */
static float usual_scalar(const ModelConfig *config) {
    bool is_27b = config->layers == 62;
    return is_27b ? (float)config->channels / (float)config->heads : (float)config->head_size;
}

static bool settle(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    if (!family_settle(config, checkpoint, error)) return false;
    if (checkpoint->naming == GGUF_NAMES) config->score_scalar = usual_scalar(config);
    config->embedding_scale = sqrtf((float)config->channels);
    return true;
}

static const char *keyless(const ModelConfig *config) {
    return config->score_scalar == usual_scalar(config) ? NULL : "query_pre_attn_scalar";
}

const Architecture gemma3_architecture = {
    .name = "gemma3",
    .model_type = "gemma3_text",
    .title = "Gemma 3",
    .norm = NORM_RMS,
    .gated = true,
    .gguf_order = ROPE_HALVES,
    .base_prefix = "model.",
    .settings = settings,
    .fixed = fixed,
    .ignored = ignored,
    .tensors = tensors,
    .ignored_tensors = family_ignored_tensors,
    .settle = settle,
    .keyless = keyless,
    .forward = gemma_forward,
};
