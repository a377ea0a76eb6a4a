// normal.h — a norm of four neighbours, of which its statistics are known, or none
#pragma once

// (x − mean) · factor · weight + bias, or x where there is no weight.
struct Normal {
    device const float4 *weight, *bias; // [K/4]
    float mean, factor;
    bool is_centred; // else there is no bias
};
struct NoNorm {};

// What four neighbours are multiplied by, and what is added to them.
struct Line {
    float4 weight, bias;
};
static Line line_of(Normal norm, uint i)
{
    return {norm.weight[i], norm.is_centred ? norm.bias[i] : float4(0.0f)};
}
static Line line_of(NoNorm, uint) { return {float4(1.0f), float4(0.0f)}; }
static float4 normal(Normal norm, thread const Line &line, float4 x)
{
    return norm.is_centred ? (x - norm.mean) * norm.factor * line.weight + line.bias : x * line.weight;
}
static float4 normal(NoNorm, thread const Line &, float4 x) { return x; }

static float sum_of(float4 four) { return (four.x + four.y) + (four.z + four.w); }
