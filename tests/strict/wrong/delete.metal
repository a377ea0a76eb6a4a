// expect: delete
#include <metal_stdlib>
using namespace metal;

static void release(thread float *value)
{
    delete value;
}

kernel void release_one(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float value = x[i];
    release(&value);
}
