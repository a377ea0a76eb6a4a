// Full simdgroups may read any lane.
// run: --kernel shuffles --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void shuffles(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                     uint i [[thread_position_in_grid]], ushort lane [[thread_index_in_simdgroup]])
{
    float value = x[i];
    for (ushort mask = 16; mask > 0; mask /= 2) value += simd_shuffle_xor(value, mask);
    value += simd_shuffle(x[i], ushort(31 - lane));
    value += simd_shuffle_up(x[i], ushort(1)) + simd_shuffle_down(x[i], ushort(1));
    value += simd_shuffle_rotate_up(x[i], ushort(5)) + simd_broadcast(x[i], ushort(31));
    out[i] = value;
}
