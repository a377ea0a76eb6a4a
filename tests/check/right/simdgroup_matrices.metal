// Tiles of 8×8 that a simdgroup multiplies.
// run: --kernel multiply --grid 64 --threads 32 --buffer 0=random:f32:8x16 --buffer 1=random:f32:16x16 --buffer 2=empty:f32:8x16 --bytes 3=u32:16
// run: --kernel squares --grid 32 --threads 32 --buffer 0=random:f16:8x8 --buffer 1=empty:f32:8x8
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

kernel void multiply(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],
                     device float *c [[buffer(2)]], constant uint &K [[buffer(3)]],
                     uint group [[threadgroup_position_in_grid]])
{
    simdgroup_float8x8 left, right, sum = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint k = 0; k < K; k += 8) {
        simdgroup_load(left, a + k, K);
        simdgroup_load(right, b + k * 16 + group * 8, 16);
        simdgroup_multiply_accumulate(sum, left, right, sum);
    }
    simdgroup_store(sum, c + group * 8, 16);
}

// (a · aᵀ)², each element for itself, from halves to floats.
kernel void squares(device const half *a [[buffer(0)]], device float *c [[buffer(1)]])
{
    simdgroup_half8x8 left, right;
    simdgroup_float8x8 product;
    simdgroup_load(left, a);
    simdgroup_load(right, a, 8, ulong2(0, 0), true);
    simdgroup_multiply(product, left, right);
    product.thread_elements() *= product.thread_elements();
    simdgroup_store(product, c);
}
