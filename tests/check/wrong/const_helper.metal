// A helper function that changes what it is given.
// run: --kernel negate --grid 8 --threads 8 --buffer 0=random:f32:8 --buffer 1=empty:f32:8
#include <metal_stdlib>
using namespace metal;

static float negated(device float *x, uint i)
{
    x[i] = -x[i]; // expect: const
    return x[i];
}

kernel void negate(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                   uint i [[thread_position_in_grid]])
{
    out[i] = negated(const_cast<device float *>(x), i);
}
