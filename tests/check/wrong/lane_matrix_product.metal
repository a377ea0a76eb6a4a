// A matrix product needs all 32 lanes; the second simdgroup has 16.
// run: --kernel square --grid 48 --threads 48 --buffer 0=random:f32:8x8 --buffer 1=zeros:f32:2x8x8
#include <metal_stdlib>
using namespace metal;

kernel void square(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                   uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    simdgroup_float8x8 a, product;
    simdgroup_load(a, x, 8);
    simdgroup_multiply(product, a, a); // expect: inactive-lane
    simdgroup_store(product, out + simdgroup * 64, 8);
}
