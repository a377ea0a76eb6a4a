/* matrix.h — float2x2 … half4x4: columns of vectors. */
#ifndef METAL_LLM_MSL_MATRIX_H
#define METAL_LLM_MSL_MATRIX_H

#include "functions.h"

namespace metal {

/* C columns of R elements; m[c][r]. */
template <typename T, int C, int R> struct matrix {
    vec<T, R> columns[C];

    matrix() = default;
    /* The diagonal. */
    MSL_INLINE explicit matrix(T value) {
        for (int c = 0; c < C; c++)
            for (int r = 0; r < R; r++) columns[c][r] = c == r ? value : T(0);
    }
    /* As many columns as it has, also in braces: {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}. */
    template <int N = C, typename = char[N == 2 ? 1 : -1]>
    MSL_INLINE matrix(const vec<T, R> &a, const vec<T, R> &b) : columns{a, b} {}
    template <int N = C, typename = char[N == 3 ? 1 : -1]>
    MSL_INLINE matrix(const vec<T, R> &a, const vec<T, R> &b, const vec<T, R> &c)
        : columns{a, b, c} {}
    template <int N = C, typename = char[N == 4 ? 1 : -1]>
    MSL_INLINE matrix(const vec<T, R> &a, const vec<T, R> &b, const vec<T, R> &c, const vec<T, R> &d)
        : columns{a, b, c, d} {}
    template <typename U> MSL_INLINE explicit matrix(const matrix<U, C, R> &other) {
        for (int c = 0; c < C; c++) columns[c] = vec<T, R>(other[c]);
    }
    /* Column by column. */
    template <typename... Rest> MSL_INLINE matrix(T first, T second, T third, Rest... rest) {
        static_assert(sizeof...(rest) + 3 == C * R, "a matrix is made of as many elements as it has");
        T element[C * R] = {first, second, third, T(rest)...};
        for (int c = 0; c < C; c++)
            for (int r = 0; r < R; r++) columns[c][r] = element[c * R + r];
    }
    MSL_INLINE vec<T, R> &operator[](int c) {
        return columns[c];
    }
    MSL_INLINE const vec<T, R> &operator[](int c) const {
        return columns[c];
    }
};

template <typename T, int C, int R>
MSL_INLINE vec<T, R> operator*(const matrix<T, C, R> &m, const vec<T, C> &v) {
    vec<T, R> result = m[0] * v[0];
    for (int c = 1; c < C; c++) result += m[c] * v[c];
    return result;
}
template <typename T, int C, int R>
MSL_INLINE vec<T, C> operator*(const vec<T, R> &v, const matrix<T, C, R> &m) {
    vec<T, C> result;
    for (int c = 0; c < C; c++) result[c] = dot(v, m[c]);
    return result;
}
template <typename T, int C, int R, int K>
MSL_INLINE matrix<T, C, R> operator*(const matrix<T, K, R> &a, const matrix<T, C, K> &b) {
    matrix<T, C, R> result;
    for (int c = 0; c < C; c++) result[c] = a * b[c];
    return result;
}
template <typename T, int C, int R>
MSL_INLINE matrix<T, C, R> operator*(const matrix<T, C, R> &m, same<T> factor) {
    matrix<T, C, R> result;
    for (int c = 0; c < C; c++) result[c] = m[c] * factor;
    return result;
}
template <typename T, int C, int R>
MSL_INLINE matrix<T, C, R> operator*(same<T> factor, const matrix<T, C, R> &m) {
    return m * factor;
}
template <typename T, int C, int R>
MSL_INLINE matrix<T, C, R> operator+(const matrix<T, C, R> &a, const matrix<T, C, R> &b) {
    matrix<T, C, R> result;
    for (int c = 0; c < C; c++) result[c] = a[c] + b[c];
    return result;
}
template <typename T, int C, int R>
MSL_INLINE matrix<T, C, R> operator-(const matrix<T, C, R> &a, const matrix<T, C, R> &b) {
    matrix<T, C, R> result;
    for (int c = 0; c < C; c++) result[c] = a[c] - b[c];
    return result;
}
template <typename T, int C, int R>
MSL_INLINE matrix<T, C, R> operator-(const matrix<T, C, R> &m) {
    return m * T(-1);
}
#define MSL_ASSIGN(op, Other)                                                                      \
    template <typename T, int C, int R>                                                            \
    MSL_INLINE matrix<T, C, R> &operator op##=(matrix<T, C, R> &a, const Other &b) {               \
        return a = a op b;                                                                         \
    }
