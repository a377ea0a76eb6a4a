#include "profile.h"
#include "bar.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

static int dearest_first(const void *a, const void *b) {
    double difference = ((const LLMTiming *)b)->seconds - ((const LLMTiming *)a)->seconds;
    return (difference > 0) - (difference < 0);
}

static void print_row(const LLMTiming *timing, double total) {
    double share = total > 0 ? timing->seconds / total : 0;
    double rate = timing->seconds > 0 ? timing->bytes / timing->seconds : 0;
    fprintf(stderr, "%-24s %8llu %10.2f %5.1f%% ", timing->kernel,
            (unsigned long long)timing->calls, 1000 * timing->seconds, 100 * share);
    print_bar(stderr, share, 20);
    fprintf(stderr, " %9s %8.1f\n", scaled_text(timing->bytes, "B").text, 1e-9 * rate);
}

void print_profile(LLMPipeline *llm) {
    const LLMTiming *timings;
    size_t count = llm_timings(llm, &timings);
    LLMTiming *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) return;
    if (count) memcpy(sorted, timings, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, dearest_first);
    LLMTiming *total = &sorted[count];
    *total = (LLMTiming){.kernel = "all"};
    for (size_t i = 0; i < count; i++) {
        total->calls += sorted[i].calls;
        total->seconds += sorted[i].seconds;
        total->bytes += sorted[i].bytes;
    }
    fprintf(stderr, "\n%-24s %8s %10s %6s %-20s %9s %8s\n", "kernel", "calls", "ms", "share", "",
            "bytes", "GB/s");
    for (size_t i = 0; i <= count; i++)
        print_row(&sorted[i], total->seconds);
    free(sorted);
}
