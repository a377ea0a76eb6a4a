// layernorm.metal — normalise rows to mean 0, std 1, then scale and shift (Ba et al. 2016)
//
//   out[n,c] = (x[n,c] − mean) / sqrt(variance + epsilon) · weight[c] + bias[c]
//
// One threadgroup per row n of x[N,C]; its threads stride over the C channels. The variance is taken
// in a second pass, from the differences to the mean: the one-pass formula E[x²] − E[x]² loses every
// digit when the mean is large. Were the mean exact, the differences would sum to 0; what they sum to instead
// is C times its rounding error, which is added to it. Out is half where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;

// The sum of `value` over all threads of the threadgroup, returned to each of them.
static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup,
                             uint simdgroups)
{
    value = simd_sum(value);
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the reads of the previous call → this write
    if (lane == 0) partial[simdgroup] = value;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below
    float sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += partial[i];
    return sum;
}

template <typename Out>
kernel void normalise_rows(
    device const float *x [[buffer(0)]],      // [N,C]
    device const float *weight [[buffer(1)]], // [C]
    device const float *bias [[buffer(2)]],   // [C]
    device Out *out [[buffer(3)]],            // [N,C]
    constant uint &C [[buffer(4)]],
    constant float &epsilon [[buffer(5)]],
    uint n [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32]; // one for each simdgroup: 1,024 threads are at most 32
    device const float *row = x + ulong(n) * C;

    float sum = 0.0f;
    for (uint c = thread_index; c < C; c += threads) sum += row[c];
    float mean = threadgroup_sum(sum, partial, lane, simdgroup, simdgroups) / float(C);

    float differences = 0.0f, squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) {
        float difference = row[c] - mean;
        differences += difference;
        squares += difference * difference;
    }
    float mean_error = threadgroup_sum(differences, partial, lane, simdgroup, simdgroups) / float(C);
    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    mean += mean_error;
    float scale = 1.0f / sqrt(variance + epsilon);
    device Out *out_row = out + ulong(n) * C;
    for (uint c = thread_index; c < C; c += threads)
        out_row[c] = Out((row[c] - mean) * scale * weight[c] + bias[c]);
}

template [[host_name("layernorm_forward")]] kernel decltype(normalise_rows<float>) normalise_rows<float>;
template [[host_name("layernorm_forward_f16")]] kernel decltype(normalise_rows<half>) normalise_rows<half>;
