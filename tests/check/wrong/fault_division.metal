// An integer divided by zero.
// run: --kernel ratio --grid 4 --threads 4 --buffer 0=zeros:u32:4 --buffer 1=empty:u32:4
#include <metal_stdlib>
using namespace metal;

kernel void ratio(device const uint *x [[buffer(0)]], device uint *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = 100u / x[i]; // expect: fault
}
