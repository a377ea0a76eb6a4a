// A function leaves most of its array unwritten; what a simd function does there afterwards is no read of it.
// run: --kernel total --grid 64 --threads 32 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

static float first_of_many(float value)
{
    float many[2048];
    many[0] = value;
    return many[0];
}

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    float value = first_of_many(x[i]);
    out[i] = simd_sum(value);
}
