// expect: conflicting types
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}

template [[host_name("clear_f16")]] kernel void clear<half>(device float *, uint);
