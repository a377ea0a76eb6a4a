// Rows overlap by one element.
// run: --kernel fill --grid 4 --threads 1 --buffer 0=empty:f32:40 --bytes 1=u32:9
#include <metal_stdlib>
using namespace metal;

kernel void fill(device float *out [[buffer(0)]], constant uint &C [[buffer(1)]],
                 uint n [[thread_position_in_grid]])
{
    device float *row = out + n * C;
    for (uint c = 0; c <= C; c++) row[c] = float(n); // expect: race
}
