// 125 elements are not 32 vectors of four.
// run: --kernel twice --grid 32 --threads 32 --buffer 0=random:f32:125 --buffer 1=empty:f32:125
#include <metal_stdlib>
using namespace metal;

kernel void twice(device const float4 *x [[buffer(0)]], device float4 *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = 2.0f * x[i]; // expect: out-of-bounds
}
