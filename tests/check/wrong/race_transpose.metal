// The tile is read across before it is whole.
// run: --kernel transpose --grid 8,8 --threads 8,8 --buffer 0=random:f32:8x8 --buffer 1=empty:f32:8x8
#include <metal_stdlib>
using namespace metal;

kernel void transpose(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                      uint2 t [[thread_position_in_threadgroup]])
{
    threadgroup float tile[8][9];
    tile[t.y][t.x] = x[t.y * 8 + t.x]; // expect: race
    out[t.y * 8 + t.x] = tile[t.x][t.y]; // expect: race, unwritten
}
