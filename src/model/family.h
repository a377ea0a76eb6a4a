/* family.h — what the tables of Llama's family share: rows of settings, and how they fit together.
 *
 * The keys of GGUF are llama.cpp's; those of config.json, with their defaults, transformers', of
 * version 4 (rope_theta, rope_scaling) and 5 (rope_parameters).
 */
#ifndef METAL_LLM_FAMILY_H
#define METAL_LLM_FAMILY_H

#include "weights.h"

#define INTO(field) offsetof(ModelConfig, field)

extern const SettingName rope_scalings[];

/* clang-format off */
/* Sizes, with the defaults of config.json; 0 where they are derived. */
#define FAMILY_SIZES(layers_, heads_, kv_heads_, head_size_, channels_, inner_, context_,          \
                     vocabulary_, tied_)                                                           \
    {"layers", "block_count", {"num_hidden_layers"},                                               \
        KIND_SIZE, INTO(layers), true, layers_, MOST_LAYERS, NULL},                                \
    {"attention heads", "attention.head_count", {"num_attention_heads"},                           \
        KIND_SIZE, INTO(heads), true, heads_, MOST_HEADS, NULL},                                   \
    {"heads of keys and values", "attention.head_count_kv", {"num_key_value_heads"},               \
        KIND_SIZE, INTO(kv_heads), false, kv_heads_, MOST_HEADS, NULL},                            \
    {"channels of a head", "attention.key_length", {"head_dim"},                                   \
        KIND_SIZE, INTO(head_size), false, head_size_, MOST_CHANNELS, NULL},                       \
    {"channels of a head's values", "attention.value_length", {NULL},                              \
        KIND_SIZE, INTO(value_size), false, 0, MOST_CHANNELS, NULL},                               \
    {"channels", "embedding_length", {"hidden_size"},                                              \
        KIND_SIZE, INTO(channels), true, channels_, MOST_CHANNELS, NULL},                          \
    {"feed-forward channels", "feed_forward_length", {"intermediate_size"},                        \
        KIND_SIZE, INTO(inner), true, inner_, MOST_INNER, NULL},                                   \
    {"positions of context", "context_length", {"max_position_embeddings"},                        \
        KIND_SIZE, INTO(context), true, context_, MOST_CONTEXT, NULL},                             \
    {"tokens of vocabulary", "vocab_size", {"vocab_size"},                                         \
        KIND_SIZE, INTO(vocabulary), false, vocabulary_, MOST_TOKENS, NULL},                       \
    {"RMSNorm epsilon", "attention.layer_norm_rms_epsilon", {"rms_norm_eps"},                      \
        KIND_NUMBER, INTO(epsilon), true, 1e-6, 1, NULL},                                          \
    {"tied output", "", {"tie_word_embeddings"},                                                   \
        KIND_SWITCH, INTO(tied), false, tied_, 0, NULL}

/* Rotary positions. `parameters` is where transformers 5 has those of global layers. */
#define FAMILY_ROPE(parameters)                                                                    \
    {"turned channels", "rope.dimension_count", {NULL},                                            \
        KIND_SIZE, INTO(rope.dims), false, 0, MOST_CHANNELS, NULL},                                \
    {"scaling of rope", "rope.scaling.type", {"rope_scaling.rope_type", "rope_scaling.type",       \
                                              parameters ".rope_type", parameters ".type"},        \
        KIND_NAME, INTO(rope.scaling), false, ROPE_UNSCALED, 0, rope_scalings},                    \
    FAMILY_SCALING(parameters, "rope factor", "rope.scaling.factor", "factor", factor),            \
    FAMILY_SCALING(parameters, "factor of low frequencies", NULL, "low_freq_factor", low_frequency), \
    FAMILY_SCALING(parameters, "factor of high frequencies", NULL, "high_freq_factor", high_frequency), \
    FAMILY_SCALING(parameters, "YaRN's beta_fast", "rope.scaling.yarn_beta_fast", "beta_fast", beta_fast), \
    FAMILY_SCALING(parameters, "YaRN's beta_slow", "rope.scaling.yarn_beta_slow", "beta_slow", beta_slow), \
    FAMILY_SCALING(parameters, "attention factor", NULL, "attention_factor", magnitude),           \
    FAMILY_SCALING(parameters, "YaRN's mscale", NULL, "mscale", mscale),                           \
    FAMILY_SCALING(parameters, "YaRN's mscale_all_dim", NULL, "mscale_all_dim", mscale_all),       \
    {"attention factor", "rope.scaling.attn_factor", {NULL},                                       \
        KIND_NUMBER, INTO(rope.attention_factor), false, 0, 1e6, NULL},                            \
    {"positions before scaling", "rope.scaling.original_context_length",                           \
        {"rope_scaling.original_max_position_embeddings",                                          \
         parameters ".original_max_position_embeddings"},                                          \
        KIND_SIZE, INTO(rope.original_context), false, 0, MOST_CONTEXT, NULL},                     \
    {"YaRN's rounded borders", NULL, {"rope_scaling.truncate", parameters ".truncate"},            \
        KIND_SWITCH, INTO(rope.truncate), false, true, 0, NULL}
