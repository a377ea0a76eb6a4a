// expect: incompatible type
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_float8x8 m(1.0f);
    simdgroup_half8x8 n(1.0h);
    m.thread_elements() = n.thread_elements();
    simdgroup_store(m, x);
}
