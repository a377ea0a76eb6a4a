// expect: virtual
#include <metal_stdlib>
using namespace metal;

struct Value {
    float value;
};

struct Scaled : virtual Value {
    float scale;
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Scaled scaled;
    scaled.value = x[i];
    x[i] = scaled.value;
}
