// simd_width.h — the lanes of a whole simdgroup, for arrays whose length depends on them
#pragma once
#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
// Loops over what lies in registers are unrolled as a whole: an index known too late would move it to memory.
constant constexpr uint UNROLL = SIMD_WIDTH < 8 ? 1 : 64;
