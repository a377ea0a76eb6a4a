/* messages.h — clang's messages about a file that holds several instances of a kernel template. */
#ifndef METAL_LLM_MSL_STRICT_MESSAGES_H
#define METAL_LLM_MSL_STRICT_MESSAGES_H

#include <stdbool.h>
#include <stdio.h>

/* Print the messages, those that name the same file, line and column once. True if there are any.
 */
bool strict_messages(FILE *in, FILE *out);

#endif
