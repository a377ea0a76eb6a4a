// Threads that wait for each other in a loop.
// run: --kernel wait --grid 2 --threads 2 --time-limit 1 --buffer 0=zeros:u32:2
#include <metal_stdlib>
using namespace metal;

kernel void wait(device atomic_uint *flag [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    if (i == 0) {
        while (atomic_load_explicit(&flag[1], memory_order_relaxed) == 0) // expect one: fault
            ;
    } else {
        while (atomic_load_explicit(&flag[0], memory_order_relaxed) == 0) // expect one: fault
            ;
    }
}
