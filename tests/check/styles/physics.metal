// Particles, positions along a Z curve, the cells of a surface, clusters.
#include <metal_stdlib>
#include <simd/simd.h>
using namespace metal;

struct Particle {
    float3 position;
    float3 velocity;
    float  mass;
    uint   flags : 8, group : 24;
    packed_half4 color;
};
static_assert(sizeof(Particle) == 48, "stride");

struct SimulationConstants {
    simd_float3 gravity;
    float       timestep;
    float       damping;
    vector_float4 boxMin, boxMax;
    matrix_float4x4 transform;
    uint2       cells;
};

enum ParticleFlags : uint { kParticleAlive = 1 << 0, kParticleFrozen = 1 << 1 };

static void reflect_in_box(thread Particle &p, constant SimulationConstants &c)
{
    for (int axis = 0; axis < 3; ++axis) {
        if (p.position[axis] < c.boxMin[axis]) {
            p.position[axis] = 2 * c.boxMin[axis] - p.position[axis];
            p.velocity[axis] *= -c.damping;
        } else if (p.position[axis] > c.boxMax[axis]) {
            p.position[axis] = 2 * c.boxMax[axis] - p.position[axis];
            p.velocity[axis] *= -c.damping;
        }
    }
}

kernel void integrate(device Particle *particles [[buffer(0)]],
                      constant SimulationConstants &constants [[buffer(1)]],
                      constant uint &count [[buffer(2)]],
                      uint id [[thread_position_in_grid]])
{
    if (id >= count) return;
    Particle p = particles[id];
    if (p.flags & kParticleFrozen) return;
    p.velocity += constants.gravity * constants.timestep;
    p.velocity *= 1.0 - constants.damping;
    p.position += p.velocity * constants.timestep;
    p.position = (constants.transform * float4(p.position, 1.0)).xyz;
    reflect_in_box(p, constants);
    p.color.w = half(smoothstep(0.0, 1.0, length(p.velocity)));
    p.flags |= kParticleAlive;
    particles[id] = p;
}

kernel void marching_cubes_count(device const float *field [[buffer(0)]], device uint *cubeIndex [[buffer(1)]], device atomic_uint *active [[buffer(2)]],
                                 constant float &iso [[buffer(3)]], uint3 p [[thread_position_in_grid]], uint3 size [[threads_per_grid]])
{
    const uint3 n = size + 1;
    uint index = 0;
    for (uint corner = 0; corner < 8; corner++) {
        const uint3 q = p + uint3(corner & 1, (corner >> 1) & 1, corner >> 2);
        index |= uint(field[(q.z * n.y + q.y) * n.x + q.x] > iso) << corner;
    }
    cubeIndex[(p.z * size.y + p.y) * size.x + p.x] = index;
    const bool crosses = index != 0 && index != 255;
    const uint here = popcount(uint((simd_vote::vote_t)simd_ballot(crosses)));
    if (simd_is_first()) atomic_fetch_add_explicit(active, here, memory_order_relaxed);
}

inline uint expandBits(uint v) { v = (v * 0x00010001u) & 0xFF0000FFu; v = (v * 0x00000101u) & 0x0F00F00Fu; v = (v * 0x00000011u) & 0xC30C30C3u; v = (v * 0x00000005u) & 0x49249249u; return v; }
struct Bounds { float3 lo, hi; };

kernel void morton_codes(device const packed_float3 *points [[buffer(0)]], device uint *codes [[buffer(1)]], constant Bounds &b [[buffer(2)]], constant uint &n [[buffer(3)]], uint i [[thread_position_in_grid]])
{
    if (i >= n) return;
    const float3 f = saturate((points[i] - b.lo) / (b.hi - b.lo));
    const uint3 q = uint3(min(f * 1024, 1023));
    codes[i] = (expandBits(q.x) << 2) | (expandBits(q.y) << 1) | expandBits(q.z);
}

kernel void kmeans_assign(device const float4 *points [[buffer(0)]], device const float4 *centers [[buffer(1)]], device uint *labels [[buffer(2)]],
                          device atomic_float *sums [[buffer(3)]], device atomic_uint *counts [[buffer(4)]],
                          uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]], uint n [[threads_per_threadgroup]])
{
    constexpr uint K = 5;
    threadgroup float4 shared_centers[K];
    for (uint k = t; k < K; k += n) shared_centers[k] = centers[k];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const float4 p = points[i];
    float best = MAXFLOAT; uint label = 0;
    for (uint k = 0; k < K; k++) { const float d = distance_squared(p, shared_centers[k]); if (d < best) { best = d; label = k; } }
    labels[i] = label;
    for (int c = 0; c < 4; c++) atomic_fetch_add_explicit(&sums[label * 4 + c], p[c], memory_order_relaxed);
    atomic_fetch_add_explicit(&counts[label], 1, memory_order_relaxed);
}
