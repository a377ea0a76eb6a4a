/* hooks.c — what a compiled kernel calls: clang's address sanitizer under the prefix msl_, which
 * takes the place of __asan_ (see program.c), and a little more.
 */
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CALLER __builtin_return_address(0)
/* A hook is compiled with frame pointers: its frame starts with the caller's. */
#define FRAME (*(void **)__builtin_frame_address(0))

#define ACCESS(bytes)                                                                              \
    void msl_load##bytes##_noabort(void *address);                                                 \
    void msl_load##bytes##_noabort(void *address) {                                                \
        watch_access(address, bytes, READ, CALLER, FRAME);                                         \
    }                                                                                              \
    void msl_store##bytes##_noabort(void *address);                                                \
    void msl_store##bytes##_noabort(void *address) {                                               \
        watch_access(address, bytes, WRITE, CALLER, FRAME);                                        \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void msl_loadN_noabort(void *address, size_t bytes);
void msl_loadN_noabort(void *address, size_t bytes) {
    watch_access(address, bytes, READ, CALLER, FRAME);
}
void msl_storeN_noabort(void *address, size_t bytes);
void msl_storeN_noabort(void *address, size_t bytes) {
    watch_access(address, bytes, WRITE, CALLER, FRAME);
}

/* Struct assignments: memcpy is given overlapping ones, too. */
static void *copy(void *to, const void *from, size_t bytes, const void *caller, const void *frame) {
    watch_access(from, bytes, READ | COPY, caller, frame);
    watch_access(to, bytes, WRITE | COPY, caller, frame);
    watch_copy(to, from, bytes);
    return memmove(to, from, bytes);
}
void *msl_memcpy(void *to, const void *from, size_t bytes);
void *msl_memcpy(void *to, const void *from, size_t bytes) {
    return copy(to, from, bytes, CALLER, FRAME);
}
void *msl_memmove(void *to, const void *from, size_t bytes);
void *msl_memmove(void *to, const void *from, size_t bytes) {
    return copy(to, from, bytes, CALLER, FRAME);
}
void *msl_memset(void *to, int value, size_t bytes);
void *msl_memset(void *to, int value, size_t bytes) {
    watch_access(to, bytes, WRITE, CALLER, FRAME);
    return memset(to, value, bytes);
}

/* From msl/common/atomic.h. */
void msl_watch_atomic(void *address, size_t bytes, bool reads, bool writes);
void msl_watch_atomic(void *address, size_t bytes, bool reads, bool writes) {
    unsigned use = (reads ? READ : 0u) | (writes ? WRITE : 0u);
    watch_atomic(address, bytes, use, CALLER, FRAME);
}

void msl_watch_exchange(void *address, size_t bytes);
void msl_watch_exchange(void *address, size_t bytes) {
    watch_atomic(address, bytes, READ | WRITE | EXCHANGE, CALLER, FRAME);
}

void msl_watch_swap(void *address, size_t bytes);
void msl_watch_swap(void *address, size_t bytes) {
    watch_atomic(address, bytes, READ | WRITE | SWAP, CALLER, FRAME);
}

/* From msl/simt/library.h. */
void msl_watch_fence(int mem_flags, int order);
void msl_watch_fence(int mem_flags, int order) {
    watch_fence(mem_flags, order);
}

/* From msl/simt/metal_stdlib. */
bool msl_watch_operand(const void *operand, size_t bytes);
bool msl_watch_operand(const void *operand, size_t bytes) {
    return watch_operand(operand, bytes);
}
void msl_watch_unwritten(void *result, size_t bytes);
void msl_watch_unwritten(void *result, size_t bytes) {
    watch_unwritten(result, bytes);
}

/* From -finstrument-functions. */
void __cyg_profile_func_enter(void *function, void *call_site);
void __cyg_profile_func_enter(void *function, void *call_site) {
    (void)function, (void)call_site;
    const char *low = (const char *)__builtin_frame_address(0) + 2 * sizeof(void *);
    watch_function(low, FRAME, CALLER);
}
void __cyg_profile_func_exit(void *function, void *call_site);
void __cyg_profile_func_exit(void *function, void *call_site) {
    (void)function, (void)call_site;
}

/* Round what gives a static variable its value (Itanium C++ ABI, 3.3.3). */
int __cxa_guard_acquire(char *guard);
int __cxa_guard_acquire(char *guard) {
    if (!*guard) watch_static(true);
    return !*guard;
}
void __cxa_guard_release(char *guard);
void __cxa_guard_release(char *guard) {
    *guard = 1;
    watch_static(false);
}

/* In front of a call that does not return, such as a trap. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void) {}

/* What clang's checks know of their place in the source, and of a type. */
typedef struct CheckPlace {
    const char *file;
    uint32_t line, column;
} CheckPlace;

typedef struct CheckType {
    uint16_t kind, info;
    char name[];
} CheckType;

/* What clang puts before an index into an array of known size. */
typedef struct BoundsCheck {
    CheckPlace place;
    const CheckType *array, *index;
} BoundsCheck;

void __ubsan_handle_out_of_bounds(const BoundsCheck *bounds, uintptr_t index);
void __ubsan_handle_out_of_bounds(const BoundsCheck *bounds, uintptr_t index) {
    watch_index(bounds->place.file, bounds->place.line, (long long)index, bounds->array->name);
}

/* What clang puts before a use of a pointer. */
typedef struct AlignmentCheck {
    CheckPlace place;
    const CheckType *type;
    unsigned char log_alignment,
        use; /* use 0: a load, 1: a store, others: a reference, a member … */
} AlignmentCheck;

void __ubsan_handle_type_mismatch_v1(const AlignmentCheck *check, const void *address);
void __ubsan_handle_type_mismatch_v1(const AlignmentCheck *check, const void *address) {
    watch_alignment(check->type->name, 1u << check->log_alignment, address, CALLER);
}

/* What clang calls for a shift by the width of the type or more. */
typedef struct ShiftCheck {
    CheckPlace place;
    const CheckType *left, *right;
} ShiftCheck;

void __ubsan_handle_shift_out_of_bounds(const ShiftCheck *check, uintptr_t left, uintptr_t right);
void __ubsan_handle_shift_out_of_bounds(const ShiftCheck *check, uintptr_t left, uintptr_t right) {
    (void)left;
    watch_shift(check->left->name, (long long)right, CALLER);
}
