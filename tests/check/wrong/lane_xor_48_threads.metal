// The second simdgroup has no lanes 16 to 31.
// run: --kernel total --grid 48 --threads 48 --buffer 0=random:f32:48 --buffer 1=empty:f32:48
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    float sum = x[i];
    for (ushort mask = 16; mask > 0; mask /= 2) sum += simd_shuffle_xor(sum, mask); // expect: inactive-lane
    out[i] = sum;
}
