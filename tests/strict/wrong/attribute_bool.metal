// expect: must be ushort or uint
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], bool first [[thread_index_in_threadgroup]])
{
    x[0] = 0.0f;
}