#define MSL_SAME matrix<T, C, R>
MSL_ASSIGN(+, MSL_SAME)
MSL_ASSIGN(-, MSL_SAME)
MSL_ASSIGN(*, same<T>)
template <typename T, int C>
MSL_INLINE matrix<T, C, C> &operator*=(matrix<T, C, C> &a, const matrix<T, C, C> &b) {
    return a = a * b;
}
#undef MSL_ASSIGN
#undef MSL_SAME
template <typename T, int C, int R>
MSL_INLINE bool operator==(const matrix<T, C, R> &a, const matrix<T, C, R> &b) {
    bool result = true;
    for (int c = 0; c < C; c++) result = result && all(a[c] == b[c]);
    return result;
}
template <typename T, int C, int R>
MSL_INLINE bool operator!=(const matrix<T, C, R> &a, const matrix<T, C, R> &b) {
    return !(a == b);
}
template <typename T, int C, int R> MSL_INLINE matrix<T, R, C> transpose(const matrix<T, C, R> &m) {
    matrix<T, R, C> result;
    for (int c = 0; c < C; c++)
        for (int r = 0; r < R; r++) result[r][c] = m[c][r];
    return result;
}
template <typename T> MSL_INLINE T determinant(const matrix<T, 2, 2> &m) {
    return m[0][0] * m[1][1] - m[1][0] * m[0][1];
}
template <typename T> MSL_INLINE T determinant(const matrix<T, 3, 3> &m) {
    return dot(m[0], cross(m[1], m[2]));
}
template <typename T> MSL_INLINE T determinant(const matrix<T, 4, 4> &m) {
    T sum = T(0);
    for (int c = 0; c < 4; c++) { /* along the first row */
        matrix<T, 3, 3> minor;
        for (int k = 0; k < 3; k++)
            for (int r = 0; r < 3; r++) minor[k][r] = m[k < c ? k : k + 1][r + 1];
        sum += (c % 2 ? -m[c][0] : m[c][0]) * determinant(minor);
    }
    return sum;
}

} // namespace metal

#define MSL_MATRICES(T)                                                                            \
    typedef metal::matrix<T, 2, 2> T##2x2;                                                         \
    typedef metal::matrix<T, 2, 3> T##2x3;                                                         \
    typedef metal::matrix<T, 2, 4> T##2x4;                                                         \
    typedef metal::matrix<T, 3, 2> T##3x2;                                                         \
    typedef metal::matrix<T, 3, 3> T##3x3;                                                         \
    typedef metal::matrix<T, 3, 4> T##3x4;                                                         \
    typedef metal::matrix<T, 4, 2> T##4x2;                                                         \
    typedef metal::matrix<T, 4, 3> T##4x3;                                                         \
    typedef metal::matrix<T, 4, 4> T##4x4;
MSL_MATRICES(float)
MSL_MATRICES(half)
#ifdef MSL_BFLOAT
MSL_MATRICES(bfloat)
#endif
#define MSL_NAMES(T)                                                                               \
    using ::T##2x2, ::T##2x3, ::T##2x4, ::T##3x2, ::T##3x3, ::T##3x4, ::T##4x2, ::T##4x3, ::T##4x4;
namespace metal {
MSL_NAMES(float)
MSL_NAMES(half)
} // namespace metal
#undef MSL_NAMES
#undef MSL_MATRICES

#endif
