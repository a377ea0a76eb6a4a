#include "selftest_draw.h"

#include "checkpoint/values.h"
#include "ops/choose.h"

#include <stdlib.h>
#include <string.h>

size_t number_size(Number number) {
    static const size_t sizes[] = {4, 2, 1, 4, 4};
    return sizes[number];
}

/* splitmix64: Steele, Lea and Flood 2014. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/* The sum of twelve numbers between 0 and 1 has deviation 1, and mean 6. */
static float next_normal(uint64_t *state) {
    float sum = -5.5f;
    for (int i = 0; i < 3; i++) {
        uint64_t bits = next_random(state);
        for (int part = 0; part < 4; part++, bits >>= 16)
            sum += (float)(bits & 0xFFFF) / 65536;
    }
    return sum;
}

void draw_normal(uint64_t seed, float *floats, size_t count) {
    for (size_t i = 0; i < count; i++)
        floats[i] = next_normal(&seed);
}

static bool store_normal(TensorType type, uint64_t seed, Drawn *drawn, size_t count) {
    float *floats = malloc(count * sizeof *floats);
    if (!floats) return false;
    draw_normal(seed, floats, count);
    values_store(type, floats, count, drawn->data);
    free(floats);
    return true;
}

static void fill_bytes(uint64_t seed, Drawn *drawn) {
    for (size_t i = 0; i < drawn->bytes; i++)
        drawn->data[i] = (unsigned char)next_random(&seed);
}

static bool fill_weights(const Tensor *weights, uint64_t seed, Drawn *drawn) {
    size_t count = tensor_count(weights);
    if (type_is_float(weights->type)) return store_normal(weights->type, seed, drawn, count);
    fill_bytes(seed, drawn);
    values_set_scales(weights->type, drawn->data, count / tensor_type_block(weights->type));
    return true;
}

/* As block_planes.metal does it. */
static bool fill_planes(const Tensor *weights, uint64_t seed, Drawn *drawn) {
    Planes planes = choose_planes(weights->type);
    uint16_t *blocks = malloc(drawn->bytes), *to = (uint16_t *)(void *)drawn->data;
    if (!blocks || !fill_weights(weights, seed, drawn)) {
        free(blocks);
        return false;
    }
    memcpy(blocks, drawn->data, drawn->bytes);
    size_t halves = drawn->bytes / sizeof *to;
    for (size_t i = 0; i < halves; i++)
        if (i % planes.size != planes.scale) *to++ = blocks[i];
    for (size_t i = planes.scale; i < halves; i += planes.size)
        *to++ = blocks[i];
    free(blocks);
    return true;
}

/* Activations are symmetric: −128 is none. */
static void fill_activations(uint64_t seed, Drawn *drawn) {
    fill_bytes(seed, drawn);
    for (size_t i = 0; i < drawn->bytes; i++)
        if (drawn->data[i] == 0x80) drawn->data[i] = 0;
}

/* `factor` · the sum of each `neighbours` bytes. */
static void fill_sums(const Drawn *bytes, size_t neighbours, int32_t factor, Drawn *drawn) {
    for (size_t i = 0; i < drawn->bytes / sizeof(int32_t); i++) {
        int32_t sum = 0;
        for (size_t n = 0; n < neighbours; n++)
            sum += (int8_t)bytes->data[i * neighbours + n];
        sum *= factor;
        memcpy(drawn->data + i * sizeof sum, &sum, sizeof sum);
    }
}

static size_t bytes_of(const LaunchArgument *argument) {
    if (argument->fill == FILL_WEIGHTS || argument->fill == FILL_PLANES)
        return tensor_bytes(&argument->weights);
    return argument->count * number_size(argument->number);
}

static bool fill(const LaunchArgument *argument, uint64_t seed, const Drawn *bytes, Drawn *drawn) {
    switch (argument->fill) {
    case FILL_NORMAL:
        return store_normal(argument->number == NUMBER_F16 ? TENSOR_F16 : TENSOR_F32, seed, drawn,
                            argument->count);
    case FILL_WEIGHTS:
        return fill_weights(&argument->weights, seed, drawn);
    case FILL_PLANES:
        return fill_planes(&argument->weights, seed, drawn);
    case FILL_BYTES:
        fill_activations(seed, drawn);
        return true;
    case FILL_OFFSETS:
        fill_sums(bytes, 4, -8, drawn);
        return true;
    case FILL_BLOCK_OFFSETS:
        fill_sums(bytes, 32, -128, drawn);
        return true;
    case FILL_WORDS:
        memcpy(drawn->data, argument->words, drawn->bytes);
        return true;
    default:
        memset(drawn->data, 0xFF, drawn->bytes);
        return true;
    }
}

bool draw_all(const Launch *launch, uint64_t seed, Drawn *drawn, LLMError *error) {
    const Drawn *bytes = NULL;
    for (size_t i = 0; i < launch->count; i++) {
        const LaunchArgument *argument = &launch->arguments[i];
        if (argument->fill == FILL_VALUE) continue;
        drawn[i].bytes = bytes_of(argument);
        drawn[i].data = malloc(drawn[i].bytes);
        if (!drawn[i].data ||
            !fill(argument, (seed << 8 | i) * 0x9E3779B97F4A7C15, bytes, &drawn[i]))
            return error_memory(error, drawn[i].bytes);
        if (argument->fill == FILL_BYTES) bytes = &drawn[i];
    }
    return true;
}

void drawn_free(Drawn *drawn, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(drawn[i].data);
}
