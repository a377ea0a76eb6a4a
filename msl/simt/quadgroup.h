/* quadgroup.h — functions of the four lanes of a quadgroup, and other shuffles.
 *
 * Included by <metal_stdlib>. Lanes meet as they do at a simd function, and each sees its quadgroup.
 */
#ifndef METAL_LLM_MSL_QUADGROUP_H
#define METAL_LLM_MSL_QUADGROUP_H

namespace simt {

/* Of a lane's own quadgroup, in the order of lanes: `inclusive` up to itself, or all of it. */
template <typename T, typename Operation> void quad_reduce(const SimtLanes *lanes) {
    SIMT_EACH_LANE(lane) {
        bool any = false;
        for (uint k = i / SIMT_QUAD * SIMT_QUAD; k < (i / SIMT_QUAD + 1) * SIMT_QUAD; k++) {
            const Lane<T> *other = active_lane<T>(lanes, k);
            if (!other) continue;
            lane->result = any ? Operation::apply(lane->result, other->value) : other->value;
            any = true;
        }
    }
}
template <typename T, typename Operation, int identity, bool inclusive>
void quad_scan(const SimtLanes *lanes) {
    SIMT_EACH_LANE(lane) {
        T total = T(identity);
        bool unwritten = false;
        for (uint k = i / SIMT_QUAD * SIMT_QUAD; k < i + inclusive; k++) {
            const Lane<T> *other = active_lane<T>(lanes, k);
            if (!other) continue;
            unwritten = unwritten || other->unwritten;
            total = Operation::apply(total, other->value);
        }
        give(lane, total, unwritten);
    }
}
template <typename T> void quad_first(const SimtLanes *lanes) {
    SIMT_EACH_LANE(lane) {
        uint first = i / SIMT_QUAD * SIMT_QUAD;
        while (!active_lane<T>(lanes, first)) first++;
        const Lane<T> *source = active_lane<T>(lanes, first);
        give(lane, source->value, source->unwritten);
    }
}
template <typename T> void quad_vote(const SimtLanes *lanes) {
    SIMT_EACH_LANE(lane) {
        lane->mask = 0;
        for (uint k = 0; k < SIMT_QUAD; k++) {
            const Lane<T> *other = active_lane<T>(lanes, i / SIMT_QUAD * SIMT_QUAD + k);
            if (other && other->value) lane->mask |= 1ul << k;
        }
    }
}

} // namespace simt

