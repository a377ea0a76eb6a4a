// expect: f: recursion|sum: recursion
#include <metal_stdlib>
using namespace metal;

struct Tree {
    int first;
    int sum(int depth)
    {
        return depth == 0 ? first : sum(depth - 1) + sum(depth - 1);
    }
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    Tree tree = {int(i)};
    x[i] = float(tree.sum(3));
}
