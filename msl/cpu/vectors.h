/* vectors.h — the vectors of msl/cpu/parts/. */
#ifndef METAL_LLM_MSL_CPU_VECTORS_H
#define METAL_LLM_MSL_CPU_VECTORS_H

#pragma clang diagnostic ignored "-Wpsabi" /* all of it is inlined: no vector crosses a call */

namespace metal {

#define MSL_LANES(n) __attribute__((ext_vector_type(n)))
typedef int Int4 MSL_LANES(4);
typedef int Int8 MSL_LANES(8);
typedef uint Uint8 MSL_LANES(8);
typedef short Short16 MSL_LANES(16);
typedef short Short32 MSL_LANES(32);
typedef char Char8 MSL_LANES(8);
typedef char Char16 MSL_LANES(16);
typedef char Char32 MSL_LANES(32);
typedef uchar Uchar4 MSL_LANES(4);
typedef uchar Uchar16 MSL_LANES(16);
typedef uchar Uchar32 MSL_LANES(32);

/* From any address. */
template <typename Vector> MSL_INLINE Vector load(const void *from) {
    Vector vector;
    __builtin_memcpy(&vector, from, sizeof vector);
    return vector;
}

/* The last number of a NEON builtin is the type of what it returns. */
#if defined(__ARM_FEATURE_DOTPROD)
/* sum[i] + a[4i] · b[4i] + … + a[4i+3] · b[4i+3] */
MSL_INLINE Int4 add_fours(Int4 sum, Char16 a, Char16 b) {
    return (Int4)__builtin_neon_vdotq_s32((Char16)sum, a, b, 34);
}
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
/* sum[2i+j] + a[8i] · b[8j] + … + a[8i+7] · b[8j+7] */
MSL_INLINE Int4 add_eights(Int4 sum, Char16 a, Char16 b) {
    return (Int4)__builtin_neon_vmmlaq_s32((Char16)sum, a, b, 34);
}
#endif

} // namespace metal

#endif
