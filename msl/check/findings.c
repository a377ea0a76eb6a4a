#include "checker_parts.h"

#include <stdio.h>
#include <string.h>

const GroupStart *group_of_stamp(const Checker *c, uint32_t stamp) {
    size_t low = 0, high = c->group_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (c->groups[middle].stamp <= stamp)
            low = middle;
        else
            high = middle;
    }
    return high ? &c->groups[low] : NULL;
}

static SimtSize group_at(const Checker *c, uint32_t stamp) {
    const GroupStart *start = group_of_stamp(c, stamp);
    return start ? start->group : (SimtSize){0, 0, 0};
}

Witness witness_here(uint32_t code, bool writes, bool atomic) {
    return (Witness){
        .code = code,
        .group = simt_thread->threadgroup_position_in_grid,
        .thread = simt_thread->thread_index_in_threadgroup,
        .writes = writes,
        .atomic = atomic,
    };
}

Witness witness_earlier(const Checker *c, Access access, bool writes) {
    return (Witness){
        .code = access.code,
        .group = group_at(c, access.stamp),
        .thread = access.thread,
        .writes = writes,
        .atomic = access.atomic,
    };
}

/* A pair of instructions is reported once for each memory, in either order. NULL: not yet. */
Finding *finding_known(Checker *c, FindingKind kind, uint32_t code, uint32_t other,
                       const char *name) {
    for (size_t i = 0; i < c->findings->count; i++) {
        Finding *f = &c->findings->list[i];
        bool same = (f->at.code == code && f->other.code == other) ||
                    (f->at.code == other && f->other.code == code);
        if (f->kind == kind && same && !strcmp(f->name, name)) return f;
    }
    return NULL;
}

Finding *findings_add(Findings *findings, FindingKind kind, const Witness *at) {
    if (findings->count == FINDINGS) return NULL;
    Finding *finding = &findings->list[findings->count++];
    *finding = (Finding){.kind = kind, .at = *at, .index = -1};
    return finding;
}

/* NULL if it is known. */
Finding *finding_of_access(Checker *c, FindingKind kind, const Block *block, const Witness *at,
                           const Witness *other) {
    if (finding_known(c, kind, at->code, other ? other->code : 0, block->name)) return NULL;
    Finding *finding = findings_add(c->findings, kind, at);
    if (!finding) return NULL;
    if (other) finding->other = *other;
    finding->space = block->space;
    finding->index = block->index;
    finding->size = block->size;
    snprintf(finding->name, sizeof finding->name, "%s", block->name);
    return finding;
}

/* The run cannot go on after this. */
void checker_stop(Checker *c, uint32_t code, const char *detail) {
    Witness at = witness_here(code, false, false);
    Finding *finding = findings_add(c->findings, FINDING_FAULT, &at);
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", detail);
    simt_stop(detail);
}

static void fill_place(const Symbols *symbols, Witness *witness) {
    if (witness->code && !witness->place.file)
        witness->place = symbols_place(symbols, witness->code);
}

void findings_resolve(Findings *findings, const Symbols *symbols, Place kernel) {
    for (size_t i = 0; i < findings->count; i++) {
        Finding *finding = &findings->list[i];
        fill_place(symbols, &finding->at);
        fill_place(symbols, &finding->other);
        if (!finding->at.place.line) finding->at.place = kernel;
        if (finding->same_value || finding->weak_barrier) finding->severity = SEVERITY_WARNING;
    }
}

/* The kernel's own strings go with its process. NULL, the file that is checked, if there is no
 * room. */
static const char *keep_file(Findings *findings, const char *file) {
    size_t bytes = file ? strlen(file) + 1 : 0;
    for (size_t at = 0; bytes && at < findings->files_used; at += strlen(findings->files + at) + 1)
        if (!strcmp(findings->files + at, file)) return findings->files + at;
    if (!bytes || bytes > FINDING_FILES - findings->files_used) return NULL;
    char *kept = memcpy(findings->files + findings->files_used, file, bytes);
    findings->files_used += bytes;
    return kept;
}

static Witness witness_of(const Checker *c, const SimtThread *thread, SimtPlace place) {
    return (Witness){
        .place = {keep_file(c->findings, place.file), (int)place.line},
        .group = thread->threadgroup_position_in_grid,
        .thread = thread->thread_index_in_threadgroup,
    };
}

static bool is_known_at(const Checker *c, FindingKind kind, SimtPlace place) {
    for (size_t i = 0; i < c->findings->count; i++)
        if (c->findings->list[i].kind == kind &&
            c->findings->list[i].at.place.line == (int)place.line)
            return true;
    return false;
}

Finding *finding_at(Checker *c, FindingKind kind, const SimtThread *thread, SimtPlace place) {
    if (is_known_at(c, kind, place)) return NULL;
    Witness at = witness_of(c, thread, place);
    return findings_add(c->findings, kind, &at);
}
