// expect: get_global_id
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[get_global_id(0)] = 0.0f;
}
