// A value of the constant address space.
// run: --kernel advance --grid 1 --threads 1 --bytes 0=u32:7 --buffer 1=empty:u32:1
#include <metal_stdlib>
using namespace metal;

struct State {
    uint step;
};

kernel void advance(constant State &state [[buffer(0)]], device uint *out [[buffer(1)]])
{
    out[0] = state.step;
    const_cast<thread State &>(state).step++; // expect: const
}
