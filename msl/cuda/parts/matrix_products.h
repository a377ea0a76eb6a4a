/* matrix_products.h — kernels/parts/matrix_products.h by products of 16 columns, where there are such */
#if __CUDA_ARCH__ < 800
#include "parts/matrix_products.h"
#else

/* 16 rows: above += a[0] · b[0] + a[1] · b[1], and below from what is below; b by columns. */
static void multiply_16(simdgroup_float8x8 &above, simdgroup_float8x8 &below, const simdgroup_half8x8 *a,
                            const simdgroup_half8x8 *a_below, const uint (&b)[2]) {
    float2 &upper = above.thread_elements(), &lower = below.thread_elements();
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(upper[0]), "+f"(upper[1]), "+f"(lower[0]), "+f"(lower[1])
        : "r"(a[0].by(false)), "r"(a_below[0].by(false)), "r"(a[1].by(false)), "r"(a_below[1].by(false)),
          "r"(b[0]), "r"(b[1]));
}

/* sum[·][2n …] += a[·][2k …] · b, 16×16 each, b in threadgroup memory by rows or, `transposed`, by columns,
 * beginning, as its rows do, at a multiple of 8: its matrices come by one instruction, as the tensor cores
 * want them, and make two products. */
template <int N, int K>
static void multiply_16x16(simdgroup_float8x8 (&sum)[2][N], uint n, simdgroup_half8x8 (&a)[2][K], uint k,
                               const half *b, uint stride, bool transposed) {
    uint far = cuda::lane() / 16 * 8, near = cuda::lane() / 8 % 2 * 8, row = cuda::lane() % 8;
    uint from = transposed ? (far + row) * stride + near : (near + row) * stride + far;
    uint address = uint(__cvta_generic_to_shared(b)) + from * uint(sizeof(half)), factor[2][2];
    if (transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(factor[0][0]), "=r"(factor[0][1]), "=r"(factor[1][0]), "=r"(factor[1][1])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(factor[0][0]), "=r"(factor[0][1]), "=r"(factor[1][0]), "=r"(factor[1][1])
                     : "r"(address)
                     : "memory");
    for (uint j = 0; j < 2; j++)
        multiply_16(sum[0][2 * n + j], sum[1][2 * n + j], &a[0][2 * k], &a[1][2 * k], factor[j]);
}

/* Eight rows of 32 columns as four matrices: each has two of the eight neighbours that a lane reads at once. */
static void load_part(simdgroup_half8x8 (&part)[4], const half *from, ulong stride, bool transposed) {
    from += cuda::lane() / 4 * stride + cuda::lane() % 4 * 8;
    uint4 pairs = *reinterpret_cast<const uint4 *>(from);
    for (uint i = 0; i < 4; i++) {
        part[i].pair = pairs[i];
        part[i].turned = transposed;
    }
}
/* sum[r] += Σ_i a[r][i] · b[i] */
static void multiply_part(simdgroup_float8x8 (&sum)[2], simdgroup_half8x8 (&a)[2][4],
                              simdgroup_half8x8 (&b)[4]) {
    for (uint i = 0; i < 4; i += 2) {
        uint columns[2] = {b[i].by(true), b[i + 1].by(true)};
        multiply_16(sum[0], sum[1], &a[0][i], &a[1][i], columns);
    }
}
#endif
