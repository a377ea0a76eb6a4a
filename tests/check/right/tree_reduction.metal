// A barrier for each level of the tree, for any number of threads.
// run: --kernel total --grid 128 --threads 128 --buffer 0=random:f32:128 --buffer 1=empty:f32:1 --threadgroup-memory 0=512
// run: --kernel total --grid 256 --threads 64 --buffer 0=random:f32:256 --buffer 1=empty:f32:4 --threadgroup-memory 0=256
// run: --kernel total --grid 48 --threads 48 --buffer 0=random:f32:48 --buffer 1=empty:f32:1 --threadgroup-memory 0=192
// run: --kernel total --grid 7 --threads 7 --buffer 0=random:f32:7 --buffer 1=empty:f32:1 --threadgroup-memory 0=32
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  threadgroup float *tree [[threadgroup(0)]], uint i [[thread_position_in_grid]],
                  uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]],
                  uint group [[threadgroup_position_in_grid]])
{
    tree[t] = x[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint count = threads; count > 1; count = (count + 1) / 2) {
        uint upper = (count + 1) / 2;
        if (t + upper < count) tree[t] += tree[t + upper];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (t == 0) out[group] = tree[0];
}
