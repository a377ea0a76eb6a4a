// The two edges of the tile are not loaded.
// run: --kernel smooth --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void smooth(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                   uint t [[thread_index_in_threadgroup]])
{
    threadgroup float tile[66];
    tile[t + 1] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[t] = (tile[t] + tile[t + 1] + tile[t + 2]) / 3.0f; // expect: unwritten
}