namespace metal {

SIMT_FUNCTION(quad_sum, (quad_reduce<T, Sum>))
SIMT_FUNCTION(quad_product, (quad_reduce<T, Product>))
SIMT_FUNCTION(quad_min, (quad_reduce<T, Min>))
SIMT_FUNCTION(quad_max, (quad_reduce<T, Max>))
SIMT_FUNCTION(quad_and, (quad_reduce<T, And>))
SIMT_FUNCTION(quad_or, (quad_reduce<T, Or>))
SIMT_FUNCTION(quad_xor, (quad_reduce<T, Xor>))
SIMT_EXCHANGE(quad_prefix_inclusive_sum, (quad_scan<T, Sum, 0, true>))
SIMT_EXCHANGE(quad_prefix_exclusive_sum, (quad_scan<T, Sum, 0, false>))
SIMT_EXCHANGE(quad_prefix_inclusive_product, (quad_scan<T, Product, 1, true>))
SIMT_EXCHANGE(quad_prefix_exclusive_product, (quad_scan<T, Product, 1, false>))
SIMT_EXCHANGE(quad_broadcast_first, (quad_first<T>))

/* `self` is the own lane in the quadgroup that begins at lane `quad`. */
#define SIMT_QUAD_SHUFFLE(name, lane, expression)                                                  \
    template <typename V, typename T = simt::value_t<V>>                                           \
    MSL_INLINE T name(const V &value, ushort lane, SIMT_CALLER) {                                  \
        uint self = simt_thread->thread_index_in_quadgroup;                                        \
        uint quad = simt_thread->thread_index_in_simdgroup - self;                                 \
        return simt::exchange<T>(simt::shuffle<T>, value, quad + (expression), SIMT_PLACE).result; \
    }
SIMT_QUAD_SHUFFLE(quad_broadcast, lane, lane)
SIMT_QUAD_SHUFFLE(quad_shuffle, lane, lane)
SIMT_QUAD_SHUFFLE(quad_shuffle_xor, mask, self ^ mask)
SIMT_QUAD_SHUFFLE(quad_shuffle_up, delta, self < delta ? self : self - delta)
SIMT_QUAD_SHUFFLE(quad_shuffle_down, delta, self + delta < SIMT_QUAD ? self + delta : self)
SIMT_QUAD_SHUFFLE(quad_shuffle_rotate_up, delta, (self + SIMT_QUAD - delta % SIMT_QUAD) % SIMT_QUAD)
SIMT_QUAD_SHUFFLE(quad_shuffle_rotate_down, delta, (self + delta) % SIMT_QUAD)
#undef SIMT_QUAD_SHUFFLE

class quad_vote {
public:
    typedef ulong vote_t;
    MSL_INLINE explicit quad_vote(vote_t mask = 0) : mask(mask) {}
    MSL_INLINE explicit operator vote_t() const {
        return mask;
    }
    MSL_INLINE bool any() const {
        return mask != 0;
    }
    MSL_INLINE bool all() const {
        return mask == (1ul << SIMT_QUAD) - 1;
    }

private:
    vote_t mask;
};
MSL_INLINE quad_vote quad_ballot(bool value, SIMT_CALLER) {
    return quad_vote(simt::collective<bool>(simt::quad_vote<bool>, value, 0, SIMT_PLACE).mask);
}
MSL_INLINE quad_vote quad_active_threads_mask(SIMT_CALLER) {
    return quad_vote(simt::collective<bool>(simt::quad_vote<bool>, true, 0, SIMT_PLACE).mask);
}
MSL_INLINE bool quad_any(bool value, SIMT_CALLER) {
    using namespace simt;
    return collective<bool>(quad_reduce<bool, Or>, value, 0, SIMT_PLACE).result;
}
MSL_INLINE bool quad_all(bool value, SIMT_CALLER) {
    using namespace simt;
    return collective<bool>(quad_reduce<bool, And>, value, 0, SIMT_PLACE).result;
}
MSL_INLINE bool quad_is_first(SIMT_CALLER) {
    uint self = simt_thread->thread_index_in_simdgroup;
    return simt::collective<uint>(simt::quad_first<uint>, self, 0, SIMT_PLACE).result == self;
}
MSL_INLINE bool simd_is_helper_thread() {
    return false;
}
MSL_INLINE bool quad_is_helper_thread() {
    return false;
}

/* --- shuffles that fill: beyond the ends of `modulo` lanes there is the other value --- */

/* Lane `offset` of the own piece of `modulo` lanes: of `data` if it is inside, else of `filling`. */
template <typename T>
MSL_INLINE T fill_lane(T data, T filling, int offset, uint modulo, const char *file, uint line) {
    uint self = simt_thread->thread_index_in_simdgroup, base = self - self % modulo;
    bool inside = offset >= 0 && offset < int(modulo);
    uint outside = offset < 0 ? offset + modulo : offset - modulo;
    T own = simd_shuffle(data, inside ? base + offset : self, file, line);
    T other = simd_shuffle(filling, inside ? self : base + outside, file, line);
    return inside ? own : other;
}
#define SIMT_FILL(name, index, size, sign)                                                         \
    template <typename T>                                                                          \
    MSL_INLINE T name(T data, same<T> filling, ushort delta,                                       \
                      ushort modulo = simt_thread->size, SIMT_CALLER) {                            \
        int self = simt_thread->thread_index_in_simdgroup % modulo;                                \
        return fill_lane<T>(data, filling, self sign int(delta), modulo, file, line);              \
    }
SIMT_FILL(simd_shuffle_and_fill_up, thread_index_in_simdgroup, threads_per_simdgroup, -)
SIMT_FILL(simd_shuffle_and_fill_down, thread_index_in_simdgroup, threads_per_simdgroup, +)
#undef SIMT_FILL
template <typename T>
MSL_INLINE T quad_shuffle_and_fill_up(T data, same<T> filling, ushort delta, ushort modulo = SIMT_QUAD,
                                      SIMT_CALLER) {
    return simd_shuffle_and_fill_up(data, filling, delta, modulo, file, line);
}
template <typename T>
MSL_INLINE T quad_shuffle_and_fill_down(T data, same<T> filling, ushort delta,
                                        ushort modulo = SIMT_QUAD, SIMT_CALLER) {
    return simd_shuffle_and_fill_down(data, filling, delta, modulo, file, line);
}

} // namespace metal

