/* atomic.h — Metal's atomics, which are all relaxed, over the compiler's. */
#ifndef METAL_LLM_MSL_ATOMIC_H
#define METAL_LLM_MSL_ATOMIC_H

#include "functions.h"

/* A checker is told what an atomic is about to do, and more. */
#ifdef MSL_WATCH_ATOMICS
extern "C" void msl_watch_atomic(const volatile void *object, size_t bytes, bool reads,
                                 bool writes);
extern "C" void msl_watch_exchange(const volatile void *object, size_t bytes);
extern "C" void msl_watch_swap(const volatile void *object, size_t bytes);
extern "C" void msl_watch_fence(int mem_flags, int order);
/* Did nothing write a variable? If so it may be handed on, but not read. */
extern "C" bool msl_watch_operand(const void *operand, size_t bytes);
/* A result that nobody may use. */
extern "C" void msl_watch_unwritten(void *result, size_t bytes);
#else
#define msl_watch_atomic(object, bytes, reads, writes)
#define msl_watch_exchange(object, bytes)
#define msl_watch_swap(object, bytes)
#define msl_watch_fence(mem_flags, order)
#define msl_watch_operand(operand, bytes) false
#define msl_watch_unwritten(result, bytes)
#endif

namespace metal {

/* An atomic is relaxed; what orders memory is a fence or a barrier. */
typedef enum memory_order {
    memory_order_relaxed,
    memory_order_acquire,
    memory_order_release,
    memory_order_acq_rel,
    memory_order_seq_cst,
} memory_order;
typedef enum thread_scope {
    thread_scope_thread,
    thread_scope_simdgroup,
    thread_scope_threadgroup,
    thread_scope_device,
} thread_scope;

template <typename T> struct atomic {
    T value;
};

typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<ulong> atomic_ulong;
typedef atomic<float> atomic_float;
typedef atomic<bool> atomic_bool;

template <typename T>
MSL_INLINE void atomic_store_explicit(volatile atomic<T> *object, same<T> value, memory_order) {
    msl_watch_atomic(object, sizeof(T), false, true);
    __atomic_store(&object->value, &value, __ATOMIC_RELAXED);
}
template <typename T>
MSL_INLINE T atomic_load_explicit(const volatile atomic<T> *object, memory_order) {
    T value;
    msl_watch_atomic(object, sizeof(T), true, false);
    __atomic_load(&object->value, &value, __ATOMIC_RELAXED);
    return value;
}
template <typename T>
MSL_INLINE T atomic_exchange_explicit(volatile atomic<T> *object, same<T> value, memory_order) {
    T old;
    msl_watch_swap(object, sizeof(T));
    __atomic_exchange(&object->value, &value, &old, __ATOMIC_RELAXED);
    return old;
}
template <typename T>
MSL_INLINE bool atomic_compare_exchange_weak_explicit(volatile atomic<T> *object, T *expected,
                                                      same<T> desired, memory_order,
                                                      memory_order) {
    msl_watch_exchange(object, sizeof(T));
    return __atomic_compare_exchange(&object->value, expected, &desired, true, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED);
}

/* Each returns the value before. */
#define MSL_FETCH(name, builtin)                                                                   \
    template <typename T>                                                                          \
    MSL_INLINE T name(volatile atomic<T> *object, same<T> operand, memory_order) {                 \
        msl_watch_atomic(object, sizeof(T), true, true);                                           \
        return builtin(&object->value, operand, __ATOMIC_RELAXED);                                 \
    }
MSL_FETCH(atomic_fetch_add_explicit, __atomic_fetch_add)
MSL_FETCH(atomic_fetch_sub_explicit, __atomic_fetch_sub)
MSL_FETCH(atomic_fetch_min_explicit, __atomic_fetch_min)
MSL_FETCH(atomic_fetch_max_explicit, __atomic_fetch_max)
MSL_FETCH(atomic_fetch_and_explicit, __atomic_fetch_and)
MSL_FETCH(atomic_fetch_or_explicit, __atomic_fetch_or)
MSL_FETCH(atomic_fetch_xor_explicit, __atomic_fetch_xor)
#undef MSL_FETCH

/* Of 64 bits there are but these, and they return nothing. */
MSL_INLINE void atomic_min_explicit(volatile atomic<ulong> *object, ulong operand, memory_order order) {
    atomic_fetch_min_explicit(object, operand, order);
}
MSL_INLINE void atomic_max_explicit(volatile atomic<ulong> *object, ulong operand, memory_order order) {
    atomic_fetch_max_explicit(object, operand, order);
}

} // namespace metal

#endif
