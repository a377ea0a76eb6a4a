// cos_sin.h — the cosine and sine of large angles
#pragma once
constant constexpr ulong TURNS = 2935890503282001226ul; // 2⁶⁴ / 2π

// (cos, sin) of an angle from 0 to 2¹⁸, within 10⁻⁷: what libraries have that is fast is not made for large angles.
// An angle is m · 2⁻ˢ, and m · 2⁻ˢ / 2π are turns; in 64 bits after the point whole turns overflow, which is what they
// are to do. Then two series, for at most an eighth of a turn from where the quarter begins.
static float2 cos_sin(float angle)
{
    uint bits = as_type<uint>(angle), m = (bits & 0x7fffff) | 0x800000, shift = 150 - (bits >> 23);
    uint turn = uint((m * (TURNS >> min(shift, 63u))) >> 32); // 2³² are a turn
    uint quarter = (turn + (1u << 29)) >> 30;
    float x = float(int(turn - (quarter << 30))) * 1.46291808e-9f, xx = x * x; // 2π / 2³²
    float c = 1 - xx * (1.0f / 2) * (1 - xx * (1.0f / 12) * (1 - xx * (1.0f / 30) * (1 - xx * (1.0f / 56))));
    float s = x * (1 - xx * (1.0f / 6) * (1 - xx * (1.0f / 20) * (1 - xx * (1.0f / 42) * (1 - xx * (1.0f / 72)))));
    float cosine = quarter & 1 ? s : c, sine = quarter & 1 ? c : s;
    return float2((quarter + 1) & 2 ? -cosine : cosine, quarter & 2 ? -sine : sine);
}
