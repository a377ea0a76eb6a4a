// What the kernels of this folder share.
#include <metal_stdlib>
using namespace metal;

#define IN  device const float *x [[buffer(0)]]
#define OUT device float *out [[buffer(1)]]
// Thread i of the grid is thread t of threadgroup g, and there lane l of simdgroup s.
#define WHERE                                                                                      \
    uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],                    \
        uint g [[threadgroup_position_in_grid]], uint l [[thread_index_in_simdgroup]],             \
        uint s [[simdgroup_index_in_threadgroup]]

#define BARRIER           threadgroup_barrier(mem_flags::mem_threadgroup)
#define DEVICE_BARRIER    threadgroup_barrier(mem_flags::mem_device)
#define SIMDGROUP_BARRIER simdgroup_barrier(mem_flags::mem_threadgroup)
#define RELAXED           memory_order_relaxed
