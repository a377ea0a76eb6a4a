#include "cpu_level.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

extern cpu_entry *const cpu_v2_entries[];
extern cpu_entry *const cpu_v3_entries[];
extern cpu_entry *const cpu_v3_vnni_entries[];
extern cpu_entry *const cpu_v4_entries[];
extern cpu_entry *const cpu_v4_vnni_entries[];

typedef struct Candidate {
    const char *cap; /* a value of LLM_CPU */
    bool present;
    CPULevel level;
} Candidate;

bool cpu_level_choose(CPULevel *level, LLMError *error) {
    __builtin_cpu_init();
    bool v2 = __builtin_cpu_supports("x86-64-v2"), v3 = __builtin_cpu_supports("x86-64-v3"),
         v4 = __builtin_cpu_supports("x86-64-v4");
    const Candidate best_first[] = {
        {"v4",
         v4 && __builtin_cpu_supports("avx512vnni"),
         {"AVX-512 with VNNI", cpu_v4_vnni_entries, true}},
        {"v4-no-vnni", v4, {"AVX-512", cpu_v4_entries, false}},
        {"v3-vnni",
         v3 && __builtin_cpu_supports("avxvnni"),
         {"AVX2 with VNNI", cpu_v3_vnni_entries, true}},
        {"v3", v3, {"AVX2", cpu_v3_entries, false}},
        {"v2", v2, {"SSE4.2", cpu_v2_entries, false}},
    };
    const char *cap = getenv("LLM_CPU");
    bool allowed = !cap || !*cap;
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++) {
        const Candidate *candidate = &best_first[i];
        allowed = allowed || !strcmp(cap, candidate->cap);
        if (!allowed || !candidate->present) continue;
        *level = candidate->level;
        return true;
    }
    if (!allowed)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "LLM_CPU is v4, v4-no-vnni, v3-vnni, v3 or v2, not '%s'", cap);
    return error_set(error, LLM_ERROR_DEVICE, "this CPU lacks SSE4.2, which the kernels need");
}

#else

extern cpu_entry *const cpu_generic_entries[];

bool cpu_level_choose(CPULevel *level, LLMError *error) {
    (void)error;
    *level = (CPULevel){"NEON", cpu_generic_entries, false};
    return true;
}

#endif
