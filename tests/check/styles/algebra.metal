// Products of matrices by tiles and by simdgroups, sparse products, a tridiagonal system, large integers.
#include <metal_stdlib>
using namespace metal;

struct GEMMParams { uint M, N, K; float alpha, beta; };

template <typename T, uint BM, uint BN, uint BK>
struct TileLoader {
    static METAL_FUNC void load(threadgroup T (*dst)[BK + 1], device const T *src, uint rows, uint cols, uint row0, uint col0, uint ld, uint2 t) {
        for (uint r = t.y; r < BM; r += 16)
            for (uint c = t.x; c < BK; c += 16)
                dst[r][c] = (row0 + r < rows && col0 + c < cols) ? src[(row0 + r) * ld + col0 + c] : T(0);
    }
};

// C = alpha A B^T + beta C
kernel void sgemm_nt(device const float *A [[buffer(0)]], device const float *B [[buffer(1)]], device float *C [[buffer(2)]],
                     constant GEMMParams &p [[buffer(3)]],
                     uint2 tg [[threadgroup_position_in_grid]], uint2 t [[thread_position_in_threadgroup]])
{
    constexpr uint BM = 32, BN = 32, BK = 16;
    threadgroup float As[BM][BK + 1], Bs[BN][BK + 1];
    const uint row0 = tg.y * BM, col0 = tg.x * BN;
    float acc[2][2] = {{0}};
    for (uint k0 = 0; k0 < p.K; k0 += BK) {
        TileLoader<float, BM, BN, BK>::load(As, A, p.M, p.K, row0, k0, p.K, t);
        TileLoader<float, BN, BM, BK>::load(Bs, B, p.N, p.K, col0, k0, p.K, t);
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint k = 0; k < BK; k++)
            for (uint i = 0; i < 2; i++)
                for (uint j = 0; j < 2; j++)
                    acc[i][j] = fma(As[t.y + 16 * i][k], Bs[t.x + 16 * j][k], acc[i][j]);
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (uint i = 0; i < 2; i++)
        for (uint j = 0; j < 2; j++) {
            const uint r = row0 + t.y + 16 * i, c = col0 + t.x + 16 * j;
            if (r < p.M && c < p.N) {
                device float &dst = C[r * p.N + c];
                dst = p.beta == 0 ? p.alpha * acc[i][j] : p.alpha * acc[i][j] + p.beta * dst;
            }
        }
}

kernel void hgemm_simd(device const half *A [[buffer(0)]], device const half *B [[buffer(1)]], device half *C [[buffer(2)]],
                       constant GEMMParams &p [[buffer(3)]], threadgroup half *stage [[threadgroup(0)]],
                       uint2 tg [[threadgroup_position_in_grid]], ushort sg [[simdgroup_index_in_threadgroup]])
{
    simdgroup_matrix<float, 8, 8> acc[2] = {make_filled_simdgroup_matrix<float, 8>(0), make_filled_simdgroup_matrix<float, 8>(0)};
    simdgroup_half8x8 a, b[2];
    const uint row = tg.x * 16 + sg * 8, col = tg.y * 16;
    for (uint k = 0; k < p.K; k += 8) {
        simdgroup_load(a, A + row * p.K + k, p.K);
        for (int j = 0; j < 2; j++) {
            simdgroup_load(b[j], B, p.N, ulong2(col + 8 * j, k));
            simdgroup_multiply_accumulate(acc[j], a, b[j], acc[j]);
        }
    }
    for (int j = 0; j < 2; j++) {
        simdgroup_half8x8 out;
        out.thread_elements()[0] = half(acc[j].thread_elements()[0]);
        out.thread_elements()[1] = half(acc[j].thread_elements()[1]);
        simdgroup_store(out, stage + sg * 128 + 8 * j, 16);
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_load(a, stage + sg * 128, 16, 0, false);
    simdgroup_store(a, C + row * p.N + col, p.N);
    simdgroup_load(a, stage + sg * 128 + 8, 16);
    simdgroup_store(a, C + row * p.N + col + 8, p.N);
}

kernel void spmv_csr(device const uint *row_ptr [[buffer(0)]], device const uint *col_idx [[buffer(1)]],
                            device const float *vals [[buffer(2)]], device const float *x [[buffer(3)]],
                            device float *y [[buffer(4)]], constant uint &rows [[buffer(5)]],
                            uint gid [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
                            uint width [[threads_per_simdgroup]])
{
    const uint row = gid / width;
    if (row >= rows) return;
    float sum = 0.f;
    for (uint j = row_ptr[row] + lane, end = row_ptr[row + 1]; j < end; j += width)
        sum = fma(vals[j], x[col_idx[j]], sum);
    for (ushort offset = width / 2; offset > 0; offset /= 2) sum += simd_shuffle_down(sum, offset);
    if (lane == 0) y[row] = sum;
}

kernel void spmv_coo(device const uint *rows [[buffer(0)]], device const uint *cols [[buffer(1)]], device const float *vals [[buffer(2)]],
                     device const float *x [[buffer(3)]], device atomic_float *y [[buffer(4)]], constant uint &nnz [[buffer(5)]],
                     uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]])
{
    const bool active = i < nnz;
    const uint row = active ? rows[i] : ~0u;
    float v = active ? vals[i] * x[cols[i]] : 0;
    // a segmented sum within the simdgroup
    for (uint d = 1; d < 32; d <<= 1) {
        const float other = simd_shuffle_up(v, d);
        const uint other_row = simd_shuffle_up(row, d);
        if (lane >= d && other_row == row) v += other;
    }
    const uint next = simd_shuffle_down(row, 1);
    const bool last = lane == 31 || next != row;
    if (active && last) atomic_fetch_add_explicit(y + row, v, memory_order_relaxed);
}

// parallel cyclic reduction of -x[i-1] + 4 x[i] - x[i+1] = d[i]
kernel void tridiagonal(device const float *d [[buffer(0)]], device float *x [[buffer(1)]], uint t [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]])
{
    threadgroup float4 row[64];
    row[t] = float4(t ? -1 : 0, 4, t + 1 < n ? -1 : 0, d[t]);
    for (uint s = 1; s < n; s *= 2) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        const float4 lo = t >= s ? row[t - s] : float4(0, 1, 0, 0), hi = t + s < n ? row[t + s] : float4(0, 1, 0, 0), me = row[t];
        const float a = -me.x / lo.y, b = -me.z / hi.y;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        row[t] = float4(a * lo.x, me.y + a * lo.z + b * hi.x, b * hi.z, me.w + a * lo.w + b * hi.w);
    }
    x[t] = row[t].w / row[t].y;
}

struct u128 { uint4 v; };
kernel void multiply_128(device const u128 *a [[buffer(0)]], device const u128 *b [[buffer(1)]], device uint *out [[buffer(2)]], uint id [[thread_position_in_grid]]) {
    uint r[8] = {};
    const u128 x = a[id], y = b[id];
    for (uint i = 0; i < 4; i++) {
        uint carry = 0;
        for (uint j = 0; j < 4; j++) {
            const uint lo = x.v[i] * y.v[j], hi = mulhi(x.v[i], y.v[j]);
            const uint s = r[i + j] + lo; uint c = s < lo;
            const uint s2 = s + carry; c += s2 < carry;
            r[i + j] = s2; carry = hi + c;
        }
        r[i + 4] = carry;
    }
    for (uint i = 0; i < 8; i++) out[id * 8 + i] = r[i];
}
