/* output_file.h — a file that appears whole under its name, or not at all.
 *
 * What is written goes to a fresh file of an unpredictable name in the target's folder, which takes
 * the target's place when it is whole and on the disk. So several writers of one file leave one of
 * theirs, readers never see half of one, and a failure leaves what was there.
 */
#ifndef METAL_LLM_OUTPUT_FILE_H
#define METAL_LLM_OUTPUT_FILE_H

#include "error.h"

typedef struct OutputFile OutputFile;

/* Begin to write `path`. If it is a link, what it points to is written; an existing file keeps its
 * permissions; a pipe or a character device is written into. NULL and `error` if it is anything
 * else, is write-protected, or its folder is not writable. Release with output_file_close. */
OutputFile *output_file_open(const char *path, LLMError *error);

/* Append, unless `error` is set. False and `error` if the disk is full, or on any other failure. */
bool output_file_write(OutputFile *file, const void *data, size_t size, LLMError *error);

/* Bring the file under its name, unless `error` is set, or becomes so because something could not
 * be written: then nothing is left of it. `file` may be NULL. True if the file is there. */
bool output_file_close(OutputFile *file, LLMError *error);

/* For a program's main: what is unfinished is removed when INT, TERM, HUP or another signal ends
 * the program. One that the program was started to ignore stays ignored. */
void output_file_catch_signals(void);
/* For commands, first of all: a file that is opened must not take the place of a standard stream
 * that the caller has closed, for messages would be written into it. */
void output_file_keep_standard_streams(void);

#endif
