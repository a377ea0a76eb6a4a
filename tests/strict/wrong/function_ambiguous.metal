// expect: ambiguous
#include <metal_stdlib>
using namespace metal;

kernel void limit(device uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = min(x[i], 7);
}
