/* texture_types.h — Metal's textures and samplers; see textures.h. -*- C++ -*- */
#ifndef METAL_LLM_MSL_SIMT_TEXTURE_TYPES_H
#define METAL_LLM_MSL_SIMT_TEXTURE_TYPES_H

#include "traits.h"
#include "textures.h"

namespace msl {
struct Samplers;
}

namespace metal {

enum class access { sample, read, write, read_write };
enum memory_coherence {
    memory_coherence_threadgroup,
    memory_coherence_device,
};

/* --- samplers --- */

enum class coord { normalized, pixel };
enum class filter { nearest, linear };
enum class mag_filter { nearest, linear };
enum class min_filter { nearest, linear };
enum class mip_filter { none, nearest, linear };
#define SIMT_ADDRESS(name)                                                                         \
    enum class name { clamp_to_edge, repeat, mirrored_repeat, clamp_to_zero, clamp_to_border };
SIMT_ADDRESS(address)
SIMT_ADDRESS(s_address)
SIMT_ADDRESS(t_address)
SIMT_ADDRESS(r_address)
#undef SIMT_ADDRESS
enum class border_color { transparent_black, opaque_black, opaque_white };
enum class compare_func {
    none, never, less, less_equal, greater, greater_equal, equal, not_equal, always
};
struct max_anisotropy {
    constexpr explicit max_anisotropy(int) {}
};
struct lod_clamp {
    constexpr explicit lod_clamp(float, float) {}
};

struct sampler {
    SimtSampler state;

    template <typename... Options> constexpr sampler(Options... options) : state{} {
        (set(options), ...);
    }

private:
    constexpr void set(coord value) {
        state.is_pixel = value == coord::pixel;
    }
    constexpr void set(filter value) {
        state.magnifies = state.minifies = value == filter::linear;
    }
    constexpr void set(mag_filter value) {
        state.magnifies = value == mag_filter::linear;
    }
    constexpr void set(min_filter value) {
        state.minifies = value == min_filter::linear;
    }
    constexpr void set(address value) {
        for (int axis = 0; axis < 3; axis++) state.address[axis] = (unsigned char)value;
    }
    constexpr void set(s_address value) {
        state.address[0] = (unsigned char)value;
    }
    constexpr void set(t_address value) {
        state.address[1] = (unsigned char)value;
    }
    constexpr void set(r_address value) {
        state.address[2] = (unsigned char)value;
    }
    constexpr void set(border_color value) {
        state.border = (unsigned char)value;
    }
    constexpr void set(compare_func value) {
        constexpr unsigned char masks[] = {0, 0, 1, 3, 4, 6, 2, 5, 7};
        state.compare = masks[int(value)];
    }
    void set(const msl::Samplers &argument);
    /* There is one level. */
    constexpr void set(mip_filter) {}
    constexpr void set(max_anisotropy) {}
    constexpr void set(lod_clamp) {}
};

/* --- how to choose a level --- */

struct level {
    float value;
    MSL_INLINE explicit level(float value) : value(value) {}
};
struct bias {
    float value;
    MSL_INLINE explicit bias(float value) : value(value) {}
};
struct min_lod_clamp {
    float value;
    MSL_INLINE explicit min_lod_clamp(float value) : value(value) {}
};
struct gradient2d {
    float2 dx, dy;
    MSL_INLINE gradient2d(float2 dx, float2 dy) : dx(dx), dy(dy) {}
};
struct gradient3d {
    float3 dx, dy;
    MSL_INLINE gradient3d(float3 dx, float3 dy) : dx(dx), dy(dy) {}
};
struct gradientcube {
    float3 dx, dy;
    MSL_INLINE gradientcube(float3 dx, float3 dy) : dx(dx), dy(dy) {}
};
enum class component { x, y, z, w };

} // namespace metal

