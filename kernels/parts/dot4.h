// dot4.h — sum + Σ_i a[i] · b[i] of four bytes each, with a sign, that lie in a word
//
// A primitive: this is its plain definition, which says what is meant. A target with an instruction for it brings its
// own, see docs/kernels/targets.md.
#pragma once
static int dot4(int sum, uint a, uint b)
{
    for (uint i = 0; i < 32; i += 8) sum += (int(a << (24 - i)) >> 24) * (int(b << (24 - i)) >> 24);
    return sum;
}
