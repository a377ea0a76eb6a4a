// The grid is larger than the data.
// run: --kernel twice --grid 128 --threads 64 --buffer 0=random:f32:100 --buffer 1=empty:f32:100 --bytes 2=u32:100
#include <metal_stdlib>
using namespace metal;

kernel void twice(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  constant uint &N [[buffer(2)]], uint i [[thread_position_in_grid]])
{
    out[i] = 2.0f * x[i]; // expect: out-of-bounds
}
