// fused_linear_batch.metal — weights × the vectors of a batch by the matrix units, and what follows, for decoding
//
//   linear_batch            out[t,n] = y[t,n]             y[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//   linear_batch_gelu       out[t,n] = gelu(y[t,n])
//   linear_batch_residual   out[t,n] += y[t,n]
//
// A batch decodes as fast as one row as long as each weight is read once for all of its rows and multiplying costs
// nothing. A threadgroup takes ROWS weight rows at a time and TILES tiles of eight tokens, grid (≤ ⌈N / ROWS⌉,
// ⌈T / 8 TILES⌉). Its simdgroups split the columns, PART at a time: each makes 8×8 matrices of float sums from
// 8×8 matrices of halves, which all simdgroups add up in threadgroup memory. K is a multiple of PART, N at least
// ROWS; x has a whole number of tiles, and what its rows past T hold does not matter. Only whole simdgroups
// multiply, so there must be one.
#include <metal_stdlib>
using namespace metal;
#include "parts/batch_products.h"
#include "parts/gelu.h"
#include "parts/wait.h"

template <uint TILES, typename Out, bool GELU, bool ADD>
kernel void linear_batch(
    device const half *x [[buffer(0)]],      // [⌈T/8⌉·8,K]
    device const half *weight [[buffer(1)]], // [N,K]
    device const float *bias [[buffer(2)]],  // [N]
    device Out *out [[buffer(3)]],           // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB
    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];
    threadgroup float shift[ROWS]; // the bias
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);
    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};
    bool takes_part = simdgroup < simdgroups;
    simdgroup_half8x8 ahead[AHEAD][2][4];
    // Weights never change: the first of them are read before the kernel that makes x has ended.
    if (takes_part) read_ahead(block_of(weight, begin_of(group.x, N), K), simdgroup, simdgroups, K, ahead);
    for (uint block = group.x; block * ROWS < N; block += groups.x) {
        uint first_row = begin_of(block, N), next = block + groups.x;
        for (uint i = thread_index; i < ROWS; i += threads) shift[i] = bias[first_row + i];
        if (block == group.x) wait_for_previous_kernel();
        if (takes_part) {
            simdgroup_float8x8 sum[TILES][2];
            multiply(block_of(weight, first_row, K), tiles, simdgroup, simdgroups, K, ahead, sum);
            if (next * ROWS < N) read_ahead(block_of(weight, begin_of(next, N), K), simdgroup, simdgroups, K, ahead);
            store_sums(sum, sums[simdgroup]);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the writes above → the reads below
        for (uint i = thread_index; i < ROWS * 8 * TILES; i += threads) {
            uint r = i / (64 * TILES), tile = i / 64 % TILES, n = 8 * r + i % 64 / 8;
            ulong t = 8 * (tiles.first + tile) + i % 8, at = t * N + first_row + n;
            if (t >= T || first_row + n < block * ROWS) continue; // the block before has these rows
            float before = ADD ? float(out[at]) : 0.0f, y = shift[n];
            for (uint s = 0; s < simdgroups; s++) y += sums[s][r][tile][i % 64];
            out[at] = Out(before + (GELU ? gelu_of(y) : y));
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the reads above ↔ the next writes
    }
}

template [[host_name("linear_batch_8")]] kernel decltype(linear_batch<1, float, false, false>) linear_batch<1, float, false, false>;
template [[host_name("linear_batch_16")]] kernel decltype(linear_batch<2, float, false, false>) linear_batch<2, float, false, false>;
template [[host_name("linear_batch_32")]] kernel decltype(linear_batch<4, float, false, false>) linear_batch<4, float, false, false>;
template [[host_name("linear_batch_gelu_8")]] kernel decltype(linear_batch<1, half, true, false>) linear_batch<1, half, true, false>;
template [[host_name("linear_batch_gelu_16")]] kernel decltype(linear_batch<2, half, true, false>) linear_batch<2, half, true, false>;
template [[host_name("linear_batch_gelu_32")]] kernel decltype(linear_batch<4, half, true, false>) linear_batch<4, half, true, false>;
template [[host_name("linear_batch_residual_8")]] kernel decltype(linear_batch<1, float, false, true>) linear_batch<1, float, false, true>;
template [[host_name("linear_batch_residual_16")]] kernel decltype(linear_batch<2, float, false, true>) linear_batch<2, float, false, true>;
