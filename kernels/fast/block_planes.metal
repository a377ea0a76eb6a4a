// block_planes.metal — blocks with their scales apart, so that a lane reads 16 bytes of weights at once
//
//   in    scale values │ scale values │ …      or the scale after the values
//   out   values values … │ scale scale …
//
// A block of q8_0 is 34 bytes and one of q6_K 210, so that hardly any begins where vectors do. Without the scale they
// are 32 and 208, and after all of them there is one plane of scales: as many bytes as before, each of them the same.
// `size` halves, of 2 bytes, are a block, and half number `scale` is its scale. Grid: as many threads as `count`.
#include <metal_stdlib>
using namespace metal;

kernel void block_planes(
    device const char2 *in [[buffer(0)]], // [count]
    device char2 *out [[buffer(1)]],      // [count]
    constant uint &count [[buffer(2)]],    // size times the number of blocks
    constant uint &size [[buffer(3)]],
    constant uint &scale [[buffer(4)]], // 0 or size − 1
    uint i [[thread_position_in_grid]])
{
    if (i >= count) return;
    uint block = i / size, at = i % size, values = size - 1;
    ulong plane = ulong(count / size) * values;
    if (at == scale)
        out[plane + block] = in[i];
    else
        out[ulong(block) * values + at - (at > scale ? 1 : 0)] = in[i];
}
