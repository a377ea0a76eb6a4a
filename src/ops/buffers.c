#include "buffers.h"

#include "kernel_constants.h"

#include <stdlib.h>

typedef struct Slot {
    DeviceBuffer **buffer;
    size_t bytes; /* 0: not needed */
} Slot;

enum { SLOTS_MOST = 44 };

static size_t floats(size_t rows, size_t columns) {
    return rows * columns * sizeof(float);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Every buffer and its size; returns their number. */
static size_t list_slots(Buffers *buffers, const Setup *setup, const Sizes *sizes,
                         Slot slots[SLOTS_MOST]) {
    size_t B = sizes->batch, BT = B * sizes->tokens, C = sizes->channels, V = sizes->vocabulary;
    size_t capacity = sizes->capacity, inner = sizes->inner;
    size_t attended = (size_t)sizes->heads * sizes->head_size;
    size_t qkv = attended + 2 * (size_t)sizes->kv_heads * sizes->head_size;
    size_t tiles = (BT + 7) / 8 * 8; /* the matrix units read tiles of eight rows */
    size_t inputs = larger(BT, LOGITS_PER_PASS) * larger(larger(inner, C), attended);
    size_t plain = B * sizes->kv_heads * capacity * sizes->head_size * element_size(setup->cache);
    size_t splits = choose_split_rows(setup, sizes->batch, sizes->heads, sizes->kv_heads);
    bool naive = !setup->flash, integers = setup->integers;
    const Slot all[] = {
        {&buffers->prompt, floats(BT, 1)},
        {&buffers->ids, floats(B, 1)},
        {&buffers->lengths, floats(B, 1)},
        {&buffers->counts, floats(B, 1)},
        {&buffers->history, floats(B, capacity + 1)},
        {&buffers->x[0], floats(BT, C)},
        {&buffers->x[1], floats(BT, C)},
        {&buffers->norm, floats(tiles, C)},
        {&buffers->qkv, floats(BT, qkv)},
        {&buffers->q, floats(BT, attended)},
        {&buffers->keys, naive ? plain : 0},
        {&buffers->values, naive ? plain : 0},
        {&buffers->att, naive ? floats(BT * sizes->heads, capacity) : 0},
        {&buffers->mixed, floats(tiles, attended)},
        {&buffers->merged, naive ? floats(BT, attended) : 0},
        {&buffers->split_sums, setup->fused ? floats(splits, sizes->head_size) : 0},
        {&buffers->split_softmax, setup->fused ? floats(splits, 2) : 0},
        {&buffers->halves, setup->half_products ? tiles * attended * 2 : 0},
        {&buffers->block_out, floats(BT, C)},
        {&buffers->up, floats(BT, sizes->up)},
        {&buffers->activated, floats(tiles, inner)},
        {&buffers->last_x, floats(B, C)},
        {&buffers->last_mixed, floats(B, attended)},
        {&buffers->logits, floats(larger(B, LOGITS_PER_PASS), V)},
        {&buffers->changed, floats(B, V)},
        {&buffers->sampling, B * sizeof(RowSampling)},
        {&buffers->logit_bias, floats(B, V)},
        {&buffers->allowed, floats(B, V / 32 + 1)},
        {&buffers->p, floats(B, V)},
        {&buffers->group_largest, floats(B, VOCABULARY_GROUPS)},
        {&buffers->group_sums, floats(B, VOCABULARY_GROUPS)},
        {&buffers->drawn, floats(B, SAMPLING_SLOTS)},
        {&buffers->logprob_tokens, floats(B * SAMPLING_SLOTS, SAMPLING_TOLD_MOST)},
        {&buffers->logprobs, floats(B * SAMPLING_SLOTS, SAMPLING_TOLD_MOST)},
        {&buffers->targets, floats(LOGITS_PER_PASS, 1)},
        {&buffers->nats, floats(LOGITS_PER_PASS, 1)},
        {&buffers->zeros, floats(larger(larger(inner, larger(C, qkv)), V), 1)},
        {&buffers->rounded, integers ? inputs : 0},
        {&buffers->rounded_offsets, integers ? inputs / 4 * sizeof(int32_t) : 0},
        {&buffers->rounded_scales, integers ? floats(inputs / QUANTISE_BLOCK + 1, 1) : 0},
        {&buffers->rounded_block_offsets, integers ? floats(inputs / QUANTISE_BLOCK + 1, 1) : 0},
        {&buffers->unpacked, setup->half_products ? 0 : floats(sizes->unpacked, 1)},
    };
    size_t count = sizeof all / sizeof *all;
    _Static_assert(sizeof all / sizeof *all <= SLOTS_MOST, "room for all buffers");
    for (size_t i = 0; i < count; i++)
        slots[i] = all[i];
    return count;
}

static bool write_zeros(DeviceBuffer *buffer, size_t bytes, LLMError *error) {
    void *zeros = calloc(bytes, 1);
    if (!zeros) return error_memory(error, bytes);
    device_write(buffer, 0, zeros, bytes);
    free(zeros);
    return true;
}

bool buffers_allocate(Buffers *buffers, Device *device, const Setup *setup, const Sizes *sizes,
                      LLMError *error) {
    Slot slots[SLOTS_MOST];
    size_t count = list_slots(buffers, setup, sizes, slots), zeros = 0;
    for (size_t i = 0; i < count; i++) {
        if (slots[i].bytes) *slots[i].buffer = device_buffer_new(device, slots[i].bytes);
        if (slots[i].buffer == &buffers->zeros) zeros = slots[i].bytes;
    }
    return !device_failed(device, error) && write_zeros(buffers->zeros, zeros, error);
}

void buffers_free(Buffers *buffers, const Sizes *sizes) {
    Slot slots[SLOTS_MOST];
    size_t count = list_slots(buffers, &(Setup){0}, sizes, slots);
    for (size_t i = 0; i < count; i++)
        device_buffer_free(*slots[i].buffer);
}
