#include "family.h"

#include <math.h>

const SettingName rope_scalings[] = {
    {"none", ROPE_NONE},     {"default", ROPE_NONE}, {"linear", ROPE_LINEAR},
    {"llama3", ROPE_LLAMA3}, {"yarn", ROPE_YARN},    {NULL, 0},
};

const char *const family_ignored_tensors[] = {"model.layers.{layer}.self_attn.rotary_emb.inv_freq",
                                              NULL};

static bool settle_heads(ModelConfig *config, const char *path, LLMError *error) {
    uint32_t C = config->channels, nh = config->heads;
    if (config->kv_heads == 0) config->kv_heads = nh;
    if (nh % config->kv_heads)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u heads of keys do not divide %u heads of queries; the file is "
                         "corrupt",
                         path, config->kv_heads, nh);
    if (config->head_size == 0 && C % nh)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u attention heads do not divide %u channels; the file is corrupt",
                         path, nh, C);
    if (config->head_size == 0) config->head_size = C / nh;
    if (config->value_size == 0) config->value_size = config->head_size;
    if (config->value_size != config->head_size)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: heads of %u channels with values of %u are not supported; use a "
                         "model with as many of both",
                         path, config->head_size, config->value_size);
    if (config->head_size > MOST_HEAD_SIZE)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the attention head size is %u, but the kernels hold at most %d; "
                         "use a model with more heads",
                         path, config->head_size, MOST_HEAD_SIZE);
    if ((size_t)nh * config->head_size > MOST_CHANNELS)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u attention heads of %u channels are more than %d channels; the "
                         "file is corrupt",
                         path, nh, config->head_size, MOST_CHANNELS);
    return true;
}

/* By how much YaRN multiplies cos and sin (Peng et al. 2023, section 3.4). */
static float yarn_magnitude(float factor, float mscale) {
    return factor > 1 ? 0.1f * mscale * logf(factor) + 1 : 1;
}

/* GGUF has a factor besides YaRN's own, config.json one in its place. */
static void settle_yarn(ModelConfig *config) {
    RopeConfig *rope = &config->rope;
    float own = yarn_magnitude(rope->factor, 1);
    if (rope->original_context == 0) rope->original_context = config->context;
    if (rope->beta_fast == 0) rope->beta_fast = 32;
    if (rope->beta_slow == 0) rope->beta_slow = 1;
    if (rope->magnitude == 0 && rope->mscale > 0 && rope->mscale_all > 0)
        rope->magnitude = yarn_magnitude(rope->factor, rope->mscale) /
                          yarn_magnitude(rope->factor, rope->mscale_all);
    if (rope->magnitude > 0) rope->attention_factor = rope->magnitude / own;
}

static bool check_llama3(const RopeConfig *rope, const char *path, LLMError *error) {
    bool given = rope->low_frequency > 0 && rope->original_context > 0;
    return (given && rope->high_frequency > rope->low_frequency) ||
           error_set(error, LLM_ERROR_FORMAT,
                     "%s: rope scaling \"llama3\" needs low_freq_factor, a larger "
                     "high_freq_factor and original_max_position_embeddings; correct the file",
                     path);
}

static bool settle_scaling(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    RopeConfig *rope = &config->rope;
    const char *path = checkpoint->settings.path;
    bool gguf = checkpoint->naming == GGUF_NAMES, unsaid = rope->scaling == ROPE_UNSCALED;
    if (unsaid && rope->factor > 0 && !gguf)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: there is a rope scaling factor, but no rope_type; correct the file",
                         path);
    if (unsaid && rope->factor > 0) rope->scaling = ROPE_LINEAR; /* as llama.cpp takes it */
    if (rope->scaling == ROPE_NONE) rope->scaling = ROPE_UNSCALED;
    if (rope->scaling == ROPE_UNSCALED) rope->factor = 0;
    if (rope->scaling != ROPE_UNSCALED && rope->factor == 0)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: rope is scaled, but its factor is missing; correct the file", path);
    if (rope->scaling == ROPE_LLAMA3) return check_llama3(rope, path, error);
    if (rope->scaling == ROPE_YARN)
        settle_yarn(config);
    else
        rope->beta_fast = rope->beta_slow = 0, rope->original_context = 0;
    return true;
}

static bool settle_rope(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    RopeConfig *rope = &config->rope;
    if (rope->dims == 0) rope->dims = config->head_size;
    if (rope->dims % 2 || rope->dims > config->head_size)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: rope turns %u of a head's %u channels, which is not an even number "
                         "of them; the file is corrupt",
                         checkpoint->settings.path, rope->dims, config->head_size);
    return settle_scaling(config, checkpoint, error);
}

bool family_settle(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error) {
    for (uint32_t l = 0; l < config->layers; l++)
        config->windowed[l] = config->windowed[l] && config->window > 0;
    return settle_heads(config, checkpoint->settings.path, error) &&
           settle_rope(config, checkpoint, error);
}
