// Every thread reads the whole row, no barrier orders device memory.
// run: --kernel softmax --grid 64 --threads 64 --buffer 0=random:f32:130 --bytes 1=u32:130
#include <metal_stdlib>
using namespace metal;

kernel void softmax(device float *x [[buffer(0)]], constant uint &S [[buffer(1)]],
                    uint t [[thread_index_in_threadgroup]], uint threads [[threads_per_threadgroup]])
{
    for (uint s = t; s < S; s += threads) x[s] = exp(x[s]); // expect: race
    float sum = 0.0f;
    for (uint s = 0; s < S; s++) sum += x[s]; // expect: race
    for (uint s = t; s < S; s += threads) x[s] /= sum; // expect: race
}
