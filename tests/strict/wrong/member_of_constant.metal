// expect: cannot initialize object parameter
#include <metal_stdlib>
using namespace metal;

struct Sizes {
    uint count;
    uint rows() const { return count / 2; }
};

kernel void scale(device uint *x [[buffer(0)]], constant Sizes &size [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    x[i] = size.rows();
}
