// The row behind the last one.
// run: --kernel last_row --grid 8 --threads 8 --buffer 3.table.rows[1]=random:f32:4x8 --bytes 3.n=u32:4 --buffer 3.out=empty:f32:8
#include <metal_stdlib>
using namespace metal;

struct Table {
    device const float *rows[2];
};

struct Arguments {
    constant Table *table;
    device float *out;
    uint n;
};

kernel void last_row(constant Arguments &arguments [[buffer(3)]], uint i [[thread_position_in_grid]])
{
    arguments.out[i] = arguments.table->rows[1][arguments.n * 8 + i]; // expect: out-of-bounds
}
