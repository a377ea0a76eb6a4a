// Matrices, those of simdgroups, packed vectors, limits, arrays and questions about types.
#include <metal_stdlib>
using namespace metal;

struct Particle {
    packed_float3 position;
    float mass;
};

template <typename T, typename = enable_if_t<is_floating_point_v<T>>>
static T halved(T x)
{
    return x * T(0.5f);
}

kernel void matrices(
    device float *x [[buffer(0)]],
    device half *y [[buffer(1)]],
    constant float4x4 &view [[buffer(2)]],
    device Particle *particles [[buffer(3)]],
    device const float3x3 *turns [[buffer(4)]],
    uint i [[thread_position_in_grid]])
{
    threadgroup float tile[64];
    float4 point = view * float4(particles[i].position, 1.0f);
    float3x3 turn = turns[i];
    float2x2 small = float2x2(float2(1.0f, 2.0f), float2(3.0f));
    particles[i].position = turn * point.xyz + packed_float3(1.0f, 2.0f, 3.0f);
    turn[0] = transpose(turn)[1] * determinant(small * small);
    x[i] = turn[0][2] + view[3].x + turns[i][1][1];

    simdgroup_float8x8 sum(0.0f), filled = make_filled_simdgroup_matrix<float, 8, 8>(1.0f);
    simdgroup_half8x8 a, b;
    simdgroup_load(a, y, 8);
    simdgroup_load(b, y + 64, 16, ulong2(8, 0), true);
    simdgroup_multiply_accumulate(sum, a, b, filled);
    sum.thread_elements()[0] += 1.0f;
    simdgroup_store(sum, tile, 8);
    simdgroup_multiply(filled, a, b);
    simdgroup_store(filled, x + 64);

    array<float, 4> values;
    values[i % 4] = halved(numeric_limits<float>::max());
    static_assert(is_same_v<decltype(halved(1.0h)), half>, "");
    static_assert(values.size() == 4, "");
    x[i] += values[0] + conditional_t<true, float, half>(tile[i]) + float(numeric_limits<uint>::max());
}
