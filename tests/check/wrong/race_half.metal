// In place, in half precision.
// run: --kernel reverse --grid 32 --threads 32 --buffer 0=random:f16:32
#include <metal_stdlib>
using namespace metal;

kernel void reverse(device half *x [[buffer(0)]], uint i [[thread_position_in_grid]],
                    uint n [[threads_per_grid]])
{
    half other = x[n - 1 - i]; // expect: race
    x[i] = other; // expect: race
}
