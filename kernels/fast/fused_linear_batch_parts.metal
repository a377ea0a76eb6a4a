// fused_linear_batch_parts.metal — several products of a batch in one kernel, for decoding Llama and its relatives
//
//   linear_batch_parts   out[t,n] = y[t,n]       y[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//   linear_batch_gated   out[t,n] = f(y of gate[t,n]) · y of up[t,n],   f = silu or gelu
//
// fused_linear_batch.metal, of which a block of ROWS weight rows may as well come from several matrices. What are three
// products for the model, q, k and v, is one here: their rows follow each other, and each matrix has a multiple of eight.
// linear_batch_gated takes eight rows of gate and the same eight of up, so that a threadgroup has both sums of a channel.
// K is a multiple of PART, N at least ROWS, for linear_batch_gated eight. Grid (≤ ⌈N / ROWS⌉, ⌈T / 8 TILES⌉), for
// linear_batch_gated (≤ ⌈N / 8⌉, …).
#include <metal_stdlib>
using namespace metal;
#include "parts/batch_products.h"
#include "parts/gelu.h"
#include "parts/side_by_side.h"
#include "parts/silu.h"
#include "parts/wait.h"

// A number of the sums of all simdgroups.
template <uint TILES>
static float sum_of(threadgroup float (*sums)[2][TILES][64], uint simdgroups, uint r, uint tile, uint i)
{
    float sum = 0.0f;
    for (uint s = 0; s < simdgroups; s++) sum += sums[s][r][tile][i];
    return sum;
}

// Rows of three matrices from n on.
static Block block_of(device const half *a, device const half *b, device const half *c, uint n, uint A, uint B, uint K)
{
    return {{row_of(a, b, c, n, A, B, K), row_of(a, b, c, n + 8, A, B, K)}};
}

template <uint TILES>
kernel void linear_batch_parts(
    device const half *x [[buffer(0)]],        // [⌈T/8⌉·8,K]
    device const half *weight_a [[buffer(1)]], // [A,K]
    device const half *weight_b [[buffer(2)]], // [B,K]
    device const half *weight_c [[buffer(3)]], // [C,K]
    device const float *bias_a [[buffer(4)]],  // [A]
    device const float *bias_b [[buffer(5)]],  // [B]
    device const float *bias_c [[buffer(6)]],  // [C]
    device float *out [[buffer(7)]],           // [T,A+B+C]
    constant uint &T [[buffer(8)]],
    constant uint &K [[buffer(9)]],
    constant uint &A [[buffer(10)]],
    constant uint &B [[buffer(11)]],
    constant uint &C [[buffer(12)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB
    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS), N = A + B + C;
    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};
    Block rows = block_of(weight_a, weight_b, weight_c, begin_of(group.x, N), A, B, K);
    bool takes_part = simdgroup < simdgroups;
    simdgroup_half8x8 ahead[AHEAD][2][4];
    // Weights never change: the first of them are read before the kernel that makes x has ended.
    if (takes_part) read_ahead(rows, simdgroup, simdgroups, K, ahead);
    wait_for_previous_kernel();
    for (uint block = group.x; block * ROWS < N; block += groups.x) {
        uint first_row = begin_of(block, N), next = block + groups.x;
        if (takes_part) {
            simdgroup_float8x8 sum[TILES][2];
            multiply(rows, tiles, simdgroup, simdgroups, K, ahead, sum);
            rows = block_of(weight_a, weight_b, weight_c, begin_of(next, N), A, B, K);
            if (next * ROWS < N) read_ahead(rows, simdgroup, simdgroups, K, ahead);
            store_sums(sum, sums[simdgroup]);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below
        for (uint i = thread_index; i < ROWS * 8 * TILES; i += threads) {
            uint r = i / (64 * TILES), tile = i / 64 % TILES, n = first_row + 8 * r + i % 64 / 8;
            ulong t = 8 * (tiles.first + tile) + i % 8;
            if (t >= T || n < block * ROWS) continue; // the block before has these rows
            out[t * N + n] = sum_of(sums, simdgroups, r, tile, i % 64) + *row_of(bias_a, bias_b, bias_c, n, A, B, 1);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the reads above ↔ the next writes
    }
}

// Where a block of eight rows of gate and of up begins.
static uint gated_begin(uint block, uint N) { return min(block * 8, N - 8); }

// Eight rows of two matrices from n on.
static Block block_of(device const half *gate, device const half *up, uint n, uint K)
{
    return {{gate + ulong(n) * K, up + ulong(n) * K}};
}

template <uint TILES>
kernel void linear_batch_gated(
    device const half *x [[buffer(0)]],          // [⌈T/8⌉·8,K]
    device const half *gate [[buffer(1)]],       // [N,K]
    device const half *up [[buffer(2)]],         // [N,K]
    device const float *gate_bias [[buffer(3)]], // [N]
    device const float *up_bias [[buffer(4)]],   // [N]
    device half *out [[buffer(5)]],              // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB
    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);
    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};
    Block rows = block_of(gate, up, gated_begin(group.x, N), K);
    bool takes_part = simdgroup < simdgroups;
    simdgroup_half8x8 ahead[AHEAD][2][4];
    // Weights never change: the first of them are read before the kernel that makes x has ended.
    if (takes_part) read_ahead(rows, simdgroup, simdgroups, K, ahead);
    wait_for_previous_kernel();
    for (uint block = group.x; block * 8 < N; block += groups.x) {
        uint first_row = gated_begin(block, N), next = block + groups.x;
        if (takes_part) {
            simdgroup_float8x8 sum[TILES][2];
            multiply(rows, tiles, simdgroup, simdgroups, K, ahead, sum);
            rows = block_of(gate, up, gated_begin(next, N), K);
            if (next * 8 < N) read_ahead(rows, simdgroup, simdgroups, K, ahead);
            store_sums(sum, sums[simdgroup]);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below
        for (uint i = thread_index; i < 64 * TILES; i += threads) {
            uint tile = i / 64, n = first_row + i % 64 / 8;
            ulong t = 8 * (tiles.first + tile) + i % 8;
            if (t >= T || n < block * 8) continue; // the block before has these rows
            float open = sum_of(sums, simdgroups, 0, tile, i % 64) + gate_bias[n];
            open = gelu ? gelu_of(open) : silu_of(open);
            out[t * N + n] = half(open * (sum_of(sums, simdgroups, 1, tile, i % 64) + up_bias[n]));
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the reads above ↔ the next writes
    }
}

template [[host_name("linear_batch_parts_8")]] kernel decltype(linear_batch_parts<1>) linear_batch_parts<1>;
template [[host_name("linear_batch_parts_16")]] kernel decltype(linear_batch_parts<2>) linear_batch_parts<2>;
template [[host_name("linear_batch_parts_32")]] kernel decltype(linear_batch_parts<4>) linear_batch_parts<4>;
template [[host_name("linear_batch_gated_8")]] kernel decltype(linear_batch_gated<1>) linear_batch_gated<1>;
template [[host_name("linear_batch_gated_16")]] kernel decltype(linear_batch_gated<2>) linear_batch_gated<2>;
template [[host_name("linear_batch_gated_32")]] kernel decltype(linear_batch_gated<4>) linear_batch_gated<4>;
