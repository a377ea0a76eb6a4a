// A helper adds up a threadgroup's values through an array of its caller, and is called twice with the same one: once for
// the mean, once for the variance. It ends with a read of the array and begins with a write to it.
// run: --kernel norm --grid 256 --threads 256 --buffer 0=random:f32:1000 --buffer 1=empty:f32:1000 --bytes 2=u32:1000 --simd-width 16
#include <metal_stdlib>
using namespace metal;

static float sum_of_all(threadgroup float *partial, float value, uint t, uint lanes)
{
    partial[t / lanes] = simd_sum(value); // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return simd_sum(partial[t % lanes]); // expect: race
}

kernel void norm(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], constant uint &C [[buffer(2)]],
                 uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]],
                 uint lanes [[threads_per_simdgroup]])
{
    threadgroup float partial[64];
    float sum = 0.0f, squares = 0.0f;
    for (uint c = t; c < C; c += threads) sum += x[c];
    float mean = sum_of_all(partial, sum, t, lanes) / C;
    for (uint c = t; c < C; c += threads) squares += (x[c] - mean) * (x[c] - mean);
    float scale = rsqrt(sum_of_all(partial, squares, t, lanes) / C + 1e-5f);
    for (uint c = t; c < C; c += threads) out[c] = (x[c] - mean) * scale;
}
