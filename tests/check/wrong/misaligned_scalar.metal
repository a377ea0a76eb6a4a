// A header of two bytes comes first, the floats behind it lie at odd places.
// run: --kernel payload --grid 8 --threads 8 --buffer 0=random:u8:34 --buffer 1=empty:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void payload(device const uchar *block [[buffer(0)]], device float *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    device const float *values = (device const float *)(block + 2);
    out[i] = values[i]; // expect: misaligned
}
