// Those of the last thread's flags are never set.
// run: --kernel add_flags --grid 32 --threads 32 --buffer 0=empty:u32:32
#include <metal_stdlib>
using namespace metal;

struct Flags {
    uint seen : 1;
    uint count : 7;
};

kernel void add_flags(device uint *out [[buffer(0)]], uint t [[thread_index_in_threadgroup]])
{
    threadgroup Flags flags[32];
    if (t < 31) {
        flags[t].seen = 1;
        flags[t].count = t;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint next = (t + 1) % 32;
    out[t] = flags[next].seen + flags[next].count; // expect: unwritten
}
