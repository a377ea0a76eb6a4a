// The barrier orders threadgroup memory, not textures.
// run: --kernel smear --grid 8,8 --threads 8,8 --texture 0=random:f32:8x8x4
#include <metal_stdlib>
using namespace metal;

kernel void smear(texture2d<float, access::read_write> image [[texture(0)]], uint2 at [[thread_position_in_grid]])
{
    float4 left = image.read(uint2(max(at.x, 1u) - 1, at.y)); // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    image.write((image.read(at) + left) / 2, at); // expect: race
}
