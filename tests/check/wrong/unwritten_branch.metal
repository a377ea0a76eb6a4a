// Between −0.5 and 0 nothing is set.
// run: --kernel sign_of --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void sign_of(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    float result;
    if (x[i] > 0.0f) result = 1.0f;
    if (x[i] < -0.5f) result = -1.0f;
    out[i] = result; // expect: unwritten
}
