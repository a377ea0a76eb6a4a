// expect: returns void|void return
#include <metal_stdlib>
using namespace metal;

kernel int one(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 1.0f;
    return 1;
}
