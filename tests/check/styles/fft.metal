// Transforms of 256 numbers by twos, and of 64 by fours (Stockham's order): a threadgroup each.
#include <metal_stdlib>
using namespace metal;

typedef float2 cfloat;

static inline cfloat cmul(cfloat a, cfloat b) { return cfloat(a.x * b.x - a.y * b.y, fma(a.x, b.y, a.y * b.x)); }
static inline cfloat twiddle(uint k, uint n) { float c; float s = sincos(-2.0f * M_PI_F * float(k) / float(n), c); return {c, s}; }

template <ushort N>
struct BitReverse {
    static constexpr ushort log2n() { ushort r = 0; for (ushort n = N; n > 1; n >>= 1) ++r; return r; }
    static METAL_FUNC ushort apply(ushort i) { return reverse_bits(i) >> (16 - log2n()); }
};

kernel void fft_radix2(const device cfloat *in [[buffer(0)]],
                           device cfloat *out [[buffer(1)]],
                           ushort tid [[thread_index_in_threadgroup]],
                           uint batch [[threadgroup_position_in_grid]])
{
    constexpr ushort N = 256;
    threadgroup cfloat lds[N];
    in += batch * N;
    out += batch * N;
#pragma unroll
    for (ushort i = 0; i < 2; ++i) {
        const ushort idx = tid + i * (N / 2);
        lds[BitReverse<N>::apply(idx)] = in[idx];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (ushort half_size = 1; half_size < N; half_size <<= 1) {
        const ushort k = tid & (half_size - 1);
        const ushort j = ((tid - k) << 1) + k;
        const cfloat w = twiddle(k, half_size << 1);
        const cfloat a = lds[j], b = cmul(w, lds[j + half_size]);
        lds[j] = a + b;
        lds[j + half_size] = a - b;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (ushort i = tid; i < N; i += N / 2) out[i] = lds[i];
}

template <int R> METAL_FUNC void butterfly(thread cfloat (&v)[R], float sign);
template <> METAL_FUNC void butterfly<4>(thread cfloat (&v)[4], float sign)
{
    const cfloat s02 = v[0] + v[2], d02 = v[0] - v[2], s13 = v[1] + v[3], t = v[1] - v[3];
    const cfloat d13 = cfloat(-sign * t.y, sign * t.x);
    v[0] = s02 + s13; v[1] = d02 + d13; v[2] = s02 - s13; v[3] = d02 - d13;
}

[[max_total_threads_per_threadgroup(16)]]
kernel void fft_radix4(device const cfloat *in, device cfloat *out, constant int &direction,
                               uint t [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]])
{
    threadgroup float re[64], im[64];
    thread cfloat v[4];
    const float sign = float(direction);
    for (uint i = 0; i < 4; i++) v[i] = in[g * 64 + t + i * 16];
    uint ns = 1;
    for (uint pass = 0; pass < 3; pass++, ns *= 4) {
        const float angle = sign * 2.f * M_PI_F * float(t % ns) / float(ns * 4);
        for (uint i = 1; i < 4; i++) v[i] = cmul(v[i], cfloat(cos(i * angle), sin(i * angle)));
        butterfly<4>(v, sign);
        const uint d = (t / ns) * ns * 4 + (t % ns);
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 4; i++) { re[d + i * ns] = v[i].x; im[d + i * ns] = v[i].y; }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 4; i++) v[i] = cfloat(re[t + i * 16], im[t + i * 16]);
    }
    for (uint i = 0; i < 4; i++) out[g * 64 + t + i * 16] = v[i];
}
