// Stages that are no kernels, a namespace, a host name, inputs of all functions.
// run: --kernel doubled --grid 50 --threads 32 --buffer 0=empty:f32:50
// run: --kernel image::tripled --grid 50 --threads 32 --buffer 0=empty:f32:50
#include <metal_stdlib>
using namespace metal;

struct Corner {
    float4 position [[position]];
};

vertex Corner corners(uint i [[vertex_id]])
{
    Corner corner;
    corner.position = float4(i);
    return corner;
}

fragment float4 colours(Corner corner [[stage_in]]) { return corner.position; }

uint gid [[thread_position_in_grid]];

static float scaled(float factor) { return factor * gid; }

[[host_name("doubled")]] kernel void times_two(device float *out [[buffer(0)]]) { out[gid] = scaled(2); }

namespace image {
kernel void tripled(device float *out [[buffer(0)]]) { out[gid] = scaled(3); }
} // namespace image
