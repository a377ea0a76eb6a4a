// integer_matmul.metal — block formats × the vectors of a prompt, in integers: a tile of the product at a time
//
//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i]
//
// What integer_linear.metal does for a few vectors, for many: x is rounded to 8 bits by quantise.metal. A threadgroup
// makes COLUMNS columns of out for all T tokens. It unpacks a part of as many weight rows into threadgroup memory,
// where the words of all rows lie side by side, four neighbouring values to a word; then its simdgroups take TOKENS
// rows of x at a time, and a lane has a column. Values of weights are stored + 128, because processors multiply bytes
// without a sign by bytes with one; to make up for it, a sum starts at −128 · Σ value_x. A block of 32 has SCALES
// scales, each with a sum of its own: two where a format has a scale for 16 weights (q2_K, q3_K, q6_K), else one. How
// the formats' values become such words, and what of a least value is left as a shift, is in parts/words.h and
// parts/words_k.h. Later parts add to what the parts before them left in out. Grid ⌈N / COLUMNS⌉ threadgroups.
#include <metal_stdlib>
using namespace metal;
#include "parts/columns.h"
#include "parts/simd_width.h"
#include "parts/words_k.h"

constant constexpr uint BLOCK = 32;     // values of x that share a scale
constant constexpr uint WORDS = 8;      // of a block
constant constexpr uint COLUMNS = 32;   // host: of out, per threadgroup
constant constexpr uint TOKENS = 6;     // whose sums stay in registers

// Blocks first … first + part − 1 of `rows` weight rows, which lie `apart`; zeros for the rows after them.
template <uint SCALES, typename Block>
static void unpack(device const Block *weight, uint rows, ulong apart, uint first, uint part, uint thread_index,
                   uint threads, threadgroup uint (*words)[COLUMNS], threadgroup float (*scales)[COLUMNS],
                   threadgroup float (*shifts)[COLUMNS])
{
    for (uint k = thread_index; k < part * WORDS; k += threads) {
        for (uint n = 0; n < rows; n++) words[k][n] = word_of(weight + n * apart, first + k / WORDS, k % WORDS);
        for (uint n = rows; n < COLUMNS; n++) words[k][n] = 0;
    }
    for (uint k = thread_index; k < part * SCALES; k += threads)
        for (uint n = 0; n < COLUMNS; n++) {
            scales[k][n] = n < rows ? row_scale(weight + n * apart, first * SCALES + k) : 0.0f;
            if (is_shifted(weight)) shifts[k][n] = n < rows ? row_shift(weight + n * apart, first * SCALES + k) : 0.0f;
        }
}

// What the kernel knows of x.
struct Input {
    device const char *values;      // [T,K]
    device const int *offset;       // [T,K/4]
    device const int *block_offset; // [T,K/32]
    device const float *scale;      // [T,K/32]
};

// −128 · Σ value of a block, or of its words from `first` on that share a scale of the weights.
template <uint SCALES>
static int start_of(Input x, ulong block, uint first)
{
    if (SCALES == 1) return x.block_offset[block];
    int sum = 0; // of −8 · Σ value
    for (uint w = first; w < first + WORDS / SCALES; w++) sum += x.offset[block * WORDS + w];
    return 16 * sum;
}

// COUNT rows of out, from t on, or what this part of the blocks, from `first` on, adds to them.
template <uint COUNT, uint SCALES>
static void tile(Input x, uint t, uint first, uint part, ulong blocks, threadgroup const uint (*words)[COLUMNS],
                 threadgroup const float (*scales)[COLUMNS], threadgroup const float (*shifts)[COLUMNS],
                 bool is_shifted, device float *out, uint columns, ulong stride, uint lane, uint lanes)
{
    constexpr uint EACH = WORDS / SCALES; // words with one scale
    for (uint column = lane * AT_ONCE; column < columns; column += lanes * AT_ONCE) { // a GPU's whole simdgroup: once
        FloatColumns total[COUNT];
        for (uint i = 0; i < COUNT; i++) total[i] = FloatColumns(0.0f);
        for (uint k = 0; k < part * SCALES; k++) {
            ulong at = t * blocks + first + k / SCALES;
            uint before = k % SCALES * EACH; // words of the block that have other scales
            int start[COUNT];
            IntColumns sum[COUNT];
            for (uint i = 0; i < COUNT; i++) start[i] = start_of<SCALES>(x, at + i * blocks, before);
            products<EACH>(&words[k * EACH][column], COLUMNS, x.values + at * BLOCK + 4 * before, blocks * BLOCK, start,
                           sum);
            for (uint i = 0; i < COUNT; i++)
                total[i] += scaled(sum[i], &scales[k][column], x.scale[at + i * blocks]);
            for (uint i = 0; i < COUNT && is_shifted; i++)
                total[i] += scaled(IntColumns(start[i]), &shifts[k][column],
                                   x.scale[at + i * blocks] * (-1.0f / 128.0f));
        }
        for (uint i = 0; i < COUNT; i++)
            store(out + (t + i) * stride + column, total[i], columns - column, first > 0);
    }
}

