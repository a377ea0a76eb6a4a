// Tiles of a matrix product, two of them declared at once.
// run: --kernel multiply --grid 16,16 --threads 8,8 --buffer 0=random:f32:16x32 --buffer 1=random:f32:32x16 --buffer 2=empty:f32:16x16 --bytes 3=u32:32
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],
                     device float *c [[buffer(2)]], constant uint &K [[buffer(3)]],
                     uint2 at [[thread_position_in_grid]], uint2 t [[thread_position_in_threadgroup]],
                     uint2 size [[threads_per_grid]])
{
    threadgroup float left[8][8], right[8][8];
    float sum = 0.0f;
    for (uint k = 0; k < K; k += 8) {
        left[t.y][t.x] = a[at.y * K + k + t.x];
        right[t.y][t.x] = b[(k + t.y) * size.x + at.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 8; i++) sum += left[t.y][i] * right[i][t.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    c[at.y * size.x + at.x] = sum;
}
