// Instances of a kernel template, with function constants.
// run: --kernel scale_float --grid 50 --threads 32 --buffer 0=random:f32:50 --buffer 1=empty:f32:50 --constant 0=1.5f --constant 1=true
// run: --kernel scale_half --grid 50 --threads 32 --buffer 0=random:f16:50 --buffer 1=empty:f16:50 --constant 0=1.5f --constant 1=false
#include <metal_stdlib>
using namespace metal;

constant float factor [[function_constant(0)]];
constant bool square [[function_constant(1)]];

template <typename T>
[[kernel]] void scale(device const T *x [[buffer(0)]], device T *out [[buffer(1)]],
                      uint i [[thread_position_in_grid]], uint n [[threads_per_grid]])
{
    T value = x[n - 1 - i];
    out[i] = T(factor) * (square ? value * value : value);
}

#define INSTANTIATE(name, T) template [[host_name(name)]] [[kernel]] decltype(scale<T>) scale<T>;
INSTANTIATE("scale_float", float)
template [[host_name("scale_half")]] kernel void scale<half>(device const half *, device half *, uint, uint);
