// A pointer that points nowhere.
// run: --kernel chase --grid 1 --threads 1 --buffer 0=zeros:u64:1 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void chase(device const ulong *address [[buffer(0)]], device float *out [[buffer(1)]])
{
    out[0] = *(device const float *)address[0]; // expect: fault
}
