// Whoever finds a negative element raises the flag.
// run: --kernel any_negative --grid 64 --threads 32 --buffer 0=f32:-1,-2,-3,-4,-5,-6,-7,-8,-9,-10,-11,-12,-13,-14,-15,-16,-17,-18,-19,-20,-21,-22,-23,-24,-25,-26,-27,-28,-29,-30,-31,-32,-1,-2,-3,-4,-5,-6,-7,-8,-9,-10,-11,-12,-13,-14,-15,-16,-17,-18,-19,-20,-21,-22,-23,-24,-25,-26,-27,-28,-29,-30,-31,-32 --buffer 1=zeros:u32:1
#include <metal_stdlib>
using namespace metal;

kernel void any_negative(device const float *x [[buffer(0)]], device uint *flag [[buffer(1)]],
                         uint i [[thread_position_in_grid]])
{
    if (x[i] < 0.0f) *flag = 1; // expect: race
}
