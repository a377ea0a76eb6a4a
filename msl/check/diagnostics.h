/* diagnostics.h — clang's messages about what the binder wrote, as messages about the user's file.
 */
#ifndef METAL_LLM_MSL_CHECK_DIAGNOSTICS_H
#define METAL_LLM_MSL_CHECK_DIAGNOSTICS_H

#include <stdio.h>

/* Print the errors among clang's messages (made without its own pictures of the lines), each once,
 * with the line of the user's file that it names. What is wrong in the headers, or in another
 * file of `folder`, is told where the user's file leads there. */
void diagnostics_print(FILE *in, const char *folder, FILE *out);

#endif