/* Names after these functions, where `#pragma METAL internals : enable` stands. */
#define SIMT_INTERNAL(name)                                                                        \
    template <typename T> MSL_INLINE T __metal_##name(T value, SIMT_CALLER) {                      \
        return metal::name(value, file, line);                                                     \
    }
#define SIMT_INTERNAL_LANE(name)                                                                   \
    template <typename T> MSL_INLINE T __metal_##name(T value, ushort lane, SIMT_CALLER) {         \
        return metal::name(value, lane, file, line);                                               \
    }
#define SIMT_INTERNAL_FILL(name)                                                                   \
    template <typename T>                                                                          \
    MSL_INLINE T __metal_##name(T data, T filling, ushort delta, ushort modulo, SIMT_CALLER) {     \
        return metal::name(data, filling, delta, modulo, file, line);                              \
    }
SIMT_INTERNAL(simd_sum)
SIMT_INTERNAL(simd_product)
SIMT_INTERNAL(simd_min)
SIMT_INTERNAL(simd_max)
SIMT_INTERNAL(simd_and)
SIMT_INTERNAL(simd_or)
template <typename T> MSL_INLINE T __metal_simd_xor(T value, SIMT_CALLER) {
    if constexpr (metal::is_floating_point_v<T>)
        return metal::as_type<T>(metal::simd_xor(metal::as_type<uint>(value), file, line));
    else
        return metal::simd_xor(value, file, line);
}
SIMT_INTERNAL(simd_prefix_inclusive_sum)
SIMT_INTERNAL(simd_prefix_exclusive_sum)
SIMT_INTERNAL(simd_prefix_inclusive_product)
SIMT_INTERNAL(simd_prefix_exclusive_product)
SIMT_INTERNAL(simd_broadcast_first)
SIMT_INTERNAL_LANE(simd_broadcast)
SIMT_INTERNAL_LANE(simd_shuffle)
SIMT_INTERNAL_LANE(simd_shuffle_xor)
SIMT_INTERNAL_LANE(simd_shuffle_up)
SIMT_INTERNAL_LANE(simd_shuffle_down)
SIMT_INTERNAL_LANE(simd_shuffle_rotate_up)
SIMT_INTERNAL_LANE(simd_shuffle_rotate_down)
SIMT_INTERNAL_FILL(simd_shuffle_and_fill_up)
SIMT_INTERNAL_FILL(simd_shuffle_and_fill_down)
#undef SIMT_INTERNAL
#undef SIMT_INTERNAL_LANE
#undef SIMT_INTERNAL_FILL
template <typename T>
struct __is_valid_simdgroup_type : metal::bool_constant<metal::is_arithmetic_v<T>> {};
template <typename T, int N> struct __is_valid_simdgroup_type<metal::vec<T, N>> : metal::true_type {};
template <typename T> MSL_INLINE T __metal_get_simdgroup_size(T) {
    return T(simt_thread->threads_per_simdgroup);
}
template <typename T> MSL_INLINE T __metal_get_thread_index_in_simdgroup(T) {
    return T(simt_thread->thread_index_in_simdgroup);
}

#endif
