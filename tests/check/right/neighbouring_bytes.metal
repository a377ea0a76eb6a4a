// Neighbours in one word belong to different threads.
// run: --kernel fill --grid 100 --threads 32 --buffer 0=empty:u8:100 --buffer 1=empty:f16:100 --buffer 2=empty:u64:100
#include <metal_stdlib>
using namespace metal;

kernel void fill(device uchar *a [[buffer(0)]], device half *b [[buffer(1)]], device ulong *c [[buffer(2)]],
                 uint i [[thread_position_in_grid]])
{
    a[i] = uchar(i);
    b[i] = half(i);
    c[i] = ulong(i) << 32;
    c[i] += a[i] + ulong(b[i]);
}
