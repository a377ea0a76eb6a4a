// expect: outside of thread memory
#include <metal_stdlib>
using namespace metal;

struct block {
    half scale;
    char value[32];
    float first() const { return float(scale) * float(value[0]); }
};

kernel void scale(device const block *blocks [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = blocks[i].first();
}
