#include "gemma.h"

void gemma_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted) {
    embed(run, &weights->token_embedding, config->embedding_scale, NULL, config->context);
    for (uint32_t l = 0; l < config->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        Attention attention = weights_attention(weights, config, l);
        Value qkv = read_stream(run, &layer->attention_norm, &layer->qkv, ACTIVATION_NONE);
        Value mixed = attend(run, l, qkv, &attention);
        if (l + 1 == config->layers && cut_to_wanted(run, &mixed, wanted)) return;
        write_stream(run, mixed, &layer->projection, &layer->attention_after);
        Value inner = read_stream(run, &layer->mlp_norm, &layer->up, ACTIVATION_GELU_GATED);
        write_stream(run, inner, &layer->down, &layer->mlp_after);
    }
    read_out(run, &weights->output_norm, &weights->output, wanted);
}
