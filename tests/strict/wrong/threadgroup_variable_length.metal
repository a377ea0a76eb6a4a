// expect: not a constant expression
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]],
                  uint threads [[threads_per_threadgroup]])
{
    threadgroup float values[threads];
    values[i] = x[i];
    x[i] = values[0];
}
