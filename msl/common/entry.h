/* entry.h — how an entry point hands a kernel what its parameters ask for. */
#ifndef METAL_LLM_MSL_ENTRY_H
#define METAL_LLM_MSL_ENTRY_H

#include "types.h"

namespace msl {

using metal::vec;

/* An [[attribute]], one number or three named x, y, z, as the type that the kernel's parameter has. */
template <typename T> struct Attribute {
    static MSL_INLINE T convert(unsigned value) {
        return T(value);
    }
    template <typename Size> static MSL_INLINE T convert(const Size &size) {
        return T(size.x);
    }
};
template <typename T> struct Attribute<vec<T, 2>> {
    template <typename Size> static MSL_INLINE vec<T, 2> convert(const Size &size) {
        return {T(size.x), T(size.y)};
    }
};
template <typename T> struct Attribute<vec<T, 3>> {
    template <typename Size> static MSL_INLINE vec<T, 3> convert(const Size &size) {
        return {T(size.x), T(size.y), T(size.z)};
    }
};

/* For an instance of a template, whose parameters' types only the compiler knows: a buffer or an
 * [[attribute]] that becomes what a parameter asks for. */
struct Memory {
    void *start;
    template <typename T> MSL_INLINE operator T *() const {
        return (T *)start;
    }
    template <typename T> MSL_INLINE operator T &() const {
        return *(T *)start;
    }
};
template <typename Source> struct Value {
    Source source;
    template <typename T> MSL_INLINE operator T() const {
        return Attribute<T>::convert(source);
    }
};
template <typename Source> MSL_INLINE Value<Source> value_of(Source source) {
    return {source};
}

/* What a threadgroup variable starts with. */
template <typename T, typename U> MSL_INLINE void assign(T &to, const U &value) {
    to = value;
}
template <typename T, typename U, size_t N> MSL_INLINE void assign(T (&to)[N], const U (&value)[N]) {
    for (size_t i = 0; i < N; i++) assign(to[i], value[i]);
}

} // namespace msl

#endif
