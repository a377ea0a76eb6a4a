/* half.h — Metal's half where the compiler has no _Float16: 16 bits that become a float to be
 * computed with. */
#ifndef METAL_LLM_MSL_CUDA_HALF_H
#define METAL_LLM_MSL_CUDA_HALF_H

namespace cuda {

struct half {
    unsigned short bits;

    half() = default;
    template <typename T> __forceinline__ half(T value) {
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(float(value)));
    }
    __forceinline__ operator float() const {
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
        return value;
    }
#define CUDA_HALF_ASSIGN(op)                                                                       \
    template <typename T> __forceinline__ half &operator op##=(T value) {                          \
        return *this = half(float(*this) op float(value));                                         \
    }
    CUDA_HALF_ASSIGN(+)
    CUDA_HALF_ASSIGN(-)
    CUDA_HALF_ASSIGN(*)
    CUDA_HALF_ASSIGN(/)
#undef CUDA_HALF_ASSIGN
};

/* Of two halves Metal makes a half, of a half and a float a float. */
#define CUDA_HALF_OPERATOR(op)                                                                     \
    __forceinline__ half operator op(half a, half b) {                                             \
        return half(float(a) op float(b));                                                         \
    }
CUDA_HALF_OPERATOR(+)
CUDA_HALF_OPERATOR(-)
CUDA_HALF_OPERATOR(*)
CUDA_HALF_OPERATOR(/)
#undef CUDA_HALF_OPERATOR

/* Vectors are moved in words where they are made of any: else the halves would part on their way. */
template <int bytes, bool whole = bytes % 4 == 0> struct Words {
    unsigned word[bytes / 4];
};
template <int bytes> struct Words<bytes, false> {
    unsigned char byte[bytes];
};

} // namespace cuda

#define MSL_HALF cuda::half
#define MSL_AS_WORDS(T, N) cuda::Words<N * sizeof(T)> words;

#endif
