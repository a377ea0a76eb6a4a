// Columns of a padded tile: 33 floats are no whole number of float2.
// run: --kernel pairs --grid 32 --threads 32 --buffer 0=random:f32:32 --buffer 1=empty:f32:32
#include <metal_stdlib>
using namespace metal;

kernel void pairs(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]])
{
    threadgroup float tile[2 * 33];
    tile[t] = x[t];
    tile[33 + t] = -x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    threadgroup float2 *pair = (threadgroup float2 *)(tile + t % 2 * 33);
    out[t] = pair[t / 2 % 16].y; // expect: misaligned
}
