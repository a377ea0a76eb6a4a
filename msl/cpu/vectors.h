/* vectors.h — the vectors of msl/cpu/parts/. */
#ifndef METAL_LLM_MSL_CPU_VECTORS_H
#define METAL_LLM_MSL_CPU_VECTORS_H

#pragma clang diagnostic ignored "-Wpsabi" /* all of it is inlined: no vector crosses a call */

namespace metal {

#define MSL_LANES(n) __attribute__((ext_vector_type(n)))
typedef int Int8 MSL_LANES(8);
typedef uint Uint8 MSL_LANES(8);
typedef short Short16 MSL_LANES(16);
typedef short Short32 MSL_LANES(32);
typedef char Char8 MSL_LANES(8);
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

} // namespace metal

#endif
