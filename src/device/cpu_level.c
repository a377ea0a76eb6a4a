#include "cpu_level.h"

#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

typedef struct Candidate {
    const char *cap; /* a value of LLM_CPU */
    bool present;
    CPULevel level;
} Candidate;

enum { CANDIDATES_MOST = 5 };

/* --- what this CPU has, the best first --- */

#if defined(__x86_64__)

extern cpu_entry *const cpu_v2_entries[];
extern cpu_entry *const cpu_v3_entries[];
extern cpu_entry *const cpu_v3_vnni_entries[];
extern cpu_entry *const cpu_v4_entries[];
extern cpu_entry *const cpu_v4_vnni_entries[];

#define LEVELS "v4, v4-no-vnni, v3-vnni, v3 or v2"
#define LEAST  "SSE4.2"

static void find_candidates(Candidate best_first[CANDIDATES_MOST]) {
    __builtin_cpu_init();
    bool v2 = __builtin_cpu_supports("x86-64-v2"), v3 = __builtin_cpu_supports("x86-64-v3"),
         v4 = __builtin_cpu_supports("x86-64-v4");
    bool v3_vnni = v3 && __builtin_cpu_supports("avxvnni"),
         v4_vnni = v4 && __builtin_cpu_supports("avx512vnni");
    best_first[0] = (Candidate){"v4", v4_vnni, {"AVX-512 with VNNI", cpu_v4_vnni_entries, true}};
    best_first[1] = (Candidate){"v4-no-vnni", v4, {"AVX-512", cpu_v4_entries, false}};
    best_first[2] = (Candidate){"v3-vnni", v3_vnni, {"AVX2 with VNNI", cpu_v3_vnni_entries, true}};
    best_first[3] = (Candidate){"v3", v3, {"AVX2", cpu_v3_entries, false}};
    best_first[4] = (Candidate){"v2", v2, {"SSE4.2", cpu_v2_entries, false}};
}

#elif defined(__aarch64__)

extern cpu_entry *const cpu_neon_entries[];
extern cpu_entry *const cpu_neon_dotprod_entries[];
extern cpu_entry *const cpu_neon_i8mm_entries[];

#define LEVELS "neon-i8mm, neon-dotprod or neon"
#define LEAST  "NEON"

#ifdef __APPLE__
static bool has(const char *feature) {
    int value = 0;
    size_t size = sizeof value;
    return !sysctlbyname(feature, &value, &size, NULL, 0) && value;
}
static bool has_dotprod(void) {
    return has("hw.optional.arm.FEAT_DotProd");
}
static bool has_i8mm(void) {
    return has("hw.optional.arm.FEAT_I8MM");
}
#else
static bool has_dotprod(void) {
    return getauxval(AT_HWCAP) & 1u << 20; /* HWCAP_ASIMDDP */
}
static bool has_i8mm(void) {
    return getauxval(AT_HWCAP2) & 1u << 13; /* HWCAP2_I8MM, which older headers lack */
}
#endif

static void find_candidates(Candidate best_first[CANDIDATES_MOST]) {
    bool dotprod = has_dotprod(), i8mm = dotprod && has_i8mm();
    best_first[0] = (Candidate){"neon-i8mm", i8mm, {"NEON with i8mm", cpu_neon_i8mm_entries, true}};
    best_first[1] =
        (Candidate){"neon-dotprod", dotprod, {"NEON with dotprod", cpu_neon_dotprod_entries, true}};
    best_first[2] = (Candidate){"neon", true, {"NEON", cpu_neon_entries, false}};
}

#else

extern cpu_entry *const cpu_generic_entries[];

#define LEVELS "generic"
#define LEAST  "nothing"

static void find_candidates(Candidate best_first[CANDIDATES_MOST]) {
    best_first[0] = (Candidate){"generic", true, {"no vectors", cpu_generic_entries, false}};
}

#endif

/* --- the best of them that LLM_CPU allows --- */

bool cpu_level_choose(CPULevel *level, LLMError *error) {
    Candidate best_first[CANDIDATES_MOST] = {0};
    find_candidates(best_first);
    const char *cap = getenv("LLM_CPU");
    bool allowed = !cap || !*cap;
    for (size_t i = 0; i < CANDIDATES_MOST && best_first[i].cap; i++) {
        const Candidate *candidate = &best_first[i];
        allowed = allowed || !strcmp(cap, candidate->cap);
        if (!allowed || !candidate->present) continue;
        *level = candidate->level;
        return true;
    }
    if (!allowed)
        return error_set(error, LLM_ERROR_ARGUMENT, "LLM_CPU is " LEVELS ", not '%s'", cap);
    return error_set(error, LLM_ERROR_DEVICE, "this CPU lacks " LEAST ", which the kernels need");
}
