// Normalisation of groups by Welford's mean and variance, merged lane by lane.
#include <metal_stdlib>
using namespace metal;

template <typename T, typename Acc = float>
struct Welford {
    Acc mean = 0, m2 = 0; uint n = 0;
    void push(T value) thread { n++; const Acc d = Acc(value) - mean; mean += d / n; m2 += d * (Acc(value) - mean); }
    void merge(thread const Welford &o) thread {
        if (!o.n) return;
        const uint total = n + o.n; const Acc d = o.mean - mean;
        mean += d * o.n / total; m2 += o.m2 + d * d * (Acc(n) * o.n / total); n = total;
    }
};

template <typename T>
kernel void group_norm(device const T *x [[buffer(0)]], device T *y [[buffer(1)]], device const T *gamma [[buffer(2)]], device const T *beta [[buffer(3)]],
                       constant uint2 &shape [[buffer(4)]], constant float &eps [[buffer(5)]],
                       uint row [[threadgroup_position_in_grid]], ushort t [[thread_position_in_threadgroup]], ushort n [[threads_per_threadgroup]],
                       ushort lane [[thread_index_in_simdgroup]], ushort sg [[simdgroup_index_in_threadgroup]], ushort sgs [[simdgroups_per_threadgroup]])
{
    threadgroup Welford<T> partial[32];
    Welford<T> w;
    for (uint i = t; i < shape.x; i += n) w.push(x[row * shape.x + i]);
    for (ushort o = 16; o > 0; o /= 2) {
        Welford<T> other { simd_shuffle_down(w.mean, o), simd_shuffle_down(w.m2, o), simd_shuffle_down(w.n, o) };
        if (lane + o < 32) w.merge(other);
    }
    if (lane == 0) partial[sg] = w;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Welford<T> all;
    for (ushort s = 0; s < sgs; s++) { const Welford<T> part = partial[s]; all.merge(part); }
    const float rstd = rsqrt(all.m2 / all.n + eps);
    for (uint i = t; i < shape.x; i += n) {
        const uint c = i / shape.y;
        y[row * shape.x + i] = T((float(x[row * shape.x + i]) - all.mean) * rstd * float(gamma[c]) + float(beta[c]));
    }
}
template [[host_name("group_norm_f32")]] kernel void group_norm<float>(device const float *, device float *, device const float *, device const float *, constant uint2 &, constant float &, uint, ushort, ushort, ushort, ushort, ushort);
template [[host_name("group_norm_f16")]] kernel void group_norm<half>(device const half *, device half *, device const half *, device const half *, constant uint2 &, constant float &, uint, ushort, ushort, ushort, ushort, ushort);
