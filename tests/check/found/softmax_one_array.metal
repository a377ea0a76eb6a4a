// The maximum and the sum of a row pass through one array. The first simdgroup to go on writes its sums while another
// still reads the maximum.
// run: --kernel softmax_rows --grid 256 --threads 128 --buffer 0=random:f32:2x300 --bytes 1=u32:300
#include <metal_stdlib>
using namespace metal;

kernel void softmax_rows(device float *scores [[buffer(0)]], constant uint &T [[buffer(1)]],
                         uint n [[threadgroup_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                         uint threads [[threads_per_threadgroup]])
{
    threadgroup float tree[256];
    device float *row = scores + n * T;
    float largest = -INFINITY, sum = 0.0f;
    for (uint k = t; k < T; k += threads) largest = max(largest, row[k]);
    tree[t] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = threads / 2; step > 0; step /= 2) {
        if (t < step) tree[t] = max(tree[t], tree[t + step]);
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    largest = tree[0]; // expect: race
    for (uint k = t; k < T; k += threads) sum += row[k] = exp(row[k] - largest);
    tree[t] = sum; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = threads / 2; step > 0; step /= 2) {
        if (t < step) tree[t] += tree[t + step];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (uint k = t; k < T; k += threads) row[k] /= tree[0];
}
