// expect: main
#include <metal_stdlib>
using namespace metal;

static float main(float x)
{
    return x;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = main(x[i]);
}
