/* memory.c — threadgroup memory: variables and [[threadgroup(n)]] between gaps that nothing may
 * write to. */
#include "simt_parts.h"

#include <stdio.h>
#include <string.h>

/* Repeated, NaN as float and as half, and not the poison of unwritten memory: marks the gaps. */
static const unsigned char gap_pattern[2] = {0xE5, 0xFF};

static void fill_gap(unsigned char *gap, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        gap[i] = gap_pattern[i % 2];
}

static bool gap_is_whole(const unsigned char *gap, size_t bytes) {
    return gap[0] == gap_pattern[0] && gap[1] == gap_pattern[1] && !memcmp(gap, gap + 2, bytes - 2);
}

/* The gap after a region, to the next multiple of GAP_BYTES and one further. */
static unsigned char *gap_behind(const Region *region) {
    return region->memory + region->size;
}

static size_t gap_bytes(const Region *region) {
    return 2 * GAP_BYTES - 1 - (region->size + GAP_BYTES - 1) % GAP_BYTES;
}

/* A variable's name or [[threadgroup(index)]], in `name`. */
static const char *region_name(const Region *region, char name[64]) {
    if (region->variable)
        snprintf(name, 64, "%s", region->variable->name);
    else
        snprintf(name, 64, "[[threadgroup(%u)]]", region->index);
    return name;
}

/* A watcher's memory has no gaps: it sees every access. */
void simt_poison_region(Simt *simt, Region *region) {
    region->is_initialised = false;
    memset(region->memory, 0xFF, region->size);
    if (!simt->launch->watcher) fill_gap(gap_behind(region), gap_bytes(region));
}

static unsigned char *place_region(Simt *simt, const SimtVariable *variable, unsigned index,
                                   size_t size) {
    const SimtWatcher *watcher = simt->launch->watcher;
    if (watcher) return watcher->place(watcher->self, variable, index, size);
    unsigned char *memory = simt->arena + simt->arena_used;
    Region region = {.size = size};
    simt->arena_used += size + gap_bytes(&region);
    return memory;
}

/* NULL, with the error noted, if there is no room. */
static void *add_region(Simt *simt, const SimtVariable *variable, unsigned index, size_t size) {
    size_t total = size;
    for (unsigned i = 0; i < simt->region_count; i++)
        total += simt->regions[i].size;
    unsigned char *memory = NULL;
    if (simt->region_count < REGIONS && total <= SIMT_THREADGROUP_BYTES)
        memory = place_region(simt, variable, index, size);
    if (!memory && simt->region_count == REGIONS)
        simt_report(simt, "more than %d variables in threadgroup memory", REGIONS);
    if (!memory) {
        simt_report(simt, "%zu bytes of threadgroup memory; a threadgroup has at most %d", total,
                    SIMT_THREADGROUP_BYTES);
        return NULL;
    }
    Region *region = &simt->regions[simt->region_count++];
    *region = (Region){variable, index, size, memory, false};
    simt_poison_region(simt, region);
    return memory;
}

void *simt_variable(const SimtVariable *variable) {
    Simt *simt = simt_running;
    for (unsigned i = 0; i < simt->region_count; i++)
        if (simt->regions[i].variable == variable) return simt->regions[i].memory;
    void *memory = add_region(simt, variable, 0, variable->size);
    if (!memory) simt_abandon(simt);
    return memory;
}

void simt_initialise(const SimtVariable *variable, const void *value) {
    Simt *simt = simt_running;
    const SimtWatcher *watcher = simt->launch->watcher;
    for (unsigned i = 0; i < simt->region_count; i++) {
        Region *region = &simt->regions[i];
        if (region->variable != variable || region->is_initialised) continue;
        region->is_initialised = true;
        memcpy(region->memory, value, region->size);
        if (watcher) watcher->initialised(watcher->self, region->memory, region->size);
    }
}

void *simt_scratch(unsigned index) {
    Simt *simt = simt_running;
    for (unsigned i = 0; i < simt->region_count; i++)
        if (!simt->regions[i].variable && simt->regions[i].index == index)
            return simt->regions[i].memory;
    simt_report(simt, "[[threadgroup(%u)]] was given no memory", index);
    simt_abandon(simt);
    return NULL;
}

bool simt_place_scratch(Simt *simt) {
    simt->region_count = 0;
    simt->arena_used = GAP_BYTES;
    fill_gap(simt->arena, GAP_BYTES);
    const size_t *scratch = simt->launch->scratch;
    for (unsigned i = 0; scratch && i < SIMT_BUFFERS; i++)
        if (scratch[i] && !add_region(simt, NULL, i, scratch[i])) return false;
    return true;
}

void simt_check_gaps(Simt *simt) {
    if (simt->launch->watcher) return;
    char name[64];
    for (unsigned i = 0; i < simt->region_count; i++) {
        const Region *region = &simt->regions[i];
        if (!gap_is_whole(gap_behind(region), gap_bytes(region)))
            simt_report(simt,
                        "a thread of threadgroup (%u,%u,%u) wrote past the end of '%s' (%zu "
                        "bytes of threadgroup memory)",
                        simt->group.x, simt->group.y, simt->group.z, region_name(region, name),
                        region->size);
    }
    if (!gap_is_whole(simt->arena, GAP_BYTES))
        simt_report(simt, "a thread of threadgroup (%u,%u,%u) wrote before the start of '%s'",
                    simt->group.x, simt->group.y, simt->group.z,
                    region_name(&simt->regions[0], name));
}
