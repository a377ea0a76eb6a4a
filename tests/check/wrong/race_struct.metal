// Structs are copied whole.
// run: --kernel swap --grid 32 --threads 32 --buffer 0=random:f32:32x4
#include <metal_stdlib>
using namespace metal;

struct Particle {
    float2 position;
    float mass, charge;
};

kernel void swap(device Particle *particles [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Particle other = particles[i ^ 1]; // expect: race
    particles[i] = other; // expect: race
}
