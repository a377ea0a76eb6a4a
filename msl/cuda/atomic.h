/* atomic.h — Metal's atomics, which are all relaxed, over CUDA's. */
#ifndef METAL_LLM_MSL_CUDA_ATOMIC_H
#define METAL_LLM_MSL_CUDA_ATOMIC_H

namespace metal {

typedef enum memory_order { memory_order_relaxed } memory_order;

template <typename T> struct atomic {
    T value;
};

typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<float> atomic_float;

template <typename T> MSL_INLINE T *address_of(const volatile atomic<T> *object) {
    return const_cast<T *>(&object->value);
}
template <typename T>
MSL_INLINE void atomic_store_explicit(volatile atomic<T> *object, same<T> value, memory_order) {
    *static_cast<volatile T *>(address_of(object)) = value;
}
template <typename T>
MSL_INLINE T atomic_load_explicit(const volatile atomic<T> *object, memory_order) {
    return *static_cast<volatile T *>(address_of(object));
}
template <typename T>
MSL_INLINE T atomic_exchange_explicit(volatile atomic<T> *object, same<T> value, memory_order) {
    return atomicExch(address_of(object), value);
}
template <typename T>
MSL_INLINE bool atomic_compare_exchange_weak_explicit(volatile atomic<T> *object, T *expected,
                                                      same<T> desired, memory_order,
                                                      memory_order) {
    T old = atomicCAS(address_of(object), *expected, desired);
    bool exchanged = old == *expected;
    *expected = old;
    return exchanged;
}

/* Each returns the value before. */
#define MSL_FETCH(name, function)                                                                  \
    template <typename T>                                                                          \
    MSL_INLINE T name(volatile atomic<T> *object, same<T> operand, memory_order) {                 \
        return function(address_of(object), operand);                                              \
    }
MSL_FETCH(atomic_fetch_add_explicit, atomicAdd)
MSL_FETCH(atomic_fetch_sub_explicit, atomicSub)
MSL_FETCH(atomic_fetch_min_explicit, atomicMin)
MSL_FETCH(atomic_fetch_max_explicit, atomicMax)
MSL_FETCH(atomic_fetch_and_explicit, atomicAnd)
MSL_FETCH(atomic_fetch_or_explicit, atomicOr)
MSL_FETCH(atomic_fetch_xor_explicit, atomicXor)
#undef MSL_FETCH

} // namespace metal

#endif
