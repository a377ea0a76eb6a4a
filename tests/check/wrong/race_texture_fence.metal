// A thread sees what it wrote to a texture only behind a fence.
// run: --kernel twice --grid 8,8 --threads 8,8 --texture 0=random:f32:8x8x4
#include <metal_stdlib>
using namespace metal;

kernel void twice(texture2d<float, access::read_write> image [[texture(0)]], uint2 at [[thread_position_in_grid]])
{
    float4 colour = image.read(at);
    image.write(colour * 2, at); // expect: race
    image.write(image.read(at) + 1, at); // expect: race
}
