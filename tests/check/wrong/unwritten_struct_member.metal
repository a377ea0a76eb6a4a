// One of two members is set.
// run: --kernel apply --grid 8 --threads 8 --buffer 0=random:f32:8
#include <metal_stdlib>
using namespace metal;

struct Line {
    float slope, offset;
};

kernel void apply(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Line line;
    line.slope = 2.0f;
    x[i] = line.slope * x[i] + line.offset; // expect: unwritten
}
