// Pointers and references with their address spaces, structs, threadgroup arguments, templates.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 32;
constant float table[3] = {1.0f, 2.0f, 3.0f};

struct block {
    half scale;
    char value[BLOCK];
    float first() const { return float(scale) * float(value[0]); }
};

struct sizes {
    uint rows, columns;
};

template <typename T>
static T largest(threadgroup const T *values, uint count)
{
    T result = values[0];
    for (uint i = 1; i < count; i++) result = max(result, values[i]);
    return result;
}

static void add(thread float &sum, device const float *values, constant sizes &size)
{
    for (uint i = 0; i < size.columns; i++) sum += values[i];
}

kernel void spaces(
    device const block *blocks [[buffer(0)]],
    device float *out [[buffer(1)]],
    constant sizes &size [[buffer(2)]],
    constant float *offsets [[buffer(3)]],
    threadgroup float *scratch [[threadgroup(0)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 position [[thread_position_in_threadgroup]],
    uint3 extent [[threads_per_threadgroup]],
    uint index [[thread_index_in_threadgroup]])
{
    threadgroup float partial[2][BLOCK];
    block local = blocks[group.x];
    float global = local.first() + offsets[0] + table[index % 3];
    thread float *pointer = &global;
    add(*pointer, out + ulong(group.y) * size.columns, size);
    scratch[index] = global;
    partial[index % 2][position.x % BLOCK] = global;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (index == 0) out[group.x] = largest(scratch, extent.x) + partial[0][0] + 0x1p-24f;
}
