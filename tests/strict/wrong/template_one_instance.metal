// expect: cannot initialize.*half
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void copy(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    device float *values = x;
    values[i] = 0.0f;
}

template [[host_name("copy_f32")]] kernel decltype(copy<float>) copy<float>;
template [[host_name("copy_f16")]] kernel decltype(copy<half>) copy<half>;
