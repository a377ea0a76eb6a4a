#include "pages.h"

#include <stdlib.h>
#include <string.h>

/* Of its list a row has the pages first … end − 1. */
typedef struct PageRow {
    uint32_t first, end;
} PageRow;

struct Pages {
    uint32_t rows, row_pages;
    PageRow *row;         /* [rows] */
    uint32_t *table;      /* [rows, row_pages] */
    uint32_t *references; /* [count] rows that have the page */
    uint32_t *unused;     /* [unused_count] the last is the next to be taken */
    uint32_t count, unused_count;
};

Pages *pages_new(uint32_t rows, uint32_t row_pages, LLMError *error) {
    Pages *pages = calloc(1, sizeof *pages);
    if (!pages) return error_memory(error, sizeof *pages);
    *pages = (Pages){.rows = rows,
                     .row_pages = row_pages,
                     .row = calloc(rows, sizeof *pages->row),
                     .table = calloc((size_t)rows * row_pages, sizeof *pages->table)};
    if (pages->row && pages->table) return pages;
    pages_free(pages);
    return error_memory(error, (size_t)rows * row_pages * sizeof *pages->table);
}

void pages_free(Pages *pages) {
    if (!pages) return;
    free(pages->row);
    free(pages->table);
    free(pages->references);
    free(pages->unused);
    free(pages);
}

static bool resize(uint32_t **numbers, uint32_t count, LLMError *error) {
    uint32_t *larger = realloc(*numbers, count * sizeof *larger);
    if (!larger) return error_memory(error, count * sizeof *larger);
    *numbers = larger;
    return true;
}

/* New pages are taken in their order: neighbours in a text are neighbours in memory. */
bool pages_grow(Pages *pages, uint32_t count, LLMError *error) {
    uint32_t more = count - pages->count;
    if (!resize(&pages->references, count, error) || !resize(&pages->unused, count, error))
        return false;
    memset(pages->references + pages->count, 0, more * sizeof *pages->references);
    memmove(pages->unused + more, pages->unused, pages->unused_count * sizeof *pages->unused);
    for (uint32_t i = 0; i < more; i++)
        pages->unused[i] = count - 1 - i;
    pages->unused_count += more;
    pages->count = count;
    return true;
}

uint32_t pages_count(const Pages *pages) {
    return pages->count;
}

uint32_t pages_unused(const Pages *pages) {
    return pages->unused_count;
}

const uint32_t *pages_table(const Pages *pages) {
    return pages->table;
}

/* --- one page of a row --- */

static uint32_t *entry(const Pages *pages, uint32_t row, uint32_t i) {
    return &pages->table[(size_t)row * pages->row_pages + i];
}

static void take(Pages *pages, uint32_t row, uint32_t i) {
    uint32_t page = pages->unused[--pages->unused_count];
    pages->references[page] = 1;
    *entry(pages, row, i) = page;
}

static void let_go(Pages *pages, uint32_t row, uint32_t i) {
    uint32_t page = *entry(pages, row, i);
    *entry(pages, row, i) = 0;
    if (--pages->references[page] == 0) pages->unused[pages->unused_count++] = page;
}

/* --- rows --- */

void pages_truncate(Pages *pages, uint32_t row, uint32_t tokens) {
    PageRow *list = &pages->row[row];
    uint32_t end = pages_for(tokens);
    while (list->end > end && list->end > list->first)
        let_go(pages, row, --list->end);
    if (list->first > end) list->first = list->end = end;
}

void pages_forget(Pages *pages, uint32_t row, uint32_t tokens) {
    PageRow *list = &pages->row[row];
    while (list->first < tokens / PAGE_TOKENS && list->first < list->end)
        let_go(pages, row, list->first++);
}

void pages_fork(Pages *pages, uint32_t from, uint32_t to, uint32_t tokens) {
    if (from == to) return;
    pages_truncate(pages, to, 0);
    PageRow list = pages->row[from];
    if (list.end > pages_for(tokens)) list.end = pages_for(tokens);
    if (list.first > list.end) list.first = list.end;
    for (uint32_t i = list.first; i < list.end; i++) {
        uint32_t page = *entry(pages, to, i) = *entry(pages, from, i);
        pages->references[page]++;
    }
    pages->row[to] = list;
}

uint32_t pages_first(const Pages *pages, uint32_t row) {
    return pages->row[row].first * PAGE_TOKENS;
}

/* Is the page shared in which the token after the row's `tokens` is to be written? */
static bool is_shared(const Pages *pages, uint32_t row, uint32_t tokens, uint32_t end) {
    uint32_t i = tokens / PAGE_TOKENS;
    bool has_page = i >= pages->row[row].first && i < pages->row[row].end;
    return end > tokens && tokens % PAGE_TOKENS && has_page &&
           pages->references[*entry(pages, row, i)] > 1;
}

uint32_t pages_wanted(const Pages *pages, uint32_t row, uint32_t tokens, uint32_t end) {
    uint32_t has = pages->row[row].end, kept = pages_for(tokens), wants = pages_for(end);
    if (has > kept) has = kept;
    return (wants > has ? wants - has : 0) + is_shared(pages, row, tokens, end);
}

PageCopy pages_reserve(Pages *pages, uint32_t row, uint32_t tokens, uint32_t end) {
    PageCopy copy = {0, 0};
    PageRow *list = &pages->row[row];
    pages_truncate(pages, row, tokens);
    if (is_shared(pages, row, tokens, end)) {
        uint32_t i = tokens / PAGE_TOKENS;
        copy.from = *entry(pages, row, i);
        pages->references[copy.from]--;
        take(pages, row, i);
        copy.to = *entry(pages, row, i);
    }
    while (list->end < pages_for(end))
        take(pages, row, list->end++);
    return copy;
}
