// Adds to an output that was never set.
// run: --kernel add --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void add(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                uint i [[thread_position_in_grid]])
{
    out[i] += x[i]; // expect: unwritten
}
