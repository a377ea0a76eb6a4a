// The last simdgroup has eight lanes.
// run: --kernel last --grid 40 --threads 40 --buffer 0=random:f32:40
#include <metal_stdlib>
using namespace metal;

kernel void last(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = simd_broadcast(x[i], 31); // expect: inactive-lane
}
