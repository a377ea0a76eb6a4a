// A scene of pointers, textures and samplers, with a further one behind a pointer.
// run: --kernel shade --grid 8,4 --threads 4,4 --buffer 0.out=empty:f32:32 --bytes 0.width=u32:8 --buffer 0.lights.power=random:f32:3 --bytes 0.lights.count=u32:3 --texture 0.lights.maps[1]=random:u8:4x4x4 --sampler 0.lights.by=linear --buffer 0.weights[1]=random:f32:32
#include <metal_stdlib>
using namespace metal;

struct Lights {
    device const float *power [[id(0)]];
    array<texture2d<half>, 2> maps [[id(1)]];
    sampler by [[id(3)]];
    uint count [[id(4)]];
};

struct Scene {
    device float *out;
    constant Lights *lights;
    device const float *weights[2];
    uint width;
};

static float light(constant Lights &lights, float2 at)
{
    float sum = 0;
    for (uint i = 0; i < lights.count; i++) sum += lights.power[i];
    return sum * float(lights.maps[1].sample(lights.by, at).g);
}

kernel void shade(constant Scene &scene [[buffer(0)]], uint2 at [[thread_position_in_grid]], uint2 size [[threads_per_grid]])
{
    uint i = at.y * scene.width + at.x;
    scene.out[i] = light(*scene.lights, float2(at) / float2(size)) * scene.weights[1][i];
}
