// Five values in an array of four.
// run: --kernel largest --grid 8 --threads 8 --buffer 0=random:f32:40 --buffer 1=empty:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void largest(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    float values[4];
    for (uint k = 0; k < 5; k++) values[k] = x[i * 5 + k]; // expect: out-of-bounds
    out[i] = max(max(values[0], values[1]), max(values[2], values[3]));
}
