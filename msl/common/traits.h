/* traits.h — what <metal_type_traits> and <metal_array> have. */
#ifndef METAL_LLM_MSL_TRAITS_H
#define METAL_LLM_MSL_TRAITS_H

#include "types.h"

namespace metal {

template <typename T, T constant_value> struct integral_constant {
    static constexpr const T value = constant_value;
    typedef T value_type;
    typedef integral_constant type;
    constexpr operator T() const {
        return value;
    }
    constexpr T operator()() const {
        return value;
    }
};
typedef integral_constant<bool, true> true_type;
typedef integral_constant<bool, false> false_type;

template <bool condition, typename T = void> struct enable_if {};
template <typename T> struct enable_if<true, T> {
    typedef T type;
};
template <bool condition, typename T = void>
using enable_if_t = typename enable_if<condition, T>::type;

template <bool condition, typename T, typename U> struct conditional {
    typedef T type;
};
template <typename T, typename U> struct conditional<false, T, U> {
    typedef U type;
};
template <bool condition, typename T, typename U>
using conditional_t = typename conditional<condition, T, U>::type;

template <typename T> struct remove_cv {
    typedef __remove_cv(T) type;
};
template <typename T> using remove_cv_t = __remove_cv(T);
template <typename T> using remove_reference_t = __remove_reference_t(T);

template <typename T, typename U> struct is_same : integral_constant<bool, __is_same(T, U)> {};
template <typename T, typename U> constexpr bool is_same_v = __is_same(T, U);
template <typename T> struct is_integral : integral_constant<bool, __is_integral(T)> {};
template <typename T, int N> struct is_integral<vec<T, N>> : is_integral<T> {};
template <typename T> constexpr bool is_integral_v = is_integral<T>::value;
#ifdef MSL_BFLOAT
#define MSL_IS_BFLOAT(T) __is_same(__remove_cv(T), bfloat)
#else
#define MSL_IS_BFLOAT(T) false
#endif
template <typename T> struct is_floating_point
    : integral_constant<bool, __is_same(__remove_cv(T), float) || __is_same(__remove_cv(T), half) ||
                                  MSL_IS_BFLOAT(T)> {};
#undef MSL_IS_BFLOAT
template <typename T> constexpr bool is_floating_point_v = is_floating_point<T>::value;
template <typename T> struct is_unsigned : integral_constant<bool, __is_unsigned(T)> {};
template <typename T> constexpr bool is_unsigned_v = __is_unsigned(T);

template <bool value> using bool_constant = integral_constant<bool, value>;

template <typename T> struct is_void : integral_constant<bool, __is_void(T)> {};
template <typename T> constexpr bool is_void_v = is_void<T>::value;
template <typename T> struct is_pointer : integral_constant<bool, __is_pointer(T)> {};
template <typename T> constexpr bool is_pointer_v = is_pointer<T>::value;
template <typename T> struct is_reference : integral_constant<bool, __is_reference(T)> {};
template <typename T> constexpr bool is_reference_v = is_reference<T>::value;
template <typename T> struct is_lvalue_reference : integral_constant<bool, __is_lvalue_reference(T)> {};
template <typename T> constexpr bool is_lvalue_reference_v = is_lvalue_reference<T>::value;
template <typename T> struct is_array : integral_constant<bool, __is_array(T)> {};
template <typename T> constexpr bool is_array_v = is_array<T>::value;
template <typename T> struct is_const : integral_constant<bool, __is_const(T)> {};
template <typename T> constexpr bool is_const_v = is_const<T>::value;
template <typename T> struct is_volatile : integral_constant<bool, __is_volatile(T)> {};
template <typename T> constexpr bool is_volatile_v = is_volatile<T>::value;
template <typename T> struct is_signed : integral_constant<bool, __is_signed(T) || is_floating_point_v<T>> {};
template <typename T> constexpr bool is_signed_v = is_signed<T>::value;
template <typename T> struct is_arithmetic : integral_constant<bool, __is_integral(T) || is_floating_point_v<T>> {};
template <typename T> constexpr bool is_arithmetic_v = is_arithmetic<T>::value;
template <typename T> struct is_fundamental : integral_constant<bool, __is_fundamental(T) || is_floating_point_v<T>> {};
template <typename T> constexpr bool is_fundamental_v = is_fundamental<T>::value;
template <typename T> struct is_scalar : integral_constant<bool, __is_scalar(T) || is_floating_point_v<T>> {};
template <typename T> constexpr bool is_scalar_v = is_scalar<T>::value;
template <typename T> struct is_enum : integral_constant<bool, __is_enum(T)> {};
template <typename T> constexpr bool is_enum_v = is_enum<T>::value;
template <typename T> struct is_class : integral_constant<bool, __is_class(T)> {};
template <typename T> constexpr bool is_class_v = is_class<T>::value;
template <typename T> struct is_union : integral_constant<bool, __is_union(T)> {};
template <typename T> constexpr bool is_union_v = is_union<T>::value;
template <typename T> struct is_function : integral_constant<bool, __is_function(T)> {};
template <typename T> constexpr bool is_function_v = is_function<T>::value;
template <typename T> struct is_object : integral_constant<bool, __is_object(T)> {};
template <typename T> constexpr bool is_object_v = is_object<T>::value;
template <typename T> struct is_compound : integral_constant<bool, __is_compound(T)> {};
template <typename T> constexpr bool is_compound_v = is_compound<T>::value;
template <typename T> struct is_trivially_copyable : integral_constant<bool, __is_trivially_copyable(T)> {};
template <typename T, int N> struct is_trivially_copyable<vec<T, N>> : true_type {};
template <typename T> constexpr bool is_trivially_copyable_v = is_trivially_copyable<T>::value;
template <typename T> struct is_standard_layout : integral_constant<bool, __is_standard_layout(T)> {};
template <typename T> constexpr bool is_standard_layout_v = is_standard_layout<T>::value;
template <typename T> struct is_trivial : integral_constant<bool, __is_trivial(T)> {};
template <typename T> constexpr bool is_trivial_v = is_trivial<T>::value;
template <typename T> struct is_pod : integral_constant<bool, __is_pod(T)> {};
template <typename T> constexpr bool is_pod_v = is_pod<T>::value;
template <typename T> struct is_default_constructible : integral_constant<bool, __is_constructible(T)> {};
template <typename T> constexpr bool is_default_constructible_v = is_default_constructible<T>::value;
template <typename T> struct is_copy_constructible : integral_constant<bool, __is_constructible(T, const T &)> {};
template <typename T> constexpr bool is_copy_constructible_v = is_copy_constructible<T>::value;
template <typename From, typename To> struct is_convertible
    : integral_constant<bool, __is_convertible_to(From, To)> {};
template <typename From, typename To> constexpr bool is_convertible_v = __is_convertible_to(From, To);
template <typename Base, typename T> struct is_base_of
    : integral_constant<bool, __is_base_of(Base, T)> {};
template <typename Base, typename T> constexpr bool is_base_of_v = __is_base_of(Base, T);
template <typename T, typename... From> struct is_constructible
    : integral_constant<bool, __is_constructible(T, From...)> {};
template <typename T, typename... From>
constexpr bool is_constructible_v = __is_constructible(T, From...);
template <typename To, typename From> struct is_assignable
    : integral_constant<bool, __is_assignable(To, From)> {};
template <typename To, typename From> constexpr bool is_assignable_v = __is_assignable(To, From);

template <typename... Tests> struct disjunction : bool_constant<(Tests::value || ...)> {};
template <typename... Tests> constexpr bool disjunction_v = (Tests::value || ...);
template <typename... Tests> struct conjunction : bool_constant<(Tests::value && ...)> {};
template <typename... Tests> constexpr bool conjunction_v = (Tests::value && ...);
template <typename Test> struct negation : bool_constant<!Test::value> {};
template <typename Test> constexpr bool negation_v = !Test::value;
/* Their names where `#pragma METAL internals : enable` stands. */
template <typename... Tests> using _disjunction = disjunction<Tests...>;
template <typename... Tests> using _conjunction = conjunction<Tests...>;
template <typename Test> using _negation = negation<Test>;

template <typename T> struct remove_reference {
    typedef __remove_reference_t(T) type;
};
template <typename T> struct remove_const {
    typedef T type;
};
template <typename T> struct remove_const<const T> {
    typedef T type;
};
template <typename T> using remove_const_t = typename remove_const<T>::type;
template <typename T> struct remove_volatile {
    typedef T type;
};
template <typename T> struct remove_volatile<volatile T> {
    typedef T type;
};
template <typename T> using remove_volatile_t = typename remove_volatile<T>::type;
template <typename T> struct remove_pointer {
    typedef T type;
};
template <typename T> struct remove_pointer<T *> {
    typedef T type;
};
template <typename T> struct remove_pointer<T *const> {
    typedef T type;
};
template <typename T> using remove_pointer_t = typename remove_pointer<T>::type;
template <typename T> struct remove_extent {
    typedef T type;
};
template <typename T, size_t N> struct remove_extent<T[N]> {
    typedef T type;
};
template <typename T> using remove_extent_t = typename remove_extent<T>::type;
template <typename T> struct add_const {
    typedef const T type;
};
template <typename T> using add_const_t = const T;
template <typename T> struct add_pointer {
    typedef remove_reference_t<T> *type;
};
template <typename T> using add_pointer_t = typename add_pointer<T>::type;
template <typename T> struct remove_cvref {
    typedef remove_cv_t<remove_reference_t<T>> type;
};
template <typename T> using remove_cvref_t = typename remove_cvref<T>::type;
template <typename T> struct decay {
    typedef remove_cv_t<remove_reference_t<T>> type;
};
template <typename T> using decay_t = typename decay<T>::type;
template <typename T> struct underlying_type {
    typedef __underlying_type(T) type;
};
template <typename T> using underlying_type_t = __underlying_type(T);
template <typename T> T &&declval();

/* Metal's own: an address space is part of the type. */
template <typename T> struct remove_addrspace {
    typedef T type;
};
#ifdef MSL_SPACES
template <typename T> struct remove_addrspace<T __attribute__((opencl_global_device))> {
    typedef T type;
};
template <typename T> struct remove_addrspace<T __attribute__((opencl_global_host))> {
    typedef T type;
};
template <typename T> struct remove_addrspace<T __attribute__((opencl_local))> {
    typedef T type;
};
#endif
template <typename T> using remove_addrspace_t = typename remove_addrspace<T>::type;

/* The same integer with and without a sign; of a vector those of its elements. */
template <typename T> struct make_unsigned;
template <typename T> struct make_signed;
#define MSL_SIGNS(S, U)                                                                            \
    template <> struct make_unsigned<S> {                                                          \
        typedef U type;                                                                            \
    };                                                                                             \
    template <> struct make_unsigned<U> {                                                          \
        typedef U type;                                                                            \
    };                                                                                             \
    template <> struct make_signed<S> {                                                            \
        typedef S type;                                                                            \
    };                                                                                             \
    template <> struct make_signed<U> {                                                            \
        typedef S type;                                                                            \
    };
MSL_SIGNS(char, uchar)
MSL_SIGNS(short, ushort)
MSL_SIGNS(int, uint)
MSL_SIGNS(long, ulong)
#undef MSL_SIGNS
template <> struct make_unsigned<signed char> {
    typedef uchar type;
};
template <typename T, int N> struct make_unsigned<vec<T, N>> {
    typedef vec<typename make_unsigned<T>::type, N> type;
};
template <typename T, int N> struct make_signed<vec<T, N>> {
    typedef vec<typename make_signed<T>::type, N> type;
};
template <typename T> using make_unsigned_t = typename make_unsigned<T>::type;
template <typename T> using make_signed_t = typename make_signed<T>::type;

template <typename T> struct make_scalar {
    typedef T type;
};
template <typename T, int N> struct make_scalar<vec<T, N>> {
    typedef T type;
};
template <typename T> using make_scalar_t = typename make_scalar<T>::type;
template <typename T> struct vec_elements : integral_constant<uint, 1> {};
template <typename T, int N> struct vec_elements<vec<T, N>> : integral_constant<uint, N> {};
template <typename T> struct is_vector : false_type {};
template <typename T, int N> struct is_vector<vec<T, N>> : true_type {};
template <typename T> constexpr bool is_vector_v = is_vector<T>::value;

template <typename T, T... values> struct integer_sequence {
    static constexpr size_t size() {
        return sizeof...(values);
    }
};
template <size_t... values> using index_sequence = integer_sequence<size_t, values...>;
template <typename T, T count> using make_integer_sequence =
    __make_integer_seq<integer_sequence, T, count>;
template <size_t count> using make_index_sequence = make_integer_sequence<size_t, count>;

/* A value that all threads share. */
template <typename T> using uniform = T;
template <typename T> constexpr uniform<T> make_uniform(T value) {
    return value;
}

template <typename T> MSL_INLINE void swap(T &a, T &b) {
    T other = a;
    a = b;
    b = other;
}

template <typename T, size_t N> struct array {
    T __elements[N];

    MSL_INLINE constexpr T &operator[](size_t i) {
        return __elements[i];
    }
    MSL_INLINE constexpr const T &operator[](size_t i) const {
        return __elements[i];
    }
    static constexpr size_t size() {
        return N;
    }
    static constexpr bool empty() {
        return N == 0;
    }
    MSL_INLINE T *data() {
        return __elements;
    }
    MSL_INLINE const T *data() const {
        return __elements;
    }
    MSL_INLINE constexpr T &front() {
        return __elements[0];
    }
    MSL_INLINE constexpr const T &front() const {
        return __elements[0];
    }
    MSL_INLINE constexpr T &back() {
        return __elements[N - 1];
    }
    MSL_INLINE constexpr const T &back() const {
        return __elements[N - 1];
    }
    MSL_INLINE void fill(const T &value) {
        for (size_t i = 0; i < N; i++) __elements[i] = value;
    }
    MSL_INLINE T *begin() {
        return __elements;
    }
    MSL_INLINE T *end() {
        return __elements + N;
    }
    MSL_INLINE const T *begin() const {
        return __elements;
    }
    MSL_INLINE const T *end() const {
        return __elements + N;
    }
};

} // namespace metal

#endif
