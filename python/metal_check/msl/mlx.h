// What MLX puts before a kernel's own text, written from its documentation: names of types, limits, and where an
// element of an array with strides lies.
#include <metal_stdlib>
using namespace metal;

#define METAL_FUNC inline

typedef half float16_t;
typedef bfloat bfloat16_t;

template <typename T> struct Limits {
    static constexpr constant T max = numeric_limits<T>::max();
    static constexpr constant T min = numeric_limits<T>::lowest();
    static constexpr constant T finite_max = numeric_limits<T>::max();
    static constexpr constant T finite_min = numeric_limits<T>::lowest();
};

#define FLOAT_LIMITS(T)                                                                                                \
    template <> struct Limits<T> {                                                                                     \
        static constexpr constant T max = numeric_limits<T>::infinity();                                               \
        static constexpr constant T min = -numeric_limits<T>::infinity();                                              \
        static constexpr constant T finite_max = numeric_limits<T>::max();                                             \
        static constexpr constant T finite_min = -numeric_limits<T>::max();                                            \
    };

FLOAT_LIMITS(float)
FLOAT_LIMITS(half)
#undef FLOAT_LIMITS

// The offset of the element with this number in row-major order; shape [ndim], strides [ndim] in elements.
template <typename Index, typename Shape, typename Strides>
inline int64_t elem_to_loc(Index elem, Shape shape, Strides strides, int ndim) {
    int64_t offset = 0;
    for (int axis = ndim - 1; axis >= 0 && elem > 0; axis--) {
        offset += int64_t(elem % Index(shape[axis])) * int64_t(strides[axis]);
        elem /= Index(shape[axis]);
    }
    return offset;
}

// ⌈n / m⌉
template <typename T> inline T ceildiv(T n, T m) {
    return (n + m - 1) / m;
}
