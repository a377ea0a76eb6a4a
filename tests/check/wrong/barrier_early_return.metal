// A guard that returns too early.
// run: --kernel total --grid 64 --threads 64 --buffer 0=random:f32:50 --buffer 1=empty:f32:50 --bytes 2=u32:50
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  constant uint &N [[buffer(2)]], uint t [[thread_index_in_threadgroup]])
{
    threadgroup float values[64];
    if (t >= N) return;
    values[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup); // expect: barrier
    out[t] = values[N - 1 - t];
}
