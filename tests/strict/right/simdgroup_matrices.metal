// 8×8 matrices in the lanes of a simdgroup: every function, both spaces, halves and floats mixed.
#include <metal_stdlib>
using namespace metal;

static void scale(thread simdgroup_float8x8 &m, float factor)
{
    m.thread_elements() *= factor;
    m.thread_elements()[0] += 1.0f;
}

kernel void multiply(
    device const half *a [[buffer(0)]],
    device const half *b [[buffer(1)]],
    device float *c [[buffer(2)]],
    constant uint &K [[buffer(3)]],
    uint group [[threadgroup_position_in_grid]])
{
    threadgroup half tile[8][16];
    threadgroup float sums[64];
    simdgroup_half8x8 left, right, product, ones = make_filled_simdgroup_matrix<half, 8, 8>(1.0h);
    simdgroup_float8x8 sum(0.0f), diagonal = simdgroup_float8x8(1.0f), copy;
    simdgroup_matrix<float, 8, 8> matrices[2];
    simdgroup_store(ones, &tile[0][8], 16);
    simdgroup_load(left, tile[0], 16, ulong2(8, 0));
    for (uint k = 0; k < K; k += 8) {
        simdgroup_load(left, a + k, K);
        simdgroup_load(right, b, K, ulong2(k, group * 8), true);
        simdgroup_multiply(product, left, right);
        simdgroup_multiply(matrices[0], left, right);
        simdgroup_multiply_accumulate(sum, left, right, sum);
        simdgroup_multiply_accumulate(sum, diagonal, matrices[0], sum);
    }
    copy = sum;
    scale(copy, 0.5f);
    copy.thread_elements() *= sum.thread_elements();
    simdgroup_store(copy, sums);
    simdgroup_load(matrices[1], sums);
    simdgroup_store(matrices[1], c + group * 8, 16, ulong2(0, 0), true);
}
