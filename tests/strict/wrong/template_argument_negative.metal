// expect: cannot be narrowed
#include <metal_stdlib>
using namespace metal;

template <typename T, uint N>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}

template [[host_name("clear_f32")]] kernel decltype(clear<float, -1>) clear<float, -1>;
