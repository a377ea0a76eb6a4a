// A counter that is not atomic.
// run: --kernel count --grid 32 --threads 32 --buffer 0=random:f32:32 --buffer 1=zeros:u32:1
#include <metal_stdlib>
using namespace metal;

kernel void count(device const float *x [[buffer(0)]], device uint *positive [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    if (x[i] > 0.0f) positive[0]++; // expect: race
}
