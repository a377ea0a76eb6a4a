// vocabulary.h — the tokens of a large vocabulary, split into groups that many simdgroups look through
//
// Neighbours in a vocabulary are often likely together, so blocks of neighbours are dealt out to the groups in turn: token
// v is in group ⌊v / BLOCK⌋ mod GROUPS.
#pragma once
#include "parts/simd_width.h"

constant constexpr uint GROUPS = 256; // host: of a row
constant constexpr uint BLOCK = 32, STEP = GROUPS * BLOCK;
constant constexpr uint AHEAD = SIMD_WIDTH == 1 ? 1 : 8; // blocks of a group that are on their way at once

// Of a group's tokens v, v + STEP … the next ones; −∞ past the end of the row.
static void read_ahead(device const float *row, uint v, uint V, thread float (&logit)[AHEAD])
{
    for (uint i = 0; i < AHEAD; i++) logit[i] = v + i * STEP < V ? row[v + i * STEP] : -INFINITY;
}
