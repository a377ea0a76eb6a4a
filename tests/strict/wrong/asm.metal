// expect: asm
#include <metal_stdlib>
using namespace metal;

kernel void nothing(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    asm("nop");
    x[i] = 0.0f;
}
