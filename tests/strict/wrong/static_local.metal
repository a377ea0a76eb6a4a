// expect: must reside in constant address space
#include <metal_stdlib>
using namespace metal;

kernel void count(device uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    static uint calls = 0;
    x[i] = calls++;
}
