// What Metal has of C++: templates, function objects, constexpr, enum, union, auto, references,
// overloads, loops with unrolling, and words that only look like those it lacks.
#include <metal_stdlib>
using namespace metal;

enum class Mode : uint { ADD, MULTIPLY };

constant constexpr float SCALE[2][2] = {{1.0f, 2.0f}, {3.0f, 4.0f}};
constant Mode MODES[] = {Mode::ADD, Mode::MULTIPLY};

struct Twice {
    template <typename T>
    T operator()(T x) const { return x + x; }
};

template <typename F, typename T>
static T apply(F function, T x)
{
    return function(x);
}

template <uint n>
static float power(float x)
{
    return x * power<n - 1>(x);
}

template <>
float power<0>(float)
{
    return 1.0f;
}

static float first(device const float *x) { return x[0]; }
static float first(threadgroup const float *x) { return x[0]; }
static float first(float x) { return x; }

template <typename T>
static T even(const thread T &value, T odd = T(1))
{
    return value + odd;
}

union Bits {
    float value;
    uint bits;
};

static constexpr uint rounded_up(uint n, uint to) { return (n + to - 1) / to * to; }

kernel void language(
    device float *x [[buffer(0)]],
    constant uint &n [[buffer(1)]],
    threadgroup float *scratch [[threadgroup(0)]],
    ushort2 i [[thread_position_in_grid]],
    ushort2 grid [[threads_per_grid]],
    ushort2 group [[threadgroup_position_in_grid]],
    ushort index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]])
{
    constexpr uint BLOCK = rounded_up(30, 32);
    const uint half_block = BLOCK / 2;
    threadgroup float values[BLOCK];
    float registers[half_block];
    ulong at = ulong(i.y) * grid.x + i.x, virtual_size = sizeof(float) * at;
    auto &element = x[at];
    auto rows = x + at;
    thread float *local = registers;
    Bits bits;
    bits.value = apply(Twice(), element);
#pragma unroll
    for (uint j = 0; j < half_block; j++) local[j] = float(j) * SCALE[j % 2][group.x % 2];
    values[lane] = registers[0];
    float new_value = first(rows);
    scratch[index] = even(registers[1]) + even(new_value, 2.0f);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    new_value += first(scratch) + first(values) + first(1.0f) + power<3>(element);
    switch (MODES[n % 2]) {
    case Mode::ADD: element += new_value; break;
    default: element *= new_value;
    }
    if (bits.bits == 0u || virtual_size == 0ul) return;
    do element = element > 0.0f ? element - 1.0f : 0.0f; while (element > 4.0f);
}
