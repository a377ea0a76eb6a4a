#include "gpt2.h"

#include <math.h>

/* Of layer l. */
static Attention attention_of(const ModelConfig *config, uint32_t l) {
    Attention attention = {.heads = config->heads,
                           .kv_heads = config->kv_heads,
                           .head_size = config->head_size,
                           .scale = 1.0f};
    if (config->scale_attention) attention.scale /= sqrtf((float)attention.head_size);
    if (config->scale_by_layer) attention.scale /= (float)(l + 1);
    return attention;
}

void gpt2_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted) {
    embed(run, &weights->token_embedding, 1.0f, weights->position_embedding, config->context);
    for (uint32_t l = 0; l < config->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        Attention attention = attention_of(config, l);
        Value qkv = read_stream(run, &layer->attention_norm, &layer->qkv, ACTIVATION_NONE);
        Value mixed = attend(run, l, qkv, &attention);
        if (l + 1 == config->layers && cut_to_wanted(run, &mixed, wanted)) return;
        write_stream(run, mixed, &layer->projection, NULL);
        Value inner = read_stream(run, &layer->mlp_norm, &layer->up, ACTIVATION_GELU);
        write_stream(run, inner, &layer->down, NULL);
    }
    read_out(run, &weights->output_norm, &weights->output, wanted);
}
