/* bench.h — what `bench` measures, and a peer's figures beside it. */
#ifndef METAL_LLM_BENCH_H
#define METAL_LLM_BENCH_H

#include "metal_llm.h"
#include "options.h"

enum { TURNS_MOST = 1000 };

/* Tokens per second of the same work in each turn, all rows together. */
typedef struct Measure {
    uint32_t depth;  /* tokens of the prompt before the decoding; 0: this is the prefill */
    uint32_t tokens; /* per row and turn */
    uint32_t count;  /* turns */
    double rates[TURNS_MOST];
    double peer[TURNS_MOST]; /* those of --against */
} Measure;

typedef struct Bench {
    LLMPipeline *llm;
    uint32_t rows;
    LLMTokens *tokens;                         /* [rows] */
    Measure measures[1 + OPTION_NUMBERS_MOST]; /* [count]: of the prefill, then of each depth */
    size_t count;
    float temperature;   /* 0: greedy */
    uint64_t checksum;   /* of every token of the decoding, the same in each turn */
    const char *against; /* a command that measures the same in a peer; NULL: none */
    double bandwidth;    /* the memory's, bytes per second; 0: not measured */
    double matmul;       /* FLOP per second; 0: not measured */
} Bench;

typedef struct Spread {
    double least, median, most;
} Spread;

/* Ours in each turn, and the peer's. */
void bench_measure(Bench *bench, uint32_t turns, LLMError *error);

/* Run the peer once; what it measured becomes the rates of this turn. */
void bench_run_peer(Bench *bench, uint32_t turn, LLMError *error);

Spread bench_rates(const Measure *measure);
Spread bench_peer_rates(const Measure *measure);
Spread bench_ratios(const Measure *measure); /* ours / the peer's of the same turn */

/* Bytes per second of a decoding, FLOP per second of a prefill, at its median; and its share of
 * what the machine can do at most, 0 where that was not measured. */
double bench_speed(const Bench *bench, const Measure *measure);
double bench_share(const Bench *bench, const Measure *measure);

void bench_print_table(const Bench *bench);
void bench_print_json(const Bench *bench, LLMError *error);

#endif
