// A barrier stands where it must, but names no memory: mem_none holds the threads back and orders nothing that they read
// or write.
// run: --kernel softmax_row --grid 64 --threads 64 --buffer 0=random:f32:200 --buffer 1=empty:f32:200 --bytes 2=u32:200 --threadgroup-memory 0=128
#include <metal_stdlib>
using namespace metal;

kernel void softmax_row(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                        constant uint &T [[buffer(2)]], threadgroup float *shared [[threadgroup(0)]],
                        uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    float largest = -INFINITY, sum = 0.0f;
    for (uint k = t; k < T; k += threads) largest = max(largest, x[k]);
    largest = simd_max(largest);
    if (simdgroup == 0) shared[lane] = -INFINITY;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (lane == 0) shared[simdgroup] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    largest = simd_max(shared[lane]); // expect: race
    for (uint k = t; k < T; k += threads) sum += exp(x[k] - largest);
    threadgroup_barrier(mem_flags::mem_none);
    sum = simd_sum(sum);
    if (simdgroup == 0) shared[lane] = 0.0f; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (lane == 0) shared[simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = simd_sum(shared[lane]);
    for (uint k = t; k < T; k += threads) out[k] = exp(x[k] - largest) / sum;
}
