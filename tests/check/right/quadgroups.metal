// Functions of four lanes, shuffles that fill, a simdgroup matrix of bfloats.
// run: --kernel quads --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void quads(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_index_in_threadgroup]], ushort q [[thread_index_in_quadgroup]])
{
    simdgroup_bfloat8x8 one = make_filled_simdgroup_matrix<bfloat, 8>(1.0bf);
    float sum = quad_sum(x[i]) + quad_shuffle_xor(x[i], 1) + quad_prefix_inclusive_sum(x[i]);
    bool any = quad_any(x[i] > 0) || ulong(quad_ballot(q > 1)) != 12;
    float next = simd_shuffle_and_fill_down(x[i], 0.0, 1);
    out[i] = sum + next + any + float(one.thread_elements()[0]);
}
