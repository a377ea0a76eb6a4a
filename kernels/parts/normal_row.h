// normal_row.h — a row that is normalised before it is rounded: layernorm's statistics, or RMSNorm's factor
#pragma once
#include "parts/rounded_row.h"
#include "parts/sums.h"

// A sum over the threadgroup by way of one of its 32 numbers' places: one barrier.
static float sum_of_all(float value, threadgroup float (*partial)[32], Place place)
{
    float sum[1] = {value};
    threadgroup_sums(sum, partial, place.lane, place.simdgroup, place.simdgroups);
    return sum[0];
}

// The same, and a barrier: what the row is to be multiplied by is returned, RMSNorm's factor. `partial` are three.
static float norm_and_round(device const float4 *x, Normal norm, thread Line (&line)[TURNS][EACH], float epsilon,
                            RoundedRow to, uint K, uint whole, threadgroup float (*partial)[32], Place place,
                            uint thread_index, uint threads)
{
    if (norm.is_centred) {
        float sum = 0.0f, squares = 0.0f;
        for (uint k = thread_index; k < K / 4; k += threads) sum += sum_of(x[k]);
        norm.mean = sum_of_all(sum, partial, place) / float(K);
        for (uint k = thread_index; k < K / 4; k += threads) squares += dot(x[k] - norm.mean, x[k] - norm.mean);
        norm.factor = 1.0f / sqrt(sum_of_all(squares, partial + 1, place) / float(K) + epsilon);
    }
    float squares = sum_of_all(round_row(x, norm, line, to, K / 32, whole, place), partial + 2, place);
    return norm.is_centred ? 1.0f : 1.0f / sqrt(squares / float(K) + epsilon);
}
