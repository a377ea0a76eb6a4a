/* replay.c — kernels of the CPU target on a processor that is emulated: launches come in, buffers
 * go out.
 *
 *   LLM_CPU=neon-dotprod qemu-aarch64 -cpu max replay < launches > buffers
 *
 * A launch is the kernel's name (64 bytes), the grid and the number of arguments (4 × uint32), then
 * each argument: its size and where the kernel's pointer points in it (2 × uint64), and its bytes.
 * They go back as they are afterwards. The level's name goes out first, in a line. */
#include "device/cpu_level.h"
#include "device/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 64, ARGUMENTS_MOST = 31 };

typedef struct Launch {
    char kernel[NAME];
    uint32_t grid[3], count;
    void *bytes[ARGUMENTS_MOST], *pointers[ARGUMENTS_MOST];
    uint64_t size[ARGUMENTS_MOST];
} Launch;

static void fail(const char *what) {
    fprintf(stderr, "replay: %s\n", what);
    exit(1);
}

static void read_all(void *to, size_t size) {
    if (size && fread(to, size, 1, stdin) != 1) fail("the launch is cut off");
}

static void read_argument(Launch *launch, uint32_t i) {
    uint64_t size_and_start[2];
    read_all(size_and_start, sizeof size_and_start);
    launch->size[i] = size_and_start[0];
    launch->bytes[i] = malloc(launch->size[i]);
    if (!launch->bytes[i]) fail("no memory");
    read_all(launch->bytes[i], launch->size[i]);
    launch->pointers[i] = (char *)launch->bytes[i] + size_and_start[1];
}

static bool read_launch(Launch *launch) {
    if (fread(launch->kernel, NAME, 1, stdin) != 1) return false;
    launch->kernel[NAME - 1] = 0;
    read_all(launch->grid, sizeof launch->grid);
    read_all(&launch->count, sizeof launch->count);
    if (launch->count > ARGUMENTS_MOST) fail("too many arguments");
    for (uint32_t i = 0; i < launch->count; i++)
        read_argument(launch, i);
    return true;
}

static cpu_entry *find(const CPULevel *level, const char *name) {
    for (size_t i = 0; i < kernel_count; i++)
        if (!strcmp(kernel_table[i].name, name)) return level->entries[i];
    fail("there is no such kernel");
    return NULL;
}

static void run(const CPULevel *level, const Launch *launch) {
    cpu_entry *entry = find(level, launch->kernel);
    const uint32_t *grid = launch->grid;
    for (uint32_t z = 0; z < grid[2]; z++)
        for (uint32_t y = 0; y < grid[1]; y++) {
            CPURange range = {0, grid[0], y, z, {grid[0], grid[1], grid[2]}};
            entry(launch->pointers, &range);
        }
}

static void give_back(Launch *launch) {
    for (uint32_t i = 0; i < launch->count; i++) {
        fwrite(launch->bytes[i], launch->size[i], 1, stdout);
        free(launch->bytes[i]);
    }
    fflush(stdout);
}

int main(void) {
    CPULevel level;
    LLMError error = {0};
    if (!cpu_level_choose(&level, &error)) fail(error.message);
    printf("%s\n", level.name);
    fflush(stdout);
    static Launch launch;
    while (read_launch(&launch)) {
        run(&level, &launch);
        give_back(&launch);
    }
    return 0;
}
