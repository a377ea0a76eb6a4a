/* simdgroup_matrix.h — 8×8 matrices whose elements the lanes of a simdgroup hold.
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
    typedef vec<T, 2> storage_type; /* of one lane */
    storage_type elements;

    simdgroup_matrix() = default;
    MSL_INLINE explicit simdgroup_matrix(T value) : elements(0) { /* the diagonal */
        uint lane = simt_thread->thread_index_in_simdgroup, row = simt::matrix_row(lane);
        if (row / 2 == simt::matrix_column(lane) / 2) elements[row % 2] = value;
    }
    MSL_INLINE vec<T, 2> &thread_elements() {
        return elements;
    }
    MSL_INLINE const vec<T, 2> &thread_elements() const {
        return elements;
    }
};

typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
#ifdef MSL_BFLOAT
typedef simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;
#endif

/* of a type that the value gives, or <T, 8> and <T, 8, 8> */
template <typename T, int C = 8, int R = C>
MSL_INLINE simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(same<T> value) {
    simdgroup_matrix<T, C, R> m;
    m.elements = vec<T, 2>(value);
    return m;
}
template <typename T> MSL_INLINE simdgroup_matrix<T, 8, 8> make_filled_simdgroup_matrix(T value) {
    return make_filled_simdgroup_matrix<T, 8, 8>(value);
}
template <typename T, int C = 8, int R = C>
MSL_INLINE simdgroup_matrix<T, C, R> make_diagonal_simdgroup_matrix(same<T> value) {
    return simdgroup_matrix<T, C, R>(value);
}
template <typename T> MSL_INLINE simdgroup_matrix<T, 8, 8> make_diagonal_simdgroup_matrix(T value) {
    return simdgroup_matrix<T, 8, 8>(value);
}

/* Where element i of the lane lies in memory. */
MSL_INLINE ulong simdgroup_offset(uint i, ulong stride, ulong2 origin, bool transposed) {
    uint lane = simt_thread->thread_index_in_simdgroup;
    ulong row = simt::matrix_row(lane), column = simt::matrix_column(lane) + i;
    return transposed ? (origin.y + column) * stride + origin.x + row
                      : (origin.y + row) * stride + origin.x + column;
}
/* Pointer: to T in any address space. */
template <typename T, typename Pointer>
MSL_INLINE void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, Pointer from, ulong stride = 8,
                               ulong2 origin = 0, bool transposed = false) {
    static_assert(is_same_v<remove_cv_t<remove_addrspace_t<remove_cv_t<remove_pointer_t<Pointer>>>>, T>,
                  "a simdgroup matrix is loaded from elements of its own type");
    for (uint i = 0; i < 2; i++)
        m.elements[i] = from[simdgroup_offset(i, stride, origin, transposed)];
}
template <typename T, typename Pointer>
MSL_INLINE void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, Pointer to, ulong stride = 8,
                                ulong2 origin = 0, bool transposed = false) {
    static_assert(is_same_v<remove_cv_t<remove_addrspace_t<remove_pointer_t<Pointer>>>, T>,
                  "a simdgroup matrix is stored as elements of its own type");
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

template <typename T>
MSL_INLINE simdgroup_matrix<T, 8, 8> operator*(const simdgroup_matrix<T, 8, 8> &a,
                                               const simdgroup_matrix<T, 8, 8> &b) {
    simdgroup_matrix<T, 8, 8> d;
    simdgroup_multiply(d, a, b);
    return d;
}

/* --- copies in the background, which are done at once here --- */

enum class simdgroup_async_copy_clamp_mode { clamp_to_zero = 0, clamp_to_edge = 1 };

struct simdgroup_event {
    template <typename To, typename From> MSL_INLINE void async_copy(To to, From from, ulong count) const {
        if (simt_thread->thread_index_in_simdgroup) return;
        for (ulong i = 0; i < count; i++) to[i] = from[i];
    }
    template <typename To, typename From>
    MSL_INLINE void async_copy(To to, ulong to_count, From from, ulong from_count) const {
        if (simt_thread->thread_index_in_simdgroup) return;
        for (ulong i = 0; i < to_count; i++) to[i] = from[i < from_count ? i : from_count - 1];
    }
    /* A tile of rows; what `from` lacks is 0. */
    template <typename To, typename From>
    MSL_INLINE void async_copy(To to, ulong to_stride, ulong2 to_tile, From from, ulong from_stride,
                               ulong2 from_tile, bool transposed = false,
                               simdgroup_async_copy_clamp_mode =
                                   simdgroup_async_copy_clamp_mode::clamp_to_zero) const {
        if (simt_thread->thread_index_in_simdgroup) return;
        for (ulong y = 0; y < to_tile.y; y++)
            for (ulong x = 0; x < to_tile.x; x++) {
                ulong row = transposed ? x : y, column = transposed ? y : x;
                bool inside = column < from_tile.x && row < from_tile.y;
                to[y * to_stride + x] = inside ? from[row * from_stride + column] : 0;
            }
    }
    static MSL_INLINE void wait(int, simdgroup_event *, SIMT_CALLER) {
        simdgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device, file, line);
    }
};

} // namespace metal

#endif