namespace simt {

using metal::vec;

struct Lod {
    float level = 0, dx[3] = {}, dy[3] = {};
    Lod() = default;
    MSL_INLINE Lod(metal::level level) : level(level.value) {}
    MSL_INLINE Lod(metal::bias bias) : level(bias.value) {}
    MSL_INLINE Lod(metal::min_lod_clamp least) : level(least.value) {}
    MSL_INLINE Lod(metal::gradient2d by)
        : dx{by.dx[0], by.dx[1]}, dy{by.dy[0], by.dy[1]} {}
    MSL_INLINE Lod(metal::gradient3d by)
        : dx{by.dx[0], by.dx[1], by.dx[2]}, dy{by.dy[0], by.dy[1], by.dy[2]} {}
    MSL_INLINE Lod(metal::gradientcube by) : Lod(metal::gradient3d(by.dx, by.dy)) {}
};

MSL_INLINE SimtSpot spot_at(float at, uint layer, const Lod &lod, int offset = 0) {
    return {{at}, {offset}, layer, lod.level, {lod.dx[0]}, {lod.dy[0]}};
}
MSL_INLINE SimtSpot spot_at(float2 at, uint layer, const Lod &lod, int2 offset) {
    return {{at[0], at[1]}, {offset[0], offset[1]}, layer, lod.level, {lod.dx[0], lod.dx[1]},
            {lod.dy[0], lod.dy[1]}};
}
MSL_INLINE SimtSpot spot_at(float3 at, uint layer, const Lod &lod, int3 offset) {
    return {{at[0], at[1], at[2]}, {offset[0], offset[1], offset[2]}, layer, lod.level,
            {lod.dx[0], lod.dx[1], lod.dx[2]}, {lod.dy[0], lod.dy[1], lod.dy[2]}};
}
MSL_INLINE SimtSpot spot_at(float3 direction, uint cube, const Lod &lod) {
    return spot_at(direction, cube, lod, int3(0));
}

template <typename T> MSL_INLINE vec<T, 4> color_of(const SimtTexel &texel) {
    if constexpr (metal::is_floating_point_v<T>)
        return {T(texel.f[0]), T(texel.f[1]), T(texel.f[2]), T(texel.f[3])};
    else if constexpr (metal::is_unsigned_v<T>)
        return {T(texel.u[0]), T(texel.u[1]), T(texel.u[2]), T(texel.u[3])};
    else
        return {T(texel.i[0]), T(texel.i[1]), T(texel.i[2]), T(texel.i[3])};
}
template <typename T> MSL_INLINE SimtTexel texel_of(const vec<T, 4> &color) {
    SimtTexel texel;
    for (int c = 0; c < 4; c++) {
        if constexpr (metal::is_floating_point_v<T>)
            texel.f[c] = float(color[c]);
        else if constexpr (metal::is_unsigned_v<T>)
            texel.u[c] = color[c];
        else
            texel.i[c] = color[c];
    }
    return texel;
}

/* What all textures have. `handle` comes first and alone: an argument buffer has it in the place of
 * the texture. */
template <typename T, metal::access A> struct Texture {
    const SimtTexture *handle;

    MSL_INLINE uint get_num_mip_levels() const {
        return size(0, 0) != 0;
    }
    MSL_INLINE void fence() const {
        static_assert(A == metal::access::read_write, "only textures of access::read_write have a fence");
        simt_texture_fence(handle);
    }

protected:
    typedef vec<T, 4> Color;

    MSL_INLINE Color load(SimtPosition at) const {
        static_assert(A != metal::access::write, "a texture of access::write cannot be read");
        SimtTexel texel;
        simt_texture_read(handle, &at, &texel);
        return color_of<T>(texel);
    }
    MSL_INLINE void store(const Color &color, SimtPosition at) const {
        static_assert(A == metal::access::write || A == metal::access::read_write,
                      "only textures of access::write and access::read_write can be written");
        SimtTexel texel = texel_of(color);
        simt_texture_write(handle, &at, &texel);
    }
    MSL_INLINE Color look(const metal::sampler &sampler, SimtSpot spot) const {
        static_assert(A == metal::access::sample, "only textures of access::sample can be sampled");
        SimtTexel texel;
        simt_texture_sample(handle, sampler.state, &spot, &texel);
        return color_of<T>(texel);
    }
    MSL_INLINE Color collect(const metal::sampler &sampler, SimtSpot spot, metal::component channel) const {
        static_assert(A == metal::access::sample, "only textures of access::sample can be sampled");
        SimtTexel texel;
        simt_texture_gather(handle, sampler.state, &spot, uint(channel), &texel);
        return color_of<T>(texel);
    }
    MSL_INLINE float compare(const metal::sampler &sampler, SimtSpot spot, float value) const {
        static_assert(A == metal::access::sample, "only textures of access::sample can be sampled");
        return simt_texture_compare(handle, sampler.state, &spot, value);
    }
    MSL_INLINE Color change(SimtAtomic operation, const Color &operand, SimtPosition at) const {
        static_assert(A == metal::access::read_write && metal::is_integral_v<T> && sizeof(T) == 4,
                      "only textures of int and uint and access::read_write have atomic operations");
        SimtTexel texel = texel_of(operand);
        simt_texture_atomic(handle, &at, operation, nullptr, &texel);
        return color_of<T>(texel);
    }
    MSL_INLINE bool change_from(Color *expected, const Color &desired, SimtPosition at) const {
        SimtTexel old = texel_of(*expected), texel = texel_of(desired);
        bool done = simt_texture_atomic(handle, &at, SIMT_ATOMIC_COMPARE_EXCHANGE, &old, &texel);
        if (!done) *expected = color_of<T>(texel);
        return done;
    }
    MSL_INLINE uint size(int axis, uint level) const {
        uint sizes[4];
        simt_texture_size(handle, level, sizes);
        return sizes[axis];
    }
};

} // namespace simt

