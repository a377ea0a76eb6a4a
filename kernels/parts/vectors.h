// vectors.h — weights as lanes read them: four floats, four halves, or eight halves, which are 16 bytes, too
#pragma once

// Numbers 4 i … 4 i + 3 of a vector.
static float4 four_of(float4 vector, uint) { return vector; }
static float4 four_of(half4 vector, uint) { return float4(vector); }
static float4 four_of(uint4 vector, uint i)
{
    return float4(as_type<half4>(i == 0 ? uint2(vector.x, vector.y) : uint2(vector.z, vector.w)));
}
