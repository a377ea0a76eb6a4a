// simd functions in branches take the lanes that are there.
// run: --kernel odd_and_even --grid 60 --threads 60 --buffer 0=random:f32:60 --buffer 1=empty:f32:60
#include <metal_stdlib>
using namespace metal;

kernel void odd_and_even(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                         uint i [[thread_position_in_grid]])
{
    float value = x[i];
    float sum;
    if (i % 2) {
        sum = simd_sum(value);
    } else {
        sum = -simd_sum(value);
        sum += simd_prefix_exclusive_sum(value);
    }
    float first = simd_broadcast_first(sum);
    ulong negative = ulong(simd_vote::vote_t(simd_ballot(value < 0.0f)));
    out[i] = simd_any(value > 2.0f) ? sum : first + float(popcount(uint(negative)));
}
