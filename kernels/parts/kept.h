// kept.h — numbers that become those of a cache, or of what is stored
#pragma once

static void store(device float4 *to, float4 value) { *to = value; }
static void store(device half4 *to, float4 value) { *to = half4(value); }

// A value as a cache of this type keeps it; in halves NaN if it is too large for them, as in heads.metal.
static float4 kept(device const float4 *, float4 value) { return value; }
static float4 kept(device const half4 *, float4 value)
{
    float4 rounded = float4(half4(value));
    return select(rounded, float4(NAN), isinf(rounded));
}
