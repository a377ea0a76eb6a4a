// expect: double2
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    double2 pair = double2(x[i], 1.0f);
    x[i] = float(pair.x);
}
