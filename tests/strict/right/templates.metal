// Kernel templates: parameters of all kinds, with and without defaults and names; instances by
// decltype, by their parameters' types, and of types that come behind the template.
#include <metal_stdlib>
using namespace metal;

constant bool square [[function_constant(0)]];
constant float factor [[function_constant(1)]];

template <typename T>
static T twice(T x)
{
    return x + x;
}

template <typename T, uint N /* lanes, at most */ = 4, int SHIFT = -1, bool LAST = (N < 8), typename = void>
kernel void shift(
    device const T *x [[buffer(0)]], device T *out [[buffer(1)]], constant uint &n [[buffer(2)]],
    uint i [[thread_position_in_threadgroup]])
{
    threadgroup T lanes[N];
    lanes[i % N] = LAST ? x[n - 1] : twice(x[i]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (is_function_constant_defined(factor)) out[i] = T(factor) * (square ? lanes[0] * lanes[0] : lanes[0]);
    out[int(i) + SHIFT] = lanes[(i + 1) % N];
}

template [[host_name("shift_f32")]] kernel decltype(shift<float>) shift<float>;
template [[host_name("shift_f16_8")]] kernel decltype(shift<half, 8>) shift<half, 8>;
template [[host_name("shift_f16_2_1")]] [[kernel]]
void shift<half, 2, 1, false>(device const half *x [[buffer(0)]], device half *out, constant uint &, uint);

    template <class Block, typename T = float> [[kernel]] void unpack(
        device const Block *blocks [[buffer(0)]], device T *out [[buffer(1)]],
        uint2 at [[thread_position_in_grid]])
    {
        Block block = blocks[at.y];
        out[at.y * Block::SIZE + at.x] = block.at(at.x);
    }

struct packed_block {
    enum { SIZE = 16 };
    half scale;
    char value[SIZE];
    float at(uint i) const { return float(scale) * float(value[i]); }
};

template [[host_name("unpack_f32")]] kernel decltype(unpack<packed_block, float>) unpack< packed_block, float >;
template [[host_name("unpack_f16")]] kernel void unpack<packed_block, half>(device const packed_block *, device half *, uint2);
template [[host_name("unpack")]] kernel void unpack<packed_block>(device const packed_block *, device float *, uint2);

[[kernel]] void plain(device float *x [[buffer(0)]], uint i [[thread_position_in_threadgroup]])
{
    threadgroup float shared[32];
    shared[i] = x[i];
}