namespace metal {

/* Reads and writes. `place` has a function's first parameters, (uint2 at, uint layer); x, y, z and
 * layer follow. */
#define SIMT_OPEN(...) __VA_ARGS__
#define SIMT_FETCH(name, operation, place, ...)                                                    \
    MSL_INLINE Color name(SIMT_OPEN place, const Color &operand) const {                           \
        return this->change(operation, operand, {__VA_ARGS__, 0});                                 \
    }
#define SIMT_TEXELS(place, ...)                                                                    \
    MSL_INLINE Color read(SIMT_OPEN place, uint level = 0) const {                                 \
        return this->load({__VA_ARGS__, level});                                                   \
    }                                                                                              \
    MSL_INLINE void write(const Color &color, SIMT_OPEN place, uint level = 0) const {             \
        this->store(color, {__VA_ARGS__, level});                                                  \
    }                                                                                              \
    MSL_INLINE Color atomic_load(SIMT_OPEN place) const {                                          \
        return this->change(SIMT_ATOMIC_LOAD, Color(T(0)), {__VA_ARGS__, 0});                      \
    }                                                                                              \
    MSL_INLINE void atomic_store(const Color &color, SIMT_OPEN place) const {                      \
        this->change(SIMT_ATOMIC_STORE, color, {__VA_ARGS__, 0});                                  \
    }                                                                                              \
    MSL_INLINE bool atomic_compare_exchange_weak(SIMT_OPEN place, Color *expected,                 \
                                                 const Color &desired) const {                     \
        return this->change_from(expected, desired, {__VA_ARGS__, 0});                             \
    }                                                                                              \
    SIMT_FETCH(atomic_exchange, SIMT_ATOMIC_EXCHANGE, place, __VA_ARGS__)                          \
    SIMT_FETCH(atomic_fetch_add, SIMT_ATOMIC_ADD, place, __VA_ARGS__)                              \
    SIMT_FETCH(atomic_fetch_sub, SIMT_ATOMIC_SUB, place, __VA_ARGS__)                              \
    SIMT_FETCH(atomic_fetch_and, SIMT_ATOMIC_AND, place, __VA_ARGS__)                              \
    SIMT_FETCH(atomic_fetch_or, SIMT_ATOMIC_OR, place, __VA_ARGS__)                                \
    SIMT_FETCH(atomic_fetch_xor, SIMT_ATOMIC_XOR, place, __VA_ARGS__)                              \
    SIMT_FETCH(atomic_fetch_min, SIMT_ATOMIC_MIN, place, __VA_ARGS__)                              \
    SIMT_FETCH(atomic_fetch_max, SIMT_ATOMIC_MAX, place, __VA_ARGS__)

#define SIMT_SIZE(name, axis)                                                                      \
    MSL_INLINE uint name(uint level = 0) const {                                                   \
        return this->size(axis, level);                                                            \
    }
#define SIMT_LAYERS(faces)                                                                         \
    MSL_INLINE uint get_array_size() const {                                                       \
        return this->size(3, 0) / faces;                                                           \
    }

#define SIMT_SAMPLES(place, layer, Offset)                                                         \
    MSL_INLINE Color sample(sampler by, SIMT_OPEN place, Offset offset = Offset(0)) const {        \
        return this->look(by, simt::spot_at(at, layer, {}, offset));                               \
    }                                                                                              \
    MSL_INLINE Color sample(sampler by, SIMT_OPEN place, simt::Lod lod,                            \
                            Offset offset = Offset(0)) const {                                     \
        return this->look(by, simt::spot_at(at, layer, lod, offset));                              \
    }
#define SIMT_GATHERS(place, layer)                                                                 \
    MSL_INLINE Color gather(sampler by, SIMT_OPEN place, int2 offset = int2(0),                    \
                            component channel = component::x) const {                              \
        return this->collect(by, simt::spot_at(at, layer, {}, offset), channel);                   \
    }

/* Cubes are sampled by direction, without an offset. */
#define SIMT_LOOKS(place, cube)                                                                    \
    MSL_INLINE Color sample(sampler by, SIMT_OPEN place, simt::Lod lod = {}) const {               \
        return this->look(by, simt::spot_at(at, cube, lod));                                       \
    }                                                                                              \
    MSL_INLINE Color gather(sampler by, SIMT_OPEN place, component channel = component::x) const { \
        return this->collect(by, simt::spot_at(at, cube, {}), channel);                            \
    }

#define SIMT_TEXTURE(name)                                                                         \
    template <typename T, access A = access::sample, memory_coherence = memory_coherence()>        \
    struct name : simt::Texture<T, A>
#define SIMT_COLOR typedef vec<T, 4> Color;

SIMT_TEXTURE(texture1d) {
    SIMT_COLOR
    SIMT_TEXELS((uint at), at, 0, 0, 0)
    SIMT_SAMPLES((float at), 0, int)
    SIMT_SIZE(get_width, 0)
};
SIMT_TEXTURE(texture1d_array) {
    SIMT_COLOR
    SIMT_TEXELS((uint at, uint layer), at, 0, 0, layer)
    SIMT_SAMPLES((float at, uint layer), layer, int)
    SIMT_SIZE(get_width, 0)
    SIMT_LAYERS(1)
};
SIMT_TEXTURE(texture_buffer) {
    SIMT_COLOR
    SIMT_TEXELS((uint at), at, 0, 0, 0)
    SIMT_SIZE(get_width, 0)
};
SIMT_TEXTURE(texture2d) {
    SIMT_COLOR
    SIMT_TEXELS((uint2 at), at[0], at[1], 0, 0)
    SIMT_TEXELS((ushort2 at), at[0], at[1], 0, 0)
    SIMT_SAMPLES((float2 at), 0, int2)
    SIMT_GATHERS((float2 at), 0)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
};
SIMT_TEXTURE(texture2d_array) {
    SIMT_COLOR
    SIMT_TEXELS((uint2 at, uint layer), at[0], at[1], 0, layer)
    SIMT_TEXELS((ushort2 at, uint layer), at[0], at[1], 0, layer)
    SIMT_SAMPLES((float2 at, uint layer), layer, int2)
    SIMT_GATHERS((float2 at, uint layer), layer)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
    SIMT_LAYERS(1)
};
SIMT_TEXTURE(texture3d) {
    SIMT_COLOR
    SIMT_TEXELS((uint3 at), at[0], at[1], at[2], 0)
    SIMT_TEXELS((ushort3 at), at[0], at[1], at[2], 0)
    SIMT_SAMPLES((float3 at), 0, int3)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
    SIMT_SIZE(get_depth, 2)
};
SIMT_TEXTURE(texturecube) {
    SIMT_COLOR
    SIMT_TEXELS((uint2 at, uint face), at[0], at[1], 0, face)
    SIMT_TEXELS((ushort2 at, uint face), at[0], at[1], 0, face)
    SIMT_LOOKS((float3 at), 0)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
};
SIMT_TEXTURE(texturecube_array) {
    SIMT_COLOR
    SIMT_TEXELS((uint2 at, uint face, uint layer), at[0], at[1], 0, 6 * layer + face)
    SIMT_TEXELS((ushort2 at, uint face, uint layer), at[0], at[1], 0, 6 * layer + face)
    SIMT_LOOKS((float3 at, uint layer), layer)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
    SIMT_LAYERS(6)
};

/* Of depth textures one number is read. */
#define SIMT_DEPTH_READS(place, layer)                                                             \
    MSL_INLINE T read(SIMT_OPEN place, uint level = 0) const {                                     \
        return this->load({at[0], at[1], 0, layer, level})[0];                                     \
    }
#define SIMT_DEPTHS(place, layer)                                                                  \
    MSL_INLINE T sample(sampler by, SIMT_OPEN place, int2 offset = int2(0)) const {                \
        return this->look(by, simt::spot_at(at, layer, {}, offset))[0];                            \
    }                                                                                              \
    MSL_INLINE T sample(sampler by, SIMT_OPEN place, simt::Lod lod, int2 offset = int2(0)) const { \
        return this->look(by, simt::spot_at(at, layer, lod, offset))[0];                           \
    }                                                                                              \
    MSL_INLINE T sample_compare(sampler by, SIMT_OPEN place, float value,                          \
                                int2 offset = int2(0)) const {                                     \
        return T(this->compare(by, simt::spot_at(at, layer, {}, offset), value));                  \
    }                                                                                              \
    MSL_INLINE T sample_compare(sampler by, SIMT_OPEN place, float value, simt::Lod lod,           \
                                int2 offset = int2(0)) const {                                     \
        return T(this->compare(by, simt::spot_at(at, layer, lod, offset), value));                 \
    }
#define SIMT_CUBE_DEPTHS(place, cube)                                                              \
    MSL_INLINE T sample(sampler by, SIMT_OPEN place, simt::Lod lod = {}) const {                   \
        return this->look(by, simt::spot_at(at, cube, lod))[0];                                    \
    }                                                                                              \
    MSL_INLINE T sample_compare(sampler by, SIMT_OPEN place, float value,                          \
                                simt::Lod lod = {}) const {                                        \
        return T(this->compare(by, simt::spot_at(at, cube, lod), value));                          \
    }
#define SIMT_DEPTH_GATHERS(place, layer)                                                           \
    MSL_INLINE vec<T, 4> gather(sampler by, SIMT_OPEN place, int2 offset = int2(0)) const {        \
        return this->collect(by, simt::spot_at(at, layer, {}, offset), component::x);              \
    }
SIMT_TEXTURE(depth2d) {
    SIMT_DEPTH_READS((uint2 at), 0)
    SIMT_DEPTH_READS((ushort2 at), 0)
    SIMT_DEPTHS((float2 at), 0)
    SIMT_DEPTH_GATHERS((float2 at), 0)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
};
SIMT_TEXTURE(depth2d_array) {
    SIMT_DEPTH_READS((uint2 at, uint layer), layer)
    SIMT_DEPTH_READS((ushort2 at, uint layer), layer)
    SIMT_DEPTHS((float2 at, uint layer), layer)
    SIMT_DEPTH_GATHERS((float2 at, uint layer), layer)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
    SIMT_LAYERS(1)
};
SIMT_TEXTURE(depthcube) {
    SIMT_DEPTH_READS((uint2 at, uint face), face)
    SIMT_DEPTH_READS((ushort2 at, uint face), face)
    SIMT_CUBE_DEPTHS((float3 at), 0)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
};
SIMT_TEXTURE(depthcube_array) {
    SIMT_DEPTH_READS((uint2 at, uint face, uint layer), 6 * layer + face)
    SIMT_DEPTH_READS((ushort2 at, uint face, uint layer), 6 * layer + face)
    SIMT_CUBE_DEPTHS((float3 at, uint layer), layer)
    SIMT_SIZE(get_width, 0)
    SIMT_SIZE(get_height, 1)
    SIMT_LAYERS(6)
};

/* The samples of a texel lie where others have layers. */
#define SIMT_MULTISAMPLED(name, Result, ...)                                                       \
    template <typename T, access A = access::read, memory_coherence = memory_coherence()>          \
    struct name : simt::Texture<T, A> {                                                            \
        MSL_INLINE Result read(uint2 at, uint sample) const {                                      \
            return this->load({at[0], at[1], 0, sample, 0}) __VA_ARGS__;                           \
        }                                                                                          \
        MSL_INLINE Result read(ushort2 at, ushort sample) const {                                  \
            return read(uint2(at), sample);                                                        \
        }                                                                                          \
        SIMT_SIZE(get_width, 0)                                                                    \
        SIMT_SIZE(get_height, 1)                                                                   \
        MSL_INLINE uint get_num_samples() const {                                                  \
            return this->size(3, 0);                                                               \
        }                                                                                          \
    };
#define SIMT_VECTOR vec<T, 4>
SIMT_MULTISAMPLED(texture2d_ms, SIMT_VECTOR)
SIMT_MULTISAMPLED(depth2d_ms, T, [0])

#undef SIMT_VECTOR
#undef SIMT_MULTISAMPLED
#undef SIMT_OPEN
#undef SIMT_FETCH
#undef SIMT_TEXELS
#undef SIMT_SIZE
#undef SIMT_LAYERS
#undef SIMT_SAMPLES
#undef SIMT_GATHERS
#undef SIMT_TEXTURE
#undef SIMT_COLOR
#undef SIMT_LOOKS
#undef SIMT_DEPTH_READS
#undef SIMT_DEPTHS
#undef SIMT_CUBE_DEPTHS
#undef SIMT_DEPTH_GATHERS

template <typename T, access A> MSL_INLINE bool is_null_texture(const simt::Texture<T, A> &texture) {
    return !texture.handle;
}

} // namespace metal

namespace msl {

/* What becomes the texture that a parameter asks for, or an array of them. */
struct Textures {
    void *const *handles;

    template <typename T> MSL_INLINE operator T() const {
        T texture;
        fill(texture, handles);
        return texture;
    }

private:
    template <typename T> static MSL_INLINE void fill(T &texture, void *const *handles) {
        texture.handle = static_cast<const SimtTexture *>(*handles);
    }
    template <typename T, size_t N>
    static MSL_INLINE void fill(metal::array<T, N> &textures, void *const *handles) {
        for (size_t i = 0; i < N; i++) fill(textures[i], handles + i);
    }
};

/* The same of samplers, which take the place of their handles. */
struct Samplers {
    void *const *states;

    template <size_t N> MSL_INLINE operator metal::array<metal::sampler, N>() const {
        metal::array<metal::sampler, N> samplers;
        for (size_t i = 0; i < N; i++) samplers[i] = metal::sampler(Samplers{states + i});
        return samplers;
    }
};

} // namespace msl

MSL_INLINE void metal::sampler::set(const msl::Samplers &argument) {
    state = __builtin_bit_cast(SimtSampler, *argument.states);
}

#endif
