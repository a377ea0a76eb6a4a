// Lanes of one simdgroup do not run in step.
// run: --kernel total --grid 32 --threads 32 --buffer 0=random:f32:32 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]])
{
    threadgroup volatile float tree[32];
    tree[t] = x[t]; // expect: race
    if (t < 16) tree[t] += tree[t + 16]; // expect: race, unwritten
    if (t == 0) {
        float sum = 0.0f;
        for (uint i = 0; i < 16; i++) sum += tree[i]; // expect: race, unwritten
        out[0] = sum;
    }
}
