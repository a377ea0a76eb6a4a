// Member functions for each address space, constants of a class, a class derived from another.
#include <metal_stdlib>
using namespace metal;

struct Sum {
    static constant constexpr uint LIMIT = 4;
    float value;
    void add(float x) { value += x; }
    void clear() threadgroup { value = 0.0f; }
    float get() const threadgroup { return value; }
    float get() const device { return value; }
    float get() const constant { return value; }
};

struct Mean : Sum {
    uint count;
    float mean() const { return value / float(count); }
};

struct Range {
    float low, high;
    bool is_inside(float x) const { return x >= low && x <= high; }
    Range operator+(Range other) const { return {low + other.low, high + other.high}; }
};

kernel void structs(
    device Sum *sums [[buffer(0)]],
    constant Sum &start [[buffer(1)]],
    device const Range *ranges [[buffer(2)]],
    uint i [[thread_position_in_grid]],
    uint t [[thread_position_in_threadgroup]])
{
    threadgroup Sum shared[Sum::LIMIT];
    shared[t % Sum::LIMIT].clear();
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Range range = ranges[i];
    Mean mean = {};
    mean.add(sums[i].get() + start.get() + shared[0].get());
    mean.count = 2;
    range = range + range;
    if (range.is_inside(mean.mean())) sums[i].value = mean.mean();
    sums[i + 1] = mean;
}
