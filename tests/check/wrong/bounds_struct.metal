// Nine points, ten threads.
// run: --kernel shift --grid 10 --threads 10 --buffer 0=random:f32:9x3 --buffer 1=empty:f32:10
#include <metal_stdlib>
using namespace metal;

struct Point {
    float x, y, z;
};

kernel void shift(device const Point *points [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = points[i].y; // expect: out-of-bounds
}