#define FAMILY_SCALING(parameters, what, gguf, key, field)                                         \
    {what, gguf, {"rope_scaling." key, parameters "." key},                                        \
        KIND_NUMBER, INTO(rope.field), false, 0, 1e6, NULL}

/* What must have one value. */
#define FAMILY_FIXED                                                                               \
    {"attention.causal", NULL, "true", "use a model that continues a text"},                       \
    {"expert_count", NULL, "0", "use a model that is no mixture of experts"},                      \
    {"expert_used_count", NULL, "0", "use a model that is no mixture of experts"},                 \
    {"use_parallel_residual", NULL, "false", "use a model whose blocks follow each other"},        \
    {"attn_logit_softcapping", NULL, "0", "use a model without it"},                               \
    {"final_logit_softcapping", NULL, "0", "use a model without it"},                              \
    {"rope.scale_linear", NULL, "1", "convert the model again, with a llama.cpp of today"},        \
    {"rope.scaling.finetuned", NULL, "true|false", "it says nothing of the numbers"},              \
    {"rope.scaling.yarn_ext_factor", NULL, "1", "only 1 is"},                                      \
    {"rope.scaling.yarn_attn_factor", NULL, "1", "only 1 is"},                                     \
    {"rope.scaling.yarn_log_multiplier", NULL, "0", "only 0 is"},                                  \
    {"tensor_data_layout", NULL, "Meta AI original pth|reference", "convert the model again"},     \
    {NULL, "attn_logit_softcapping", "", "use a model without it"},                                \
    {NULL, "final_logit_softcapping", "", "use a model without it"},                               \
    {NULL, "partial_rotary_factor", "1", "transformers has no such model either"},                 \
    {NULL, "rope_scaling.partial_rotary_factor", "1", "transformers has no such model either"},    \
    {NULL, "rope_parameters.partial_rotary_factor", "1", "transformers has no such model either"}

/* Keys of config.json that change no logits. */
#define FAMILY_IGNORED                                                                             \
    "attention_dropout", "cache_implementation", "hidden_dropout", "is_llama_config",              \
    "neftune_noise_alpha", "pretraining_tp", "transformers.js_config"

#define MODEL(what, gguf, huggingface, shape, form, flags, field)                                  \
    {what, gguf, huggingface, shape, form, flags, offsetof(Weights, field), 0, what}
#define LAYER(what, gguf, huggingface, shape, form, flags, field, part, step)                      \
    {what, "blk.{layer}." gguf, "model.layers.{layer}." huggingface, shape, form, flags,           \
     offsetof(LayerWeights, field), part, step}
/* The weight of part `part` of a product. */
#define PART(what, gguf, huggingface, shape, flags, field, part, step)                             \
    LAYER(what, gguf ".weight", huggingface ".weight", shape, FORM_PRODUCT, flags, field, part, step)
#define BIAS(gguf, huggingface, shape, flags, field, part)                                         \
    LAYER("  bias", gguf ".bias", huggingface ".bias", shape, FORM_PRODUCT_BIAS, flags, field, part, \
          NULL)
#define NORM(what, gguf, huggingface, shape, flags, field)                                         \
    LAYER(what, gguf ".weight", huggingface ".weight", shape, FORM_NORM, flags, field, 0, NULL)

/* What is there before and after the layers. */
#define FAMILY_HEAD                                                                                \
    MODEL("token embedding", "token_embd.weight", "model.embed_tokens.weight", "V C",              \
          FORM_MATRIX, 0, token_embedding),                                                        \
    {"rope factors", "rope_freqs.weight", "", "R", FORM_FACTORS, TENSOR_OPTIONAL, 0, 0, NULL}
#define FAMILY_TAIL(flags)                                                                         \
    MODEL("output norm", "output_norm.weight", "model.norm.weight", "C",                           \
          FORM_NORM, flags, output_norm),                                                          \
    MODEL("output", "output.weight", "lm_head.weight", "V C", FORM_PRODUCT, TENSOR_OUTPUT, output)
#define FAMILY_HEAD_NORMS(flags)                                                                   \
    NORM("norm of Q's heads", "attn_q_norm", "self_attn.q_norm", "S", flags, q_norm),              \
    NORM("norm of K's heads", "attn_k_norm", "self_attn.k_norm", "S", flags, k_norm)
/* clang-format on */

/* Old folders have the frequencies as buffers. */
extern const char *const family_ignored_tensors[];

/* Derive what is not given, and refuse what does not fit together. */
bool family_settle(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error);

#endif
