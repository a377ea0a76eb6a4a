// expect: typeid|rtti
#include <metal_stdlib>
using namespace metal;

kernel void name(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    if (&typeid(x[i]) != nullptr) x[i] = 0.0f;
}
