// An offset that 32 bits cannot hold.
// run: --kernel last --grid 1 --threads 1 --buffer 0=zeros:u8:1000 --bytes 1=u32:70000 --bytes 2=u32:70000
#include <metal_stdlib>
using namespace metal;

kernel void last(device uchar *x [[buffer(0)]], constant uint &rows [[buffer(1)]],
                 constant uint &columns [[buffer(2)]])
{
    x[(rows - 1) * columns] = 1; // expect: out-of-bounds
}
