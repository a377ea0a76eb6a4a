/* simdgroup_matrix.h — 8×8 matrices whose elements the lanes of a warp hold.
 *
 * Included by <metal_stdlib>. Lane i holds two neighbours of a row of what lies in memory: row i / 4,
 * columns 2 (i % 4) and the next, as the tensor cores' instructions want their first factor and the
 * sum. Their second factor they want by columns, which is the same of the transposed matrix: so a
 * matrix that was loaded transposed is kept as it lies in memory, and turned only where needed.
 */
#ifndef METAL_LLM_MSL_CUDA_SIMDGROUP_MATRIX_H
#define METAL_LLM_MSL_CUDA_SIMDGROUP_MATRIX_H

namespace cuda {

/* Two neighbours, which are read at once: in memory a matrix begins at an even index, and so do its
 * rows. Halves stay in the one register that they share. */
template <typename T> struct Pair {
    typedef metal::vec<T, 2> type;
    static MSL_INLINE type load(const T *from) {
        return *reinterpret_cast<const type *>(from);
    }
    static MSL_INLINE type pack(metal::vec<T, 2> elements) { return elements; }
    static MSL_INLINE metal::vec<T, 2> unpack(type pair) { return pair; }
};
template <> struct Pair<::half> {
    typedef uint type;
    static MSL_INLINE type load(const ::half *from) {
        return *reinterpret_cast<const type *>(from);
    }
    static MSL_INLINE type pack(half2 elements) {
        return elements[0].bits | uint(elements[1].bits) << 16;
    }
    static MSL_INLINE half2 unpack(type pair) {
        half2 elements;
        elements[0].bits = (unsigned short)pair;
        elements[1].bits = (unsigned short)(pair >> 16);
        return elements;
    }
};

/* The pair of a lane in the transposed matrix. */
template <typename T> MSL_INLINE metal::vec<T, 2> turn(metal::vec<T, 2> pair) {
    uint row = lane() / 4;
    metal::vec<T, 2> result;
    for (uint i = 0; i < 2; i++) {
        uint source = (lane() % 4 * 2 + i) * 4 + row / 2;
        T first = from_lane(pair[0], source), second = from_lane(pair[1], source);
        result[i] = row % 2 ? second : first;
    }
    return result;
}
MSL_INLINE uint turn(uint halves) {
    uint result;
    asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(halves));
    return result;
}

} // namespace cuda

namespace metal {

template <typename T, int C, int R> struct simdgroup_matrix {
    static_assert(C == 8 && R == 8, "simdgroup matrices are 8×8");
    typedef cuda::Pair<T> Pair;
    typename Pair::type pair;
    bool turned = false; /* the pair is one of the transposed matrix */

    simdgroup_matrix() = default;
    MSL_INLINE explicit simdgroup_matrix(T value) { /* the diagonal */
        uint row = cuda::lane() / 4, column = cuda::lane() % 4 * 2;
        T zero = T(0.0f);
        pair = Pair::pack(vec<T, 2>(row == column ? value : zero, row == column + 1 ? value : zero));
    }
    /* By rows, or by columns. */
    MSL_INLINE typename Pair::type by(bool columns) const {
        return turned == columns ? pair : cuda::turn(pair);
    }
    MSL_INLINE vec<T, 2> &thread_elements() {
        pair = by(false);
        turned = false;
        return reinterpret_cast<vec<T, 2> &>(pair);
    }
};

typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;

template <typename T, int C, int R>
MSL_INLINE simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value) {
    simdgroup_matrix<T, C, R> m;
    m.pair = cuda::Pair<T>::pack(vec<T, 2>(value));
    return m;
}

template <typename T>
MSL_INLINE void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, const T *from, ulong stride = 8,
                               ulong2 origin = 0, bool transposed = false) {
    uint row = cuda::lane() / 4, column = cuda::lane() % 4 * 2;
    m.pair = cuda::Pair<T>::load(from + (origin.y + row) * stride + origin.x + column);
    m.turned = transposed;
}
template <typename T>
MSL_INLINE void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, T *to, ulong stride = 8,
                                ulong2 origin = 0, bool transposed = false) {
    uint row = cuda::lane() / 4, column = cuda::lane() % 4 * 2;
    vec<T, 2> elements = cuda::Pair<T>::unpack(m.by(transposed));
    for (uint i = 0; i < 2; i++) to[(origin.y + row) * stride + origin.x + column + i] = elements[i];
}

} // namespace metal

namespace cuda {

/* a b + c of any types; b by columns. */
template <typename A, typename B>
MSL_INLINE float2 multiply(metal::vec<A, 2> a, metal::vec<B, 2> b, float2 c) {
    for (uint k = 0; k < 8; k++) {
        float left = from_lane(float(a[k % 2]), lane() / 4 * 4 + k / 2);
        for (uint i = 0; i < 2; i++)
            c[i] += left * from_lane(float(b[k % 2]), (lane() % 4 * 2 + i) * 4 + k / 2);
    }
    return c;
}
template <typename A> MSL_INLINE float2 multiply(metal::vec<A, 2> a, uint b, float2 c) {
    return multiply(a, Pair<::half>::unpack(b), c);
}
template <typename B> MSL_INLINE float2 multiply(uint a, metal::vec<B, 2> b, float2 c) {
    return multiply(Pair<::half>::unpack(a), b, c);
}
/* Halves on the tensor cores, of whose 16 rows 8 are used: what the others hold is of no interest. */
MSL_INLINE float2 multiply(uint a, uint b, float2 c) {
    asm("{\n"
        "    .reg .f32 unused<4>;\n"
        "    mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, unused0, unused1}, {%2, %2}, "
        "{%3}, {%0, %1, unused2, unused3};\n"
        "}"
        : "+f"(c[0]), "+f"(c[1])
        : "r"(a), "r"(b));
    return c;
}

} // namespace cuda

namespace metal {

/* d = a b + c; all 32 lanes must take part. */
template <typename D, typename A, typename B, typename C>
MSL_INLINE void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8> &d,
                                              const simdgroup_matrix<A, 8, 8> &a,
                                              const simdgroup_matrix<B, 8, 8> &b,
                                              const simdgroup_matrix<C, 8, 8> &c) {
    float2 sum = cuda::multiply(a.by(false), b.by(true), float2(cuda::Pair<C>::unpack(c.by(false))));
    d.pair = cuda::Pair<D>::pack(vec<D, 2>(sum));
    d.turned = false;
}
template <typename D, typename A, typename B>
MSL_INLINE void simdgroup_multiply(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                                   const simdgroup_matrix<B, 8, 8> &b) {
    simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<D, 8, 8>(D(0.0f)));
}

} // namespace metal

#endif
