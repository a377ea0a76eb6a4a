// All write the same value: still a race.
// run: --kernel flag --grid 32 --threads 32 --buffer 0=random:f32:32 --buffer 1=zeros:u32:1
#include <metal_stdlib>
using namespace metal;

kernel void flag(device const float *x [[buffer(0)]], device uint *found [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    if (x[i] > -100.0f) found[0] = 1; // expect: race
}
