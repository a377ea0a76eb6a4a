// A constant of the program.
// run: --kernel count --grid 1 --threads 1 --buffer 0=empty:u32:1
#include <metal_stdlib>
using namespace metal;

constant uint table[2] = {1, 2};

static uint bump(device uint *counter)
{
    return ++*counter; // expect: const
}

kernel void count(device uint *out [[buffer(0)]])
{
    out[0] = bump((device uint *)&table[1]);
}
