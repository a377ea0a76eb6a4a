// expect: recursion
#include <metal_stdlib>
using namespace metal;

static uint factorial(uint n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

kernel void factorials(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    out[i] = factorial(i);
}
