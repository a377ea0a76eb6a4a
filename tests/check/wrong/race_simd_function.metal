// simd_sum lets lanes meet, but it orders no memory.
// run: --kernel turn --grid 32 --threads 32 --buffer 0=random:f32:32 --buffer 1=empty:f32:32
#include <metal_stdlib>
using namespace metal;

kernel void turn(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float values[32];
    values[lane] = x[lane]; // expect: race
    float sum = simd_sum(x[lane]);
    out[lane] = values[31 - lane] / sum; // expect: race
}
