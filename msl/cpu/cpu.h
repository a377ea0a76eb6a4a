/* cpu.h — how the host calls a kernel that was compiled for one thread per threadgroup. */
#ifndef METAL_LLM_MSL_CPU_H
#define METAL_LLM_MSL_CPU_H

/* The part of a grid that one call covers: threadgroups [x_begin, x_end) of row y and plane z.
 * No header is included: a system's int64_t may be another type than Metal's. */
typedef struct CPURange {
    unsigned x_begin, x_end, y, z;
    unsigned grid[3]; /* the whole grid, in threadgroups: that is, in threads */
} CPURange;

/* arguments[n] points to the buffer or the value of [[buffer(n)]]. */
#define MSL_ENTRY_TYPE cpu_entry
typedef void cpu_entry(void *const *arguments, const CPURange *range);

#endif
