// expect: needs \[\[host_name
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = T(0);
}

template [[host_name("clear_f32")]] kernel decltype(clear<float>) clear<float>;
template kernel decltype(clear<half>) clear<half>;
