// A blur in two passes of one texture, with a fence and a barrier for textures, then smaller by a sampler.
// run: --kernel blur --grid 16,16 --threads 16,16 --texture 0=random:u8:16x16x4 --texture 1=empty:f16:8x8x4 --sampler 0=linear
// run: --kernel blur --grid 13,9 --threads 13,9 --texture 0=random:f32:9x13 --texture 1=empty:f32:4x6 --sampler 0=pixel,clamp_to_zero
// run: --kernel slices --grid 6,5,4 --threads 2,2,2 --texture 0=random:i16:4x5x6x2 --texture 2=empty:f32:4x5x6x4 --texture 3=range:u32:9
#include <metal_stdlib>
using namespace metal;

kernel void blur(
    texture2d<float, access::read_write> image [[texture(0)]],
    texture2d<float, access::write> small [[texture(1)]],
    sampler given [[sampler(0)]],
    ushort2 at [[thread_position_in_threadgroup]])
{
    ushort2 size = ushort2(image.get_width(), image.get_height());
    ushort right = min(ushort(at.x + 1), ushort(size.x - 1)), down = min(ushort(at.y + 1), ushort(size.y - 1));
    float4 sum = image.read(at) + image.read(ushort2(right, at.y));
    threadgroup_barrier(mem_flags::mem_texture);
    image.write(sum / 2, at);
    threadgroup_barrier(mem_flags::mem_texture);
    sum = image.read(at) + image.read(ushort2(at.x, down));
    threadgroup_barrier(mem_flags::mem_texture);
    image.write(sum / 2, at);
    image.fence();
    float4 own = image.read(at);
    if (all(at < ushort2(small.get_width(), small.get_height()))) small.write(own, at);
}

constexpr sampler smooth(filter::linear, address::mirrored_repeat, s_address::repeat);

template <typename T> static T faded(T colour, texture1d<uint, access::read> steps, uint z)
{
    return colour * T(steps.read(z).x) / T(steps.get_width());
}

kernel void slices(
    texture3d<float> volume [[texture(0)]],
    texture3d<float, access::write> out [[texture(2)]],
    texture1d<uint, access::read> steps [[texture(3)]],
    uint3 at [[thread_position_in_grid]], uint3 size [[threads_per_grid]])
{
    float4 colour = volume.sample(smooth, float3(at) / float3(size) * 3 - 1);
    out.write(faded(colour, steps, at.z), at);
}
