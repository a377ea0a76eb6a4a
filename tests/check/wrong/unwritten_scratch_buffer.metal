// Scratch memory that only every second thread fills.
// run: --kernel pairs --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64 --buffer 2=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void pairs(device const float *x [[buffer(0)]], device float *scratch [[buffer(1)]],
                  device float *out [[buffer(2)]], uint i [[thread_position_in_grid]])
{
    if (i % 2 == 0) scratch[i] = x[i];
    threadgroup_barrier(mem_flags::mem_device);
    out[i] = x[i] + scratch[i ^ 1]; // expect: unwritten
}
