// Structs with padding, copied and passed by value.
// run: --kernel move --grid 40 --threads 16 --buffer 0=random:f32:40x8 --bytes 1=u32:40,f32:0.5,u32:3
#include <metal_stdlib>
using namespace metal;

struct Settings {
    uint count;
    float step;
    uchar rounds;
};
struct Particle {
    float3 position;
    float mass;
    packed_float3 speed;
};

static Particle moved(Particle p, Settings settings)
{
    Particle result = p;
    for (uint i = 0; i < settings.rounds; i++) result.position += settings.step * float3(p.speed);
    return result;
}

kernel void move(device Particle *particles [[buffer(0)]], constant Settings &settings [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    if (i * 2 + 1 >= settings.count / 2) return;
    Particle p;
    p.position = particles[i].position;
    p.mass = particles[i].mass;
    p.speed = particles[i].speed;
    particles[i] = moved(p, settings);
}
