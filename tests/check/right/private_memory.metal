// Arrays in registers, set before they are read, in part.
// run: --kernel sort_small --grid 20 --threads 20 --buffer 0=random:f32:20x7 --bytes 1=u32:7
#include <metal_stdlib>
using namespace metal;

kernel void sort_small(device float *x [[buffer(0)]], constant uint &count [[buffer(1)]],
                       uint i [[thread_position_in_grid]])
{
    float values[8];
    uint order[2][4];
    for (uint k = 0; k < count; k++) values[k] = x[i * count + k];
    for (uint k = 0; k < 8; k++) order[k / 4][k % 4] = k;
    for (uint k = 1; k < count; k++) {
        float value = values[k];
        uint at;
        for (at = k; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
        values[at] = value;
    }
    float last;
    if (count > 3) last = values[3];
    else last = values[0];
    for (uint k = 0; k < count; k++) x[i * count + k] = values[order[k / 4][k % 4]] + 0.0f * last;
}
