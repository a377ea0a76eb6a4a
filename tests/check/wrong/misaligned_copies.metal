// One float behind the beginning no float4 lies. Each copy of a whole vector is told once, in its line.
// run: --kernel copies --grid 1 --threads 1 --buffer 0=random:f32:12 --buffer 1=empty:f32:20
#include <metal_stdlib>
using namespace metal;

kernel void copies(device float *x [[buffer(0)]], device float4 *out [[buffer(1)]])
{
    device float4 *v = (device float4 *)(x + 1);
    volatile device float4 *w = (volatile device float4 *)(x + 1);
    float4 own;
    own = v[0]; // expect: misaligned
    out[0] = own;
    out[1] = v[0];     // expect: misaligned
    float4 other = v[1]; // expect: misaligned
    out[2] = other + 1;
    v[1] = other; // expect: misaligned
    out[3] = w[0]; // expect: misaligned
    w[1] = own;    // expect: misaligned
    out[4] = w[1].xyzw; // expect: misaligned
}
