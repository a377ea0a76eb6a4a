// Cells and their neighbours: a game, sums along rows, Jacobi's relaxation with its residual.
#include <metal_stdlib>
using namespace metal;

kernel void game_of_life(texture2d<uint, access::read> current [[texture(0)]], texture2d<uint, access::write> next [[texture(1)]], uint2 index [[thread_position_in_grid]])
{
    const uint2 size = uint2(current.get_width(), current.get_height());
    int alive = 0;
    const int2 offsets[] = {int2(-1, -1), int2(0, -1), int2(1, -1), int2(-1, 0), int2(1, 0), int2(-1, 1), int2(0, 1), int2(1, 1)};
    for (const int2 o : offsets) alive += current.read((index + uint2(o) + size) % size).r > 40;
    const bool lives = (current.read(index).r > 40) ? (alive == 2 || alive == 3) : (alive == 3);
    next.write(lives ? 255u : 0u, index);
}

kernel void integral_rows(texture2d<uint, access::read> image [[texture(0)]], device uint *sums [[buffer(0)]], constant uint &width [[buffer(1)]],
                          uint row [[threadgroup_position_in_grid]], uint lane [[thread_index_in_simdgroup]])
{
    uint carry = 0;
    for (uint x0 = 0; x0 < width; x0 += 32) {
        const uint x = x0 + lane;
        const uint v = x < width ? image.read(uint2(x, row)).x : 0;
        const uint inclusive = simd_prefix_inclusive_sum(v) + carry;
        if (x < width) sums[row * width + x] = inclusive;
        carry = simd_broadcast(inclusive, 31);
    }
}

// a floating-point maximum by the order of bits
inline void atomic_max_float(volatile device atomic_uint *address, float value) { atomic_fetch_max_explicit(address, as_type<uint>(value), memory_order_relaxed); }

kernel void jacobi(device const float (*u)[20] [[buffer(0)]], device const float *f [[buffer(1)]], device float *next [[buffer(2)]],
                   device atomic_uint *residual [[buffer(3)]], uint2 p [[thread_position_in_grid]],
                   uint2 t [[thread_position_in_threadgroup]], uint2 T [[threads_per_threadgroup]])
{
    threadgroup float tile[8][8];
    const uint x = p.x + 1, y = p.y + 1;
    tile[t.y + 1][t.x + 1] = u[y][x];
    if (t.x == 0) tile[t.y + 1][0] = u[y][x - 1];
    if (t.x == T.x - 1) tile[t.y + 1][t.x + 2] = u[y][x + 1];
    if (t.y == 0) tile[0][t.x + 1] = u[y - 1][x];
    if (t.y == T.y - 1) tile[t.y + 2][t.x + 1] = u[y + 1][x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const float v = 0.25f * (tile[t.y][t.x + 1] + tile[t.y + 2][t.x + 1] + tile[t.y + 1][t.x] + tile[t.y + 1][t.x + 2] - f[y * 20 + x]);
    next[y * 20 + x] = v;
    atomic_max_float(residual, fabs(v - tile[t.y + 1][t.x + 1]));
}
