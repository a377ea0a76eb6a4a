#include "bench.h"
#include "tokens.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One call of llm_generate_batch. */
typedef struct Lap {
    uint32_t rows;
    double start, first, last; /* moments: the call, the first and the last token of all rows */
    uint64_t checksum;
} Lap;

static const uint64_t fnv_basis = 0xcbf29ce484222325;

/* FNV-1a over ids. */
static uint64_t hash_token(uint64_t hash, uint32_t token) {
    for (int shift = 0; shift < 32; shift += 8)
        hash = (hash ^ (token >> shift & 255)) * 0x100000001b3;
    return hash;
}

static bool note_token(void *user, uint32_t row, uint32_t token) {
    Lap *lap = user;
    lap->checksum = hash_token(lap->checksum, token);
    if (row + 1 < lap->rows) return true;
    lap->last = clock_seconds();
    if (lap->first == 0) lap->first = lap->last;
    return true;
}

/* Random ids, the same in every run (SplitMix64). */
static void fill_prompts(Bench *bench, uint32_t count, LLMError *error) {
    uint64_t state = 1;
    for (uint32_t b = 0; b < bench->rows; b++) {
        bench->tokens[b].count = 0;
        for (uint32_t t = 0; t < count; t++) {
            uint64_t z = state += 0x9e3779b97f4a7c15;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
            z = (z ^ z >> 27) * 0x94d049bb133111eb;
            tokens_append(&bench->tokens[b], (z ^ z >> 31) % llm_info(bench->llm)->vocabulary,
                          error);
        }
    }
}

/* A prompt of random tokens, and `count` tokens after it, which are added to a checksum. */
static Lap run_lap(Bench *bench, uint32_t prompt, uint32_t count, uint64_t checksum,
                   LLMError *error) {
    fill_prompts(bench, prompt, error);
    Lap lap = {.rows = bench->rows, .start = clock_seconds(), .checksum = checksum};
    LLMGeneration generation = {.size = sizeof generation,
                                .temperature = bench->temperature,
                                .top_k = 40,
                                .top_p = 0.95f,
                                .seed = 1,
                                .on_token = note_token,
                                .user = &lap,
                                .ignore_end = true};
    llm_generate_batch(bench->llm, bench->tokens, bench->rows, count, &generation, error);
    return lap;
}

static void add_rate(Measure *measure, double tokens, double seconds) {
    measure->rates[measure->count++] = tokens / seconds;
}

static uint64_t measure_turn(Bench *bench, LLMError *error) {
    double rows = bench->rows;
    uint64_t checksum = fnv_basis;
    for (size_t i = 0; i < bench->count && !error_is_set(error); i++) {
        Measure *measure = &bench->measures[i];
        if (measure->depth == 0) {
            Lap lap = run_lap(bench, measure->tokens, 1, fnv_basis, error);
            add_rate(measure, rows * measure->tokens, lap.first - lap.start);
        } else {
            Lap lap = run_lap(bench, measure->depth, measure->tokens + 1, checksum, error);
            add_rate(measure, rows * measure->tokens, lap.last - lap.first);
            checksum = lap.checksum;
        }
    }
    return checksum;
}

static bool check_repeats(Bench *bench, uint32_t turn, uint64_t checksum, LLMError *error) {
    if (turn == 0) bench->checksum = checksum;
    if (error_is_set(error) || bench->checksum == checksum) return true;
    return error_set(error, LLM_ERROR_DEVICE,
                     "two repetitions gave different tokens (checksums %016" PRIx64
                     " and %016" PRIx64 "); the device computes wrongly",
                     bench->checksum, checksum);
}

void bench_measure(Bench *bench, uint32_t turns, LLMError *error) {
    run_lap(bench, bench->measures[0].tokens, 2, fnv_basis, error); /* warms up */
    llm_timings_reset(bench->llm);
    for (uint32_t turn = 0; turn < turns && !error_is_set(error); turn++) {
        check_repeats(bench, turn, measure_turn(bench, error), error);
        if (bench->against && !error_is_set(error)) bench_run_peer(bench, turn, error);
    }
}

/* --- what came of it --- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Spread spread(double *values, uint32_t count) {
    qsort(values, count, sizeof *values, ascending);
    return (Spread){values[0], (values[(count - 1) / 2] + values[count / 2]) / 2,
                    values[count - 1]};
}

Spread bench_rates(const Measure *measure) {
    double values[TURNS_MOST];
    memcpy(values, measure->rates, sizeof values);
    return spread(values, measure->count);
}

Spread bench_peer_rates(const Measure *measure) {
    double values[TURNS_MOST];
    memcpy(values, measure->peer, sizeof values);
    return spread(values, measure->count);
}

Spread bench_ratios(const Measure *measure) {
    double values[TURNS_MOST];
    for (uint32_t i = 0; i < measure->count; i++)
        values[i] = measure->rates[i] / measure->peer[i];
    return spread(values, measure->count);
}

/* Bytes per token of a decoding: a row's share of the weights, and its keys and values, of which
 * there are depth + 1 at the first step and depth + tokens at the last. */
static double decode_bytes(const Bench *bench, const Measure *measure) {
    const LLMInfo *info = llm_info(bench->llm);
    double per_position = (double)info->cache_bytes / bench->rows / info->context;
    double positions = measure->depth + (measure->tokens + 1) / 2.0;
    return (double)info->step_bytes / bench->rows + per_position * positions;
}

/* FLOP per token of a prefill, counted as if every layer computed every token: the layers'
 * matrices, causal attention, and one row of logits. */
static double prefill_flop(const Bench *bench, const Measure *measure) {
    const LLMInfo *info = llm_info(bench->llm);
    double T = measure->tokens, attended = (double)info->heads * info->head_size;
    double attention = 4 * attended * (T + 1) / 2;
    double output = 2.0 * info->channels * info->vocabulary;
    return 2 * (double)info->layer_weights + info->layers * attention + output / T;
}

double bench_speed(const Bench *bench, const Measure *measure) {
    double cost = measure->depth ? decode_bytes(bench, measure) : prefill_flop(bench, measure);
    return cost * bench_rates(measure).median;
}

double bench_share(const Bench *bench, const Measure *measure) {
    double most = measure->depth ? bench->bandwidth : bench->matmul;
    return most > 0 ? bench_speed(bench, measure) / most : 0;
}
