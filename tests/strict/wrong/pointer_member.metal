// expect: data: a pointer or reference needs an address space
#include <metal_stdlib>
using namespace metal;

struct Row {
    float *data;
};

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Row row = {x};
    row.data[i] = 0.0f;
}
