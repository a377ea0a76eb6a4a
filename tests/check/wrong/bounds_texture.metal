// No guard: the grid is rounded up to whole threadgroups.
// run: --kernel invert --grid 16,16 --threads 8,8 --texture 0=random:u8:13x14x4 --texture 1=empty:u8:13x14x4
#include <metal_stdlib>
using namespace metal;

kernel void invert(
    texture2d<half, access::read> image [[texture(0)]],
    texture2d<half, access::write> out [[texture(1)]],
    ushort2 at [[thread_position_in_grid]])
{
    half4 colour = image.read(at); // expect: out-of-bounds
    out.write(half4(1 - colour.rgb, colour.a), at); // expect: out-of-bounds
}
