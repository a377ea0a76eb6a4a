// Of four elements three are set.
// run: --kernel norm --grid 8 --threads 8 --buffer 0=random:f32:24 --buffer 1=empty:f32:8
#include <metal_stdlib>
using namespace metal;

kernel void norm(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    float4 v;
    v.xyz = float3(x[3 * i], x[3 * i + 1], x[3 * i + 2]);
    out[i] = v.x + v.y + v.z + v.w; // expect: unwritten
}
