// expect: goto
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    if (x[i] == 0.0f) goto done;
    x[i] = 0.0f;
done:
    return;
}
