// Threadgroups at the edge are smaller.
// run: --kernel transpose --grid 20,12 --threads 8,8 --buffer 0=random:f32:12x20 --buffer 1=empty:f32:20x12
#include <metal_stdlib>
using namespace metal;

kernel void transpose(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                      uint2 at [[thread_position_in_grid]], uint2 t [[thread_position_in_threadgroup]],
                      uint2 group [[threadgroup_position_in_grid]], uint2 size [[threads_per_grid]],
                      uint2 extent [[threads_per_threadgroup]])
{
    threadgroup float tile[8][9];
    tile[t.y][t.x] = x[at.y * size.x + at.x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint index = t.y * extent.x + t.x, row = index / extent.y, column = index % extent.y;
    out[(group.x * 8 + row) * size.y + group.y * 8 + column] = tile[column][row];
}
