// expect: recursion
#include <metal_stdlib>
using namespace metal;

template <typename T>
static T power(T x, uint n)
{
    return n == 0 ? T(1) : x * power(x, n - 1);
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = power(x[i], i);
}
