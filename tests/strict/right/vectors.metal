// Vectors: constructors, elements, swizzles, scalars beside them, conversions.
#include <metal_stdlib>
using namespace metal;

kernel void vectors(
    device float4 *x [[buffer(0)]],
    device const half4 *y [[buffer(1)]],
    constant float3 &scale [[buffer(2)]],
    device uint2 *indices [[buffer(3)]],
    uint2 i [[thread_position_in_grid]],
    uint2 grid [[threads_per_grid]])
{
    uint at = i.y * grid.x + i.x;
    float4 value = float4(y[at]) * 2.0f + float4(scale, 1.0f);
    value = max(value, 0.0f) + float4(1.0f, 2.0f, 3.0f, float(at));
    value.xyz = value.zyx * scale;
    value[3] = dot(value, value);
    x[at] = clamp(value, 0.0f, 1.0f);
    float4 mixed = mix(value, float4(0.5f), 0.25f);
    x[at] = select(mixed, value, value < mixed);
    indices[at] = uint2(as_type<uint>(value.x), at);
    int3 counts = int3(1, 2, 3) % 2;
    indices[at].x += uint(counts.x) + uint(any(value > 1.0f));
}
