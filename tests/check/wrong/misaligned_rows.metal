// Rows of 130 halves begin at multiples of 260 bytes, half4 wants multiples of 8.
// run: --kernel first_of_rows --grid 4 --threads 4 --buffer 0=random:f16:4x130 --buffer 1=empty:f32:4 --bytes 2=u32:130
#include <metal_stdlib>
using namespace metal;

kernel void first_of_rows(device const half *x [[buffer(0)]], device float *out [[buffer(1)]],
                          constant uint &C [[buffer(2)]], uint n [[thread_position_in_grid]])
{
    device const half4 *row = (device const half4 *)(x + n * C);
    out[n] = float(row[0].x) + float(row[0].w); // expect: misaligned
}
