// run: --kernel tints --grid 20 --threads 20 --texture 0=random:f32:6x4x4x4 --texture 1=random:u8:12x4x4 --texture 2=random:f32:6x4x4 --buffer 0=random:f32:20x3 --buffer 1=empty:f32:20
#include <metal_stdlib>
using namespace metal;

// What three cubes have in the direction of each point: a sky, one of two masks, and whether the
// point is nearer than the depth there.
kernel void tints(
    texturecube<float> sky [[texture(0)]],
    texturecube_array<float> masks [[texture(1)]],
    depthcube<float> depth [[texture(2)]],
    device const packed_float3 *points [[buffer(0)]],
    device float *out [[buffer(1)]],
    uint i [[thread_position_in_grid]])
{
    constexpr sampler linear(filter::linear);
    constexpr sampler nearer(filter::nearest, compare_func::less);
    float3 at = points[i];
    float shade = sky.sample(linear, at).g + sky.sample(linear, -at, level(0)).r;
    shade += masks.sample(linear, at, i % 2).r * depth.sample(linear, at);
    out[i] = shade + depth.sample_compare(nearer, at, length(at)) + float(sky.get_width() + masks.get_array_size());
}
