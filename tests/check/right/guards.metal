// Guards at both ends, a grid of three dimensions.
// run: --kernel blur --grid 70,5,2 --threads 16,4,2 --buffer 0=random:f32:2x5x67 --buffer 1=empty:f32:2x5x67 --bytes 2=u32:67
#include <metal_stdlib>
using namespace metal;

kernel void blur(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 constant uint &W [[buffer(2)]], uint3 id [[thread_position_in_grid]],
                 uint3 size [[threads_per_grid]])
{
    if (id.x >= W) return;
    device const float *row = x + (ulong(id.z) * size.y + id.y) * W;
    float left = id.x > 0 ? row[id.x - 1] : 0.0f, right = id.x + 1 < W ? row[id.x + 1] : 0.0f;
    out[(ulong(id.z) * size.y + id.y) * W + id.x] = 0.25f * left + 0.5f * row[id.x] + 0.25f * right;
}
