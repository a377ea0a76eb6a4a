// expect: goto
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread void *target = &&done;
    if (x[i] > 0.0f) goto *target;
    done:
    x[i] = 0.0f;
}
