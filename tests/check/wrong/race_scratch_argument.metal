// The same with memory that the host gives.
// run: --kernel shift --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64 --threadgroup-memory 0=256
#include <metal_stdlib>
using namespace metal;

kernel void shift(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  threadgroup float *values [[threadgroup(0)]], uint t [[thread_index_in_threadgroup]],
                  uint threads [[threads_per_threadgroup]])
{
    values[t] = x[t]; // expect: race
    out[t] = values[(t + 1) % threads]; // expect: race, unwritten
}
