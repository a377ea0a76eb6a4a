// expect: double
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}

template [[host_name("clear_f64")]] kernel decltype(clear<double>) clear<double>;
