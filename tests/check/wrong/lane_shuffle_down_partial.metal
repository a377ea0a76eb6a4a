// 24 threads, summed as if they were 32.
// run: --kernel total --grid 24 --threads 24 --buffer 0=random:f32:24 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint lane [[thread_index_in_simdgroup]])
{
    float sum = x[lane];
    for (ushort step = 16; step > 0; step /= 2) sum += simd_shuffle_down(sum, step); // expect: inactive-lane
    if (lane == 0) out[0] = sum;
}
