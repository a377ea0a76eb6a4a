// expect: 'clear' has no instance
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}
