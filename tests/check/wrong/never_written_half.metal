// Only every other element is written.
// run: --kernel evens --grid 64 --threads 32 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void evens(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], // expect: never-written
                  uint i [[thread_position_in_grid]])
{
    if (i % 2 == 0) out[i] = x[i];
}
