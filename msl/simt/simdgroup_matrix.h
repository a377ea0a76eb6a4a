/* simdgroup_matrix.h — 8×8 matrices whose elements the lanes of a simdgroup share out.
 *
 * Included by <metal_stdlib>. A lane holds two neighbours of a row, the same as on Apple's GPUs:
 * Metal does not say so, but kernels lean on it.
 */
#ifndef METAL_LLM_MSL_SIMDGROUP_MATRIX_H
#define METAL_LLM_MSL_SIMDGROUP_MATRIX_H

namespace simt {

/* The first of a lane's elements, and whose an element is. */
MSL_INLINE uint matrix_row(uint lane) {
    return lane / 16 * 4 + lane / 2 % 4;
}
MSL_INLINE uint matrix_column(uint lane) {
    return lane / 8 % 2 * 4 + lane % 2 * 2;
}
MSL_INLINE uint matrix_lane(uint row, uint column) {
    return row / 4 * 16 + column / 4 * 8 + row % 4 * 2 + column / 2 % 2;
}

} // namespace simt

namespace metal {

template <typename T, int C, int R> struct simdgroup_matrix {
    static_assert(C == 8 && R == 8, "simdgroup matrices are 8×8");
    vec<T, 2> elements;

    simdgroup_matrix() = default;
    MSL_INLINE explicit simdgroup_matrix(T value) : elements(0) { /* the diagonal */
        uint lane = simt_thread->thread_index_in_simdgroup, row = simt::matrix_row(lane);
        if (row / 2 == simt::matrix_column(lane) / 2) elements[row % 2] = value;
    }
    MSL_INLINE vec<T, 2> &thread_elements() {
        return elements;
    }
};

typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;

template <typename T> MSL_INLINE simdgroup_matrix<T, 8, 8> make_filled_simdgroup_matrix(T value) {
    simdgroup_matrix<T, 8, 8> m;
    m.elements = vec<T, 2>(value);
    return m;
}
template <typename T, int C, int R>
MSL_INLINE simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value) {
    return make_filled_simdgroup_matrix(value);
}

/* Where element i of the lane lies in memory. */
MSL_INLINE ulong simdgroup_offset(uint i, ulong stride, ulong2 origin, bool transposed) {
    uint lane = simt_thread->thread_index_in_simdgroup;
    ulong row = simt::matrix_row(lane), column = simt::matrix_column(lane) + i;
    return transposed ? (origin.y + column) * stride + origin.x + row
                      : (origin.y + row) * stride + origin.x + column;
}
template <typename T>
MSL_INLINE void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, const T *from, ulong stride = 8,
                               ulong2 origin = 0, bool transposed = false) {
    for (uint i = 0; i < 2; i++)
        m.elements[i] = from[simdgroup_offset(i, stride, origin, transposed)];
}
template <typename T>
MSL_INLINE void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, T *to, ulong stride = 8,
                                ulong2 origin = 0, bool transposed = false) {
    for (uint i = 0; i < 2; i++)
        to[simdgroup_offset(i, stride, origin, transposed)] = m.elements[i];
}

} // namespace metal

namespace simt {

template <typename D, typename A, typename B, typename C> struct MultiplyLane {
    metal::vec<A, 2> a;
    metal::vec<B, 2> b;
    metal::vec<C, 2> c;
    metal::vec<D, 2> d;
};

template <typename D, typename A, typename B, typename C> void multiply(const SimtLanes *lanes) {
    typedef MultiplyLane<D, A, B, C> Lane;
    for (uint i = 0; i < lanes->count; i++) {
        if (!(lanes->active >> i & 1)) continue;
        Lane *lane = static_cast<Lane *>(lanes->operand[i]);
        for (uint e = 0; e < 2; e++) {
            uint row = matrix_row(i), column = matrix_column(i) + e;
            float sum = lane->c[e];
            for (uint k = 0; k < 8; k++) {
                uint left = matrix_lane(row, k), right = matrix_lane(k, column);
                if (!(lanes->active >> left & 1) || !(lanes->active >> right & 1)) {
                    simt_inactive_lane(lanes, i, lanes->active >> left & 1 ? right : left);
                    continue;
                }
                sum += float(static_cast<Lane *>(lanes->operand[left])->a[k % 2]) *
                       float(static_cast<Lane *>(lanes->operand[right])->b[column % 2]);
            }
            lane->d[e] = D(sum);
        }
    }
}

} // namespace simt

namespace metal {

/* d = a b + c; all 32 lanes must take part. */
template <typename D, typename A, typename B, typename C>
MSL_INLINE void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8> &d,
                                              const simdgroup_matrix<A, 8, 8> &a,
                                              const simdgroup_matrix<B, 8, 8> &b,
                                              const simdgroup_matrix<C, 8, 8> &c, SIMT_CALLER) {
    simt::MultiplyLane<D, A, B, C> lane = {a.elements, b.elements, c.elements, vec<D, 2>(0)};
    simt_collective(simt::multiply<D, A, B, C>, &lane, SIMT_PLACE);
    d.elements = lane.d;
}
template <typename D, typename A, typename B>
MSL_INLINE void simdgroup_multiply(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                                   const simdgroup_matrix<B, 8, 8> &b, SIMT_CALLER) {
    simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix(D(0)), file, line);
}

} // namespace metal

#endif
