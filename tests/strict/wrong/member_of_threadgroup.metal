// expect: outside of thread memory
#include <metal_stdlib>
using namespace metal;

struct Sum {
    float value;
    void add(float x) { value += x; }
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup Sum sum;
    sum.add(x[i]);
    x[i] = sum.value;
}
