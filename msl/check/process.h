/* process.h — another program, run to its end. */
#ifndef METAL_LLM_MSL_CHECK_PROCESS_H
#define METAL_LLM_MSL_CHECK_PROCESS_H

#include <stdbool.h>

/* Run a command, its input, output and messages from and into files that are not NULL. Returns its
 * exit status, 128 and more if a signal ended it, -1 if it cannot be run. */
int process_run(char *const *command, const char *input, const char *output, const char *log);
/* For a signal's handler: ends what runs now or later. */
void process_interrupt(void);
bool process_was_interrupted(void);

#endif
