// An array in registers that starts from nothing.
// run: --kernel pairs --grid 8 --threads 8 --buffer 0=random:f32:32 --buffer 1=empty:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void pairs(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    float sums[2];
    for (uint k = 0; k < 4; k++) sums[k % 2] += x[i * 4 + k]; // expect: unwritten
    out[i] = sums[0] * sums[1];
}
