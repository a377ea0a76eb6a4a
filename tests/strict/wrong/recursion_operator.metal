// expect: recursion
#include <metal_stdlib>
using namespace metal;

struct Big {
    float value;
    Big operator*(Big other)
    {
        return value < 1.0f ? other : times(other);
    }
    Big times(Big other)
    {
        return *this * other;
    }
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Big big = {x[i]};
    x[i] = (big * big).value;
}
