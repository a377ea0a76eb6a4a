// The buffer was promised to be read only.
// run: --kernel clear --grid 8 --threads 8 --buffer 0=random:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void clear(device const float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    ((device float *)x)[i] = 0.0f; // expect: const
}
