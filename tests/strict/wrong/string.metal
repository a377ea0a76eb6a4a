// expect: cannot initialize
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread const char *name = "layernorm";
    x[i] = float(name[0]);
}
