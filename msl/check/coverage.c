#include "coverage.h"

#include <stdlib.h>
#include <string.h>

/* --- in the kernel's process --- */

/* What clang says of each block: its address, and whether it begins a function. */
typedef struct BlockAddress {
    uintptr_t address, is_function;
} BlockAddress;

static const bool *flags, *flags_end; /* whether a block has run */
static const BlockAddress *addresses;

void __sanitizer_cov_bool_flag_init(const bool *begin, const bool *end);
void __sanitizer_cov_bool_flag_init(const bool *begin, const bool *end) {
    flags = begin;
    flags_end = end;
}

void __sanitizer_cov_pcs_init(const BlockAddress *begin, const BlockAddress *end);
void __sanitizer_cov_pcs_init(const BlockAddress *begin, const BlockAddress *end) {
    (void)end;
    addresses = begin;
}

void coverage_take(CodeBlocks *blocks, const char *library) {
    size_t count = flags && addresses ? (size_t)(flags_end - flags) : 0;
    blocks->count = count < COVERAGE_BLOCKS ? count : COVERAGE_BLOCKS;
    for (size_t i = 0; i < blocks->count; i++)
        blocks->block[i] =
            (CodeBlock){(uint32_t)(addresses[i].address - (uintptr_t)library), flags[i]};
}

/* --- lines --- */

static int compare_blocks(const void *a, const void *b) {
    const CodeBlock *left = a, *right = b;
    return (left->code > right->code) - (left->code < right->code);
}

static int compare_lines(const void *a, const void *b) {
    const CoveredLine *left = a, *right = b;
    int files = strcmp(left->file, right->file);
    return files ? files : left->line - right->line;
}

/* The block that an instruction is in, NULL if none is known. */
static const CodeBlock *find_block(const CodeBlocks *blocks, uint32_t code) {
    size_t low = 0, high = blocks->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (blocks->block[middle].code <= code)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &blocks->block[low - 1] : NULL;
}

typedef struct Collection {
    Coverage coverage;
    const CodeBlocks *blocks;
    const char *file;
    int last_line;
} Collection;

static void collect(void *context, uint32_t code, Place place) {
    Collection *collection = context;
    Coverage *coverage = &collection->coverage;
    const CodeBlock *block = find_block(collection->blocks, code);
    if (!block || place.line > collection->last_line) return;
    if (coverage->count == coverage->capacity) {
        coverage->capacity = coverage->capacity ? 2 * coverage->capacity : 256;
        coverage->line = realloc(coverage->line, coverage->capacity * sizeof *coverage->line);
        if (!coverage->line) abort();
    }
    coverage->line[coverage->count++] =
        (CoveredLine){place.file ? place.file : collection->file, place.line, block->reached};
}

/* A line is reached where any of its blocks is. */
static void merge(Coverage *coverage) {
    size_t kept = 0;
    for (size_t i = 0; i < coverage->count; i++) {
        CoveredLine *line = &coverage->line[i], *last = &coverage->line[kept ? kept - 1 : 0];
        if (kept && !compare_lines(last, line))
            last->reached = last->reached || line->reached;
        else
            coverage->line[kept++] = *line;
    }
    coverage->count = kept;
}

Coverage coverage_of(CodeBlocks *blocks, const Symbols *symbols, const char *file, int last_line) {
    Collection collection = {.blocks = blocks, .file = file, .last_line = last_line};
    qsort(blocks->block, blocks->count, sizeof *blocks->block, compare_blocks);
    symbols_each_line(symbols, collect, &collection);
    Coverage *coverage = &collection.coverage;
    if (coverage->count)
        qsort(coverage->line, coverage->count, sizeof *coverage->line, compare_lines);
    merge(coverage);
    return *coverage;
}

void coverage_free(Coverage *coverage) {
    free(coverage->line);
    *coverage = (Coverage){0};
}

/* --- to read --- */

/* One after the last line of the file that begins at `begin`, and how many of them are reached. */
static size_t end_of_file(const Coverage *coverage, size_t begin, size_t *reached) {
    size_t end = begin;
    *reached = 0;
    while (end < coverage->count && !strcmp(coverage->line[end].file, coverage->line[begin].file))
        *reached += coverage->line[end++].reached;
    return end;
}

static void print_missed(const Coverage *coverage, size_t begin, size_t end, FILE *out) {
    const char *separator = "; no thread reached lines ";
    for (size_t i = begin; i < end; i++) {
        if (coverage->line[i].reached) continue;
        size_t last = i;
        while (last + 1 < end && !coverage->line[last + 1].reached)
            last++;
        fprintf(out, "%s%d", separator, coverage->line[i].line);
        if (last > i) fprintf(out, "-%d", coverage->line[last].line);
        separator = ", ";
        i = last;
    }
}

void coverage_text(const Coverage *coverage, FILE *out) {
    size_t reached;
    for (size_t begin = 0, end; begin < coverage->count; begin = end) {
        end = end_of_file(coverage, begin, &reached);
        fprintf(out, "%s: %zu of %zu lines reached", coverage->line[begin].file, reached,
                end - begin);
        print_missed(coverage, begin, end, out);
        fputc('\n', out);
    }
}

cJSON *coverage_json(const Coverage *coverage) {
    cJSON *files = cJSON_CreateArray();
    size_t reached;
    for (size_t begin = 0, end; begin < coverage->count; begin = end) {
        end = end_of_file(coverage, begin, &reached);
        cJSON *file = cJSON_CreateObject(), *missed = NULL;
        cJSON_AddStringToObject(file, "file", coverage->line[begin].file);
        cJSON_AddNumberToObject(file, "lines", (double)(end - begin));
        cJSON_AddNumberToObject(file, "reached", (double)reached);
        missed = cJSON_AddArrayToObject(file, "not_reached");
        for (size_t i = begin; i < end; i++)
            if (!coverage->line[i].reached)
                cJSON_AddItemToArray(missed, cJSON_CreateNumber(coverage->line[i].line));
        cJSON_AddItemToArray(files, file);
    }
    return files;
}

void coverage_lcov(const Coverage *coverage, FILE *out) {
    size_t reached;
    for (size_t begin = 0, end; begin < coverage->count; begin = end) {
        end = end_of_file(coverage, begin, &reached);
        fprintf(out, "TN:\nSF:%s\n", coverage->line[begin].file);
        for (size_t i = begin; i < end; i++)
            fprintf(out, "DA:%d,%d\n", coverage->line[i].line, coverage->line[i].reached);
        fprintf(out, "LF:%zu\nLH:%zu\nend_of_record\n", end - begin, reached);
    }
}
