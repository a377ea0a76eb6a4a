// typical.metal — keep the tokens that are about as surprising as is to be expected (Meister et al. 2022)
//
//   p[v]     = exp((logits[v] − max) / temperature), of the top_k largest; P = Σ p
//   d[v]     = (max − logits[v]) / temperature, the surprise −ln (p[v] / P) but for ln P
//   mean     = Σ p · d / P, so that |d − mean| is how far a surprise is from the entropy
//   keep the tokens of the least |d − mean| that make up `typical` of P; the logits of the others become −∞
//
// One threadgroup per row of logits[B,V]; ties at a cut are all kept. A row with a NaN or +∞, or of nothing but −∞,
// stays as it is.
#include <metal_stdlib>
using namespace metal;
#include "parts/cut.h"
#include "parts/sampling.h"

// How far the surprise of a token is from the mean, as an integer of the same order.
static uint distance(float logit, float largest, float temperature, float mean)
{
    return as_type<uint>(fabs((largest - logit) / temperature - mean));
}

kernel void keep_typical(
    device float *logits [[buffer(0)]],               // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device float *scratch [[buffer(2)]],              // [B,V] for p
    constant uint &V [[buffer(3)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    device const RowSampling &wanted = sampling[b];
    if (wanted.typical == 0.0f) return;
    float temperature = wanted.temperature;
    Team team = {partial, lane, simdgroup, simdgroups};
    // Each thread owns every threads-th token, and reads only what it wrote itself.
    device float *row = logits + ulong(b) * V + thread_index;
    uint count = V / threads + uint(thread_index < V % threads);
    Share own = {scratch + ulong(b) * V + thread_index, count, threads};

    float largest = -INFINITY, product = 0.0f;
    for (uint i = 0; i < count; i++) largest = max(largest, row[i * threads]);
    largest = threadgroup_max(largest, team);
    for (uint i = 0; i < count; i++) own.weight[i * threads] = exp((row[i * threads] - largest) / temperature);
    uint cut = wanted.top_k < V ? find_cut(own, float(wanted.top_k), true, team) : 0;

    for (uint i = 0; i < count; i++) {
        float weight = own.weight[i * threads];
        if (as_type<uint>(weight) < cut || weight == 0.0f)
            own.weight[i * threads] = 0.0f;
        else
            product += weight * ((largest - row[i * threads]) / temperature);
    }
    float sum = kept_by(own, 0, false, team);
    float mean = threadgroup_sum(product, team) / sum;
    if (isnan(mean)) return;

    // The largest distance below which too little lies, bit by bit: what lies no further is enough.
    uint farthest = 0;
    for (uint bit = 1u << 30; bit; bit >>= 1) {
        float nearer = 0.0f;
        for (uint i = 0; i < count; i++) {
            uint far = distance(row[i * threads], largest, temperature, mean);
            nearer += far < (farthest | bit) ? own.weight[i * threads] : 0.0f;
        }
        nearer = threadgroup_sum(nearer, team);
        if (nearer < wanted.typical * sum) farthest |= bit;
    }
    for (uint i = 0; i < count; i++) {
        bool is_near = distance(row[i * threads], largest, temperature, mean) <= farthest;
        row[i * threads] = own.weight[i * threads] > 0.0f && is_near ? row[i * threads] : -INFINITY;
    }
}
