// expect: incompatible|no viable|cannot
#include <metal_stdlib>
using namespace metal;

kernel void convert(device float4 *x [[buffer(0)]], device const int4 *y [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    x[i] = y[i];
}
