// expect: decltype\(…\) must name the same instance
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}

template [[host_name("clear_f32")]] kernel decltype(clear<half>) clear<float>;
