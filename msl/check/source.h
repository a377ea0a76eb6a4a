/* source.h — lines of a file as they were written. */
#ifndef METAL_LLM_MSL_CHECK_SOURCE_H
#define METAL_LLM_MSL_CHECK_SOURCE_H

#include <stdbool.h>

/* Line `number`, counted from 1, without its end; to be freed by the caller. NULL if there is none,
 * or if the path is of no regular file. */
char *source_line(const char *path, unsigned number);

/* Does a number stand in preprocessed text where a declaration has its name, as in `uint 32 = 4`?
 */
bool source_declares(const char *text, const char *number);
/* Advice to an optimiser, in which macros may stand that are not expanded there, becomes blanks. */
void source_leave_out_advice(char *text);
/* Does it have structures without padding? */
bool source_packs(const char *text);

#endif
