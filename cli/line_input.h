/* line_input.h — what a person types, line by line: with editing and history where the system has
 * libedit and standard input is a terminal. */
#ifndef METAL_LLM_LINE_INPUT_H
#define METAL_LLM_LINE_INPUT_H

#include "input.h"

/* Finds libedit, if it is there. */
void line_input_begin(void);
/* The next line without its newline, to be freed; several that end in a backslash, or lie between
 * lines of three double quotes, are one. NULL at the end of the input, and where Ctrl-C was typed,
 * which *interrupted tells. */
char *line_input(const char *prompt, bool *interrupted, LLMError *error);

#endif
