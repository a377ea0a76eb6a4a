// One thread stores with an atomic, others read without.
// run: --kernel wait --grid 32 --threads 32 --buffer 0=zeros:u32:1 --buffer 1=empty:u32:32
#include <metal_stdlib>
using namespace metal;

kernel void wait(device atomic_uint *flag [[buffer(0)]], device uint *out [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    uint seen = 0;
    if (i == 0) atomic_store_explicit(flag, 1u, memory_order_relaxed); // expect: race
    if (i == 1) seen = atomic_load_explicit(flag, memory_order_relaxed);
    if (i > 1) seen = *(device uint *)flag; // expect: race
    out[i] = seen;
}
