// The first element has no predecessor.
// run: --kernel difference --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void difference(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                       uint i [[thread_position_in_grid]])
{
    out[i] = x[i] - x[i - 1]; // expect: out-of-bounds
}
