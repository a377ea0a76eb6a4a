// Three weights, indexed by four.
// run: --kernel weigh --grid 16 --threads 16 --buffer 0=random:f32:16 --bytes 1=f32:0.25,0.5,0.25
#include <metal_stdlib>
using namespace metal;

kernel void weigh(device float *x [[buffer(0)]], constant float *weights [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    x[i] *= weights[i % 4]; // expect: out-of-bounds
}
