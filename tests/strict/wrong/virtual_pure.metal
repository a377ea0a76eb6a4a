// expect: virtual
#include <metal_stdlib>
using namespace metal;

struct Activation {
    virtual float apply(float x) const = 0;
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}
