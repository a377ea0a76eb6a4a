/* traits.h — what <metal_type_traits> and <metal_array> have. */
#ifndef METAL_LLM_MSL_TRAITS_H
#define METAL_LLM_MSL_TRAITS_H

#include "types.h"

namespace metal {

template <typename T, T constant_value> struct integral_constant {
    static constexpr const T value = constant_value;
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
template <typename T> constexpr bool is_integral_v = __is_integral(T);
template <typename T> struct is_floating_point
    : integral_constant<bool, __is_same(__remove_cv(T), float) || __is_same(__remove_cv(T), half)> {};
template <typename T> constexpr bool is_floating_point_v = is_floating_point<T>::value;
template <typename T> struct is_unsigned : integral_constant<bool, __is_unsigned(T)> {};
template <typename T> constexpr bool is_unsigned_v = __is_unsigned(T);

template <typename T, size_t N> struct array {
    T __elements[N];

    MSL_INLINE T &operator[](size_t i) {
        return __elements[i];
    }
    MSL_INLINE const T &operator[](size_t i) const {
        return __elements[i];
    }
    static constexpr size_t size() {
        return N;
    }
};

} // namespace metal

#endif
