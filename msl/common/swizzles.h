/* swizzles.h — v.xy, v.wzyx, v.rgb = …: members of vec, as clang's properties (-fdeclspec).
 *
 * Included inside of vec; MSL_SWIZZLES has a getter, a setter and a property for each word of two
 * to four of the letters.
 */
#ifndef METAL_LLM_MSL_SWIZZLES_H
#define METAL_LLM_MSL_SWIZZLES_H

#define MSL_PROPERTY(name, size, ...)                                                              \
    MSL_INLINE vec<T, size> get_##name() const volatile {                                          \
        return swizzled<__VA_ARGS__>();                                                            \
    }                                                                                              \
    MSL_INLINE void put_##name(const vec<T, size> &value) volatile & {                             \
        assign_swizzled<__VA_ARGS__>(value);                                                       \
    }                                                                                              \
    __declspec(property(get = get_##name, put = put_##name)) vec<T, size> name;

/* p, q, r, s are all letters; a, b, c, d those of the word, i, j, k, l their indices. */
#define MSL_WORD_4(a, i, b, j, c, k, d, l) MSL_PROPERTY(a##b##c##d, 4, i, j, k, l)
#define MSL_WORD_3(p, q, r, s, a, i, b, j, c, k)                                                   \
    MSL_PROPERTY(a##b##c, 3, i, j, k)                                                              \
    MSL_WORD_4(a, i, b, j, c, k, p, 0)                                                             \
    MSL_WORD_4(a, i, b, j, c, k, q, 1)                                                             \
    MSL_WORD_4(a, i, b, j, c, k, r, 2)                                                             \
    MSL_WORD_4(a, i, b, j, c, k, s, 3)
#define MSL_WORD_2(p, q, r, s, a, i, b, j)                                                         \
    MSL_PROPERTY(a##b, 2, i, j)                                                                    \
    MSL_WORD_3(p, q, r, s, a, i, b, j, p, 0)                                                       \
    MSL_WORD_3(p, q, r, s, a, i, b, j, q, 1)                                                       \
    MSL_WORD_3(p, q, r, s, a, i, b, j, r, 2)                                                       \
    MSL_WORD_3(p, q, r, s, a, i, b, j, s, 3)
#define MSL_WORD_1(p, q, r, s, a, i)                                                               \
    MSL_WORD_2(p, q, r, s, a, i, p, 0)                                                             \
    MSL_WORD_2(p, q, r, s, a, i, q, 1)                                                             \
    MSL_WORD_2(p, q, r, s, a, i, r, 2)                                                             \
    MSL_WORD_2(p, q, r, s, a, i, s, 3)
#define MSL_WORDS(p, q, r, s)                                                                      \
    MSL_WORD_1(p, q, r, s, p, 0)                                                                   \
    MSL_WORD_1(p, q, r, s, q, 1)                                                                   \
    MSL_WORD_1(p, q, r, s, r, 2)                                                                   \
    MSL_WORD_1(p, q, r, s, s, 3)

#define MSL_SWIZZLES                                                                               \
    template <int... index> MSL_INLINE vec<T, sizeof...(index)> swizzled() const volatile {        \
        static_assert(((index < N) && ...), "a swizzle names an element that the vector lacks");   \
        return vec<T, sizeof...(index)>(this->element[index]...);                                  \
    }                                                                                              \
    template <int... index>                                                                        \
    MSL_INLINE void assign_swizzled(const vec<T, sizeof...(index)> &value) volatile {              \
        static_assert(((index < N) && ...), "a swizzle names an element that the vector lacks");   \
        int i = 0;                                                                                 \
        ((this->element[index] = value[i++]), ...);                                                \
    }                                                                                              \
    MSL_WORDS(x, y, z, w)                                                                          \
    MSL_WORDS(r, g, b, a)

#endif
