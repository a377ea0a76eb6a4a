/* simdgroup_matrix.h — 8×8 matrices that the only lane of a simdgroup holds whole.
 *
 * Included by <metal_stdlib>.
 */
#ifndef METAL_LLM_MSL_CPU_SIMDGROUP_MATRIX_H
#define METAL_LLM_MSL_CPU_SIMDGROUP_MATRIX_H

namespace metal {

template <typename T> struct matrix_elements {
    T element[64]; /* by rows */

    T &operator[](uint i) { return element[i]; }
};

template <typename T, int C, int R> struct simdgroup_matrix {
    static_assert(C == 8 && R == 8, "simdgroup matrices are 8×8");
    matrix_elements<T> elements;

    simdgroup_matrix() = default;
    explicit simdgroup_matrix(T value) { /* the diagonal */
        for (uint i = 0; i < 64; i++) elements.element[i] = i / 8 == i % 8 ? value : T(0);
    }
    matrix_elements<T> &thread_elements() { return elements; }
};

typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;

template <typename T, int C, int R>
inline simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value) {
    simdgroup_matrix<T, C, R> m;
    for (uint i = 0; i < 64; i++) m.elements.element[i] = value;
    return m;
}

template <typename T>
inline void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, const T *from, ulong stride = 8,
                           ulong2 origin = 0, bool transposed = false) {
    const T *start = from + origin.y * stride + origin.x;
    for (uint r = 0; r < 8; r++)
        for (uint c = 0; c < 8; c++)
            m.elements.element[r * 8 + c] = transposed ? start[c * stride + r] : start[r * stride + c];
}
template <typename T>
inline void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, T *to, ulong stride = 8,
                            ulong2 origin = 0, bool transposed = false) {
    T *start = to + origin.y * stride + origin.x;
    for (uint r = 0; r < 8; r++)
        for (uint c = 0; c < 8; c++)
            (transposed ? start[c * stride + r] : start[r * stride + c]) = m.elements.element[r * 8 + c];
}

/* d = a b + c */
template <typename D, typename A, typename B, typename C>
inline void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                                          const simdgroup_matrix<B, 8, 8> &b,
                                          const simdgroup_matrix<C, 8, 8> &c) {
    for (uint row = 0; row < 8; row++) {
        float sum[8];
        for (uint i = 0; i < 8; i++) sum[i] = float(c.elements.element[row * 8 + i]);
        for (uint k = 0; k < 8; k++)
            for (uint i = 0; i < 8; i++)
                sum[i] += float(a.elements.element[row * 8 + k]) * float(b.elements.element[k * 8 + i]);
        for (uint i = 0; i < 8; i++) d.elements.element[row * 8 + i] = D(sum[i]);
    }
}
template <typename D, typename A, typename B>
inline void simdgroup_multiply(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                               const simdgroup_matrix<B, 8, 8> &b) {
    simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<D, 8, 8>(D(0)));
}

} // namespace metal

#endif
