// expect: new
#include <metal_stdlib>
using namespace metal;

kernel void allocate(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    auto value = new float;
    x[i] = *value;
}
