// Functions and members that differ in address spaces alone; 64-bit atomics, a fence, a log, assert.
// run: --kernel spaces --grid 50 --threads 32 --buffer 0=random:f32:50 --buffer 1=empty:f32:50 --buffer 2=u64:0,9
#include <metal_stdlib>
#include <metal_logging>
using namespace metal;

struct Weight {
    float w;
    Weight() threadgroup = default;
    Weight(float w) thread : w(w) {}
    float get() const thread { return w; }
    float get() const threadgroup { return w; }
};

static float head(device const float *p) { return p[0]; }
static float head(threadgroup const float *p) { return 2 * p[0]; }

template <typename T> struct factor;
template <typename T> struct factor<device T *> { static constexpr constant float value = 1; };
template <typename T> struct factor<threadgroup T *> { static constexpr constant float value = 2; };
template <typename P> static float factor_of(P) { return factor<P>::value; }

kernel void spaces(device float *x [[buffer(0)]], device float *out [[buffer(1)]],
                   device atomic_ulong *extremes [[buffer(2)]], uint i [[thread_position_in_grid]],
                   uint t [[thread_index_in_threadgroup]])
{
    threadgroup float shared[32];
    threadgroup Weight weights[32];
    shared[t] = x[i];
    weights[t] = Weight(0.5);
    assert(head(&shared[t]) == factor_of(&shared[t]) * head(x + i));
    out[i] = weights[t].get() * factor_of(x);
    atomic_max_explicit(&extremes[0], i, memory_order_relaxed);
    atomic_min_explicit(&extremes[1], i, memory_order_relaxed);
    atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
    if (i == 0) os_log_default.log("%d threads", 50);
}