template <typename Block, uint SCALES>
kernel void integer_matmul(
    device const char *x [[buffer(0)]],        // [T,K]
    device const int *x_offset [[buffer(1)]],  // [T,K/4]
    device const int *x_block_offset [[buffer(2)]], // [T,K/32]
    device const float *x_scale [[buffer(3)]], // [T,K/32]
    device const Block *weight [[buffer(4)]],  // [N,K/VALUES]
    device float *out [[buffer(5)]],           // [T,stride]: N columns of it
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]], // a multiple of VALUES
    constant uint &N [[buffer(8)]],
    constant uint &stride [[buffer(9)]],
    uint group [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    constexpr uint PART = SCALES == 1 ? 24 : 20; // blocks of each row in threadgroup memory
    threadgroup uint words[PART * WORDS][COLUMNS];
    threadgroup float scales[PART * SCALES][COLUMNS], shifts[PART * SCALES][COLUMNS];
    uint begin = group * COLUMNS, columns = min(COLUMNS, N - begin), blocks = K / BLOCK;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    Input input = {x, x_offset, x_block_offset, x_scale};
    ulong apart = K / Block::VALUES; // rows
    device const Block *rows = weight + begin * apart;
    bool shifted = is_shifted(weight);
    for (uint first = 0; first < blocks; first += PART) {
        uint part = min(PART, blocks - first), t = simdgroup * TOKENS;
        unpack<SCALES>(rows, columns, apart, first, part, thread_index, threads, words, scales, shifts);
        threadgroup_barrier(mem_flags::mem_threadgroup); // words, scales, shifts: the writes above → the reads below
        for (; t + TOKENS <= T; t += simdgroups * TOKENS)
            tile<TOKENS, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin, columns,
                                 stride, lane, lanes);
        uint end = min(t + TOKENS, T);
        for (; t + TOKENS / 2 <= end; t += TOKENS / 2)
            tile<TOKENS / 2, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin,
                                     columns, stride, lane, lanes);
        for (; t < end; t++)
            tile<1, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin, columns, stride,
                            lane, lanes);
        threadgroup_barrier(mem_flags::mem_threadgroup); // words, scales, shifts: the reads above ↔ the next writes
    }
}

template [[host_name("integer_matmul_iq4_nl")]] kernel decltype(integer_matmul<block_iq4_nl, 1>) integer_matmul<block_iq4_nl, 1>;
template [[host_name("integer_matmul_q2_K")]] kernel decltype(integer_matmul<block_q2_K, 2>) integer_matmul<block_q2_K, 2>;
template [[host_name("integer_matmul_q3_K")]] kernel decltype(integer_matmul<block_q3_K, 2>) integer_matmul<block_q3_K, 2>;
template [[host_name("integer_matmul_q4_0")]] kernel decltype(integer_matmul<block_q4_0, 1>) integer_matmul<block_q4_0, 1>;
template [[host_name("integer_matmul_q4_1")]] kernel decltype(integer_matmul<block_q4_1, 1>) integer_matmul<block_q4_1, 1>;
template [[host_name("integer_matmul_q4_K")]] kernel decltype(integer_matmul<block_q4_K, 1>) integer_matmul<block_q4_K, 1>;
template [[host_name("integer_matmul_q5_0")]] kernel decltype(integer_matmul<block_q5_0, 1>) integer_matmul<block_q5_0, 1>;
template [[host_name("integer_matmul_q5_1")]] kernel decltype(integer_matmul<block_q5_1, 1>) integer_matmul<block_q5_1, 1>;
template [[host_name("integer_matmul_q5_K")]] kernel decltype(integer_matmul<block_q5_K, 1>) integer_matmul<block_q5_K, 1>;
template [[host_name("integer_matmul_q6_K")]] kernel decltype(integer_matmul<block_q6_K, 2>) integer_matmul<block_q6_K, 2>;
template [[host_name("integer_matmul_q8_0")]] kernel decltype(integer_matmul<block_q8_0, 1>) integer_matmul<block_q8_0, 1>;
