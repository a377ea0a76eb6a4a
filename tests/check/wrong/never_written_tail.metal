// A thread takes four elements; the last three of 67 are nobody's.
// run: --kernel negate --grid 16 --threads 16 --buffer 0=random:f32:67 --buffer 1=empty:f32:67 --bytes 2=u32:67
#include <metal_stdlib>
using namespace metal;

kernel void negate(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], // expect: never-written
                   constant uint &N [[buffer(2)]], uint i [[thread_position_in_grid]])
{
    for (uint n = 4 * i; n < min(4 * i + 4, N); n++) out[n] = -x[n];
}
