// fused_norm_linear.metal — layernorm, weights × vector and, where wanted, GELU in one kernel, for decoding
//
//   out[b,n] = f(Σ_k norm(x[b])[k] · weight[n,k] + bias[n]),   f(y) = gelu(y) or y
//
// On a GPU a step of decoding is a chain of short kernels, and starting one costs as much as what it does:
// this one takes the place of layernorm.metal, linear.metal and activation.metal. Every simdgroup takes
// ROWS rows of the weights and works out mean and variance of x for itself, which is in cache: that needs
// no barrier. Lanes read four neighbours at a time. K is a multiple of 4. Grid ⌈N / ROWS⌉ simdgroups.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint ROWS = 2;

// Mean and 1 / standard deviation of a row, as layernorm.metal defines them.
struct Statistics {
    float mean, scale;
};

static Statistics row_statistics(device const float4 *x, uint vectors, float epsilon, uint lane, uint lanes)
{
    float sum = 0.0f, differences = 0.0f, squares = 0.0f, count = float(4 * vectors);
    for (uint k = lane; k < vectors; k += lanes) sum += dot(x[k], float4(1.0f));
    float mean = simd_sum(sum) / count;
    for (uint k = lane; k < vectors; k += lanes) {
        float4 difference = x[k] - mean;
        differences += dot(difference, float4(1.0f));
        squares += dot(difference, difference);
    }
    float variance = simd_sum(squares) / count;
    return {mean + simd_sum(differences) / count, 1.0f / sqrt(variance + epsilon)};
}

static float gelu_of(float x)
{
    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.0f + precise::tanh(inner));
}

// What all tokens share.
template <typename Vector> struct Layer {
    device const float4 *norm_weight, *norm_bias;
    device const Vector *weight; // four neighbours
    device const float *bias;
    uint K, N, gelu;
    float epsilon;
};

// COUNT tokens against ROWS weight rows, both known to the compiler, so that the sums stay in registers.
template <uint COUNT, typename Vector>
static void rows_times_tokens(Layer<Vector> layer, device const float *x, device float *out, uint first,
                              uint lane, uint lanes)
{
    uint vectors = layer.K / 4;
    ulong row[ROWS]; // behind the last row the last one again: it is computed twice, to the same values
    for (uint r = 0; r < ROWS; r++) row[r] = min(first + r, layer.N - 1);
    device const float4 *token = (device const float4 *)x;
    Statistics statistics[COUNT];
    float sum[ROWS][COUNT];
    for (uint t = 0; t < COUNT; t++) {
        statistics[t] = row_statistics(token + ulong(t) * vectors, vectors, layer.epsilon, lane, lanes);
        for (uint r = 0; r < ROWS; r++) sum[r][t] = 0.0f;
    }
    for (uint k = lane; k < vectors; k += lanes) {
        float4 weight[ROWS];
        for (uint r = 0; r < ROWS; r++) weight[r] = float4(layer.weight[row[r] * vectors + k]);
        for (uint t = 0; t < COUNT; t++) {
            float4 normal = (token[ulong(t) * vectors + k] - statistics[t].mean) * statistics[t].scale;
            float4 value = normal * layer.norm_weight[k] + layer.norm_bias[k];
            for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value, weight[r]);
        }
    }
    for (uint r = 0; r < ROWS; r++)
        for (uint t = 0; t < COUNT; t++) {
            float y = simd_sum(sum[r][t]) + layer.bias[row[r]];
            if (lane == 0) out[ulong(t) * layer.N + row[r]] = layer.gelu ? gelu_of(y) : y;
        }
}

template <typename Vector>
static void all_tokens(Layer<Vector> layer, device const float *x, device float *out, uint first, uint T,
                       uint lane, uint lanes)
{
    uint t = 0;
    for (; t + 8 <= T; t += 8)
        rows_times_tokens<8>(layer, x + ulong(t) * layer.K, out + ulong(t) * layer.N, first, lane, lanes);
    for (; t + 4 <= T; t += 4)
        rows_times_tokens<4>(layer, x + ulong(t) * layer.K, out + ulong(t) * layer.N, first, lane, lanes);
    for (; t + 2 <= T; t += 2)
        rows_times_tokens<2>(layer, x + ulong(t) * layer.K, out + ulong(t) * layer.N, first, lane, lanes);
    for (; t < T; t++)
        rows_times_tokens<1>(layer, x + ulong(t) * layer.K, out + ulong(t) * layer.N, first, lane, lanes);
}

kernel void norm_linear_f32(
    device const float *x [[buffer(0)]],            // [T,K]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const float4 *weight [[buffer(3)]],      // [N,K/4]
    device const float *bias [[buffer(4)]],         // [N]
    device float *out [[buffer(5)]],                // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint first = (group * simdgroups + simdgroup) * ROWS;
    if (first >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    Layer<float4> layer = {norm_weight, norm_bias, weight, bias, K, N, gelu, epsilon};
    all_tokens(layer, x, out, first, T, lane, lanes);
}

kernel void norm_linear_f16(
    device const float *x [[buffer(0)]],            // [T,K]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const half4 *weight [[buffer(3)]],       // [N,K/4]
    device const float *bias [[buffer(4)]],         // [N]
    device float *out [[buffer(5)]],                // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint first = (group * simdgroups + simdgroup) * ROWS;
    if (first >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    Layer<half4> layer = {norm_weight, norm_bias, weight, bias, K, N, gelu, epsilon};
    all_tokens(layer, x, out, first, T, lane, lanes);
}
