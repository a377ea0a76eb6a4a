// Vectors, swizzles, conversions.
// run: --kernel vectors --grid 16 --threads 16 --buffer 0=random:f32:16x4 --buffer 1=empty:f32:16x4
#include <metal_stdlib>
using namespace metal;

kernel void vectors(device const float4 *x [[buffer(0)]], device float4 *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    float4 v = x[i];
    float3 a = v.xyz, b;
    b.x = a.z;
    b.yz = a.xy * 2.0f;
    v.w = dot(a, b) + length(cross(a, b));
    v.rgb = normalize(v.bgr + 1e-3f);
    half4 h = half4(v);
    int4 n = int4(v * 8.0f);
    v += float4(h) + float4(n) + float4(a.xy, 1.0f, 0.0f);
    out[i] = select(v, v.wzyx, v > 0.0f);
}
