// The loop ends one column early.
// run: --kernel copy_rows --grid 5 --threads 5 --buffer 0=random:f32:5x7 --buffer 1=empty:f32:5x7 --bytes 2=u32:7
#include <metal_stdlib>
using namespace metal;

kernel void copy_rows(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], // expect: never-written
                      constant uint &C [[buffer(2)]], uint n [[thread_position_in_grid]])
{
    for (uint c = 0; c + 1 < C; c++) out[n * C + c] = x[n * C + c];
}
