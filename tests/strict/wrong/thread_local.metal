// expect: thread_local|thread-local
#include <metal_stdlib>
using namespace metal;

thread_local float last = 0.0f;

kernel void remember(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    last = x[i];
}
