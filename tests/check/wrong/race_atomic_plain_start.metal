// One thread sets the counter back while others count.
// run: --kernel count --grid 64 --threads 64 --buffer 0=empty:u32:1
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_uint *counter [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    if (i == 0) *(device uint *)counter = 0; // expect: race
    atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed); // expect: race, unwritten
}
