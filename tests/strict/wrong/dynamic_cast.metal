// expect: dynamic_cast
#include <metal_stdlib>
using namespace metal;

struct Activation {
    float scale;
};

struct Gelu : Activation {
    float limit;
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread Activation *activation = nullptr;
    if (dynamic_cast<thread Gelu *>(activation)) x[i] = 0.0f;
}
