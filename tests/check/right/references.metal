// References to every kind of memory.
// run: --kernel accumulate --grid 1 --threads 1 --buffer 0=ones:f32:1 --buffer 1=random:f32:10 --bytes 2=u32:10
#include <metal_stdlib>
using namespace metal;

static void add(thread float &sum, device const float &x)
{
    sum += x;
}

static void store(device float &out, thread const float &sum)
{
    out += sum;
}

kernel void accumulate(device float &out [[buffer(0)]], device const float *x [[buffer(1)]],
                       constant uint &n [[buffer(2)]])
{
    float sum = 0.0f;
    for (uint i = 0; i < n; i++) add(sum, x[i]);
    store(out, sum);
}
