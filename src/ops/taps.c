/* taps.c — reads from a pass, in the middle of it. */
#include "ops.h"

#include <string.h>

static void read_floats(DeviceBuffer *from, size_t first, float *to, size_t count) {
    device_read(from, first * sizeof(float), to, count * sizeof(float));
}

/* The rows of tokens from `first` on in one head, to[count, all]; those that this pass has. */
static void read_rows(const Taps *taps, const TappedAttention *attention, size_t head,
                      uint32_t first, uint32_t count, float *to) {
    for (uint32_t t = 0; t < taps->count; t++) {
        uint32_t position = taps->first + t;
        if (position < first || position - first >= count) continue;
        read_floats(attention->weights, (head * attention->T + t) * attention->S,
                    to + (size_t)(position - first) * taps->all, position + 1);
    }
}

static void silence_heads(const Taps *taps, const TappedAttention *attention) {
    const bool *off = taps->heads_off + (size_t)tapped_layer(taps) * taps->nh;
    size_t bytes = (size_t)attention->T * attention->hs * sizeof(float);
    for (size_t h = 0; h < taps->nh; h++)
        if (off[h]) device_write(attention->mixed, h * bytes, taps->zeros, bytes);
}

void tap_attention(Run *run, const TappedAttention *attention) {
    const Taps *taps = run->taps;
    size_t layer = tapped_layer(taps), rows = (size_t)taps->tokens * taps->all;
    for (size_t h = 0; taps->attention && h < taps->nh; h++)
        read_rows(taps, attention, h, taps->token, taps->tokens,
                  taps->attention + (layer * taps->nh + h) * rows);
    if (taps->head_attention && taps->head_layer == layer)
        read_rows(taps, attention, taps->head, 0, taps->all, taps->head_attention);
    silence_heads(taps, attention);
}

/* What the output would read if the layer were the last. */
static void read_layer(Run *run, uint32_t layer) {
    const Taps *taps = run->taps;
    Value normed = settle_stream(run, taps->norm);
    size_t bytes = (size_t)normed.rows * normed.columns * element_size(normed.type);
    device_read(normed.buffer, 0, taps->normed + (layer - taps->from) * bytes, bytes);
}

void tap_block(Run *run) {
    Taps *taps = run->taps;
    uint32_t layer = tapped_layer(taps);
    bool is_mlp = taps->block++ % 2;
    if (!is_mlp) return;
    if (taps->mlps_off[layer]) run->stream.owed = (Value){0};
    if (taps->normed && layer >= taps->from) read_layer(run, layer);
}
