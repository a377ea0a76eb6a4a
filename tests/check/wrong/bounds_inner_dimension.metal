// The fifth of four columns is the next row.
// run: --kernel fill --grid 8 --threads 8 --buffer 0=empty:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void fill(device float *out [[buffer(0)]], uint t [[thread_index_in_threadgroup]])
{
    threadgroup float tile[8][4];
    for (uint i = 0; i < 4; i++) tile[t][i] = float(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t < 7) out[t] = tile[t][4]; // expect: out-of-bounds
}
