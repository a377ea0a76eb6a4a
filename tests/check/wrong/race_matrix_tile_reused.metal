// The next tile is loaded while others still multiply the last one.
// run: --kernel multiply --grid 8,8 --threads 8,8 --buffer 0=random:f32:8x32 --buffer 1=random:f32:32x8 --buffer 2=empty:f32:8x8 --bytes 3=u32:32
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],
                     device float *c [[buffer(2)]], constant uint &K [[buffer(3)]],
                     uint2 t [[thread_position_in_threadgroup]])
{
    threadgroup float left[8][8];
    threadgroup float right[8][8];
    float sum = 0.0f;
    for (uint k = 0; k < K; k += 8) {
        left[t.y][t.x] = a[t.y * K + k + t.x]; // expect: race
        right[t.y][t.x] = b[(k + t.y) * 8 + t.x]; // expect: race
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 8; i++) sum += left[t.y][i] * right[i][t.x]; // expect: race
    }
    c[t.y * 8 + t.x] = sum;
}
