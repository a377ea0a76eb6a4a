// Each level of the tree needs a barrier.
// run: --kernel total --grid 128 --threads 128 --buffer 0=random:f32:128 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]])
{
    threadgroup float tree[128];
    tree[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint half_way = threads / 2; half_way > 0; half_way /= 2) {
        if (t < half_way) tree[t] += tree[t + half_way]; // expect: race
    }
    if (t == 0) out[0] = tree[0];
}
