// expect: 'clear_f32' has no body
#include <metal_stdlib>
using namespace metal;

template <typename T>
kernel void clear(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]]);

template [[host_name("clear_f32")]] kernel decltype(clear<float>) clear<float>;
