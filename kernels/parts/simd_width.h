// simd_width.h — the lanes of a whole simdgroup, for arrays whose length depends on them
#pragma once
#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint UNROLL = SIMD_WIDTH < 8 ? 1 : 16; // loops over what lies in registers
