// sampling.h — how the next token of a row is drawn: each row of a batch says so for itself
#pragma once

// Methods: of the whole row, or by the maxima of groups of tokens. Nothing is drawn for a row that is IDLE.
constant constexpr uint IDLE = 0;
constant constexpr uint LIKELIEST = 1, LIKELIEST_OF_GROUPS = 2, DRAWN = 3, SHORTLISTED = 4; // host: methods
constant constexpr uint BIASED = 1, MASKED = 2; // host: flags
constant constexpr uint TOLD_MOST = 21;         // host: logprobs, the chosen token's and those of the likeliest
constant constexpr uint SLOTS = 8;              // host: steps that may be on their way, each with a place for its result

// The host's is in src/ops/row_sampling.h.
struct RowSampling {
    ulong seed;
    uint method, flags;
    float temperature; // > 0
    uint top_k;        // 1 … V
    float top_p;       // 0 < top_p ≤ 1
    float min_p;       // 0 ≤ min_p ≤ 1, of the largest p, which is 1
    float typical;     // < 1; 0: all are kept
    uint window;       // tokens that the penalties look back; 0: there are none
    float repetition;  // > 0
    float presence, frequency;
    uint told;         // logprobs; 0: none
};
