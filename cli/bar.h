/* bar.h — bars of Unicode blocks: shares in a table, and progress on a terminal. */
#ifndef METAL_LLM_BAR_H
#define METAL_LLM_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A bar `width` columns wide, of which `share` (0 to 1) is filled, to eighths of a column. */
void print_bar(FILE *file, double share, int width);

/* A line on stderr that is redrawn in place; nothing where stderr is not a terminal. */
typedef struct Progress {
    size_t total; /* of whatever `unit` names */
    const char *unit;
    double start, drawn; /* seconds */
    bool visible;
} Progress;

Progress progress_begin(size_t total, const char *unit);
void progress_update(Progress *progress, size_t done);
void progress_end(Progress *progress); /* takes the line away */

#endif
