// Each simdgroup leaves its maximum, and later its sum, in the same slot. All read the maxima back, and lane 0 of a fast
// simdgroup overwrites one that a slow simdgroup has not read: its row's logarithm of the sum collapses, and the gradient
// is as large as a float can be. Now and then, under load, and never in a debugger.
// run: --kernel log_sum_exp --grid 256 --threads 128 --buffer 0=random:f32:2x500 --buffer 1=empty:f32:2 --bytes 2=u32:500
#include <metal_stdlib>
using namespace metal;

kernel void log_sum_exp(device const float *logits [[buffer(0)]], device float *out [[buffer(1)]],
                        constant uint &V [[buffer(2)]], uint n [[threadgroup_position_in_grid]],
                        uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]],
                        uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float shared[32];
    device const float *row = logits + n * V;
    float largest = -INFINITY, sum = 0.0f;
    for (uint k = t; k < V; k += threads) largest = max(largest, row[k]);
    largest = simd_max(largest);
    if (lane == 0) shared[simdgroup] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    largest = simd_max(lane < simdgroups ? shared[lane] : -INFINITY); // expect: race
    for (uint k = t; k < V; k += threads) sum += exp(row[k] - largest);
    sum = simd_sum(sum);
    if (lane == 0) shared[simdgroup] = sum; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = simd_sum(lane < simdgroups ? shared[lane] : 0.0f);
    if (t == 0) out[n] = largest + log(sum);
}
