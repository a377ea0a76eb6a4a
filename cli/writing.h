/* writing.h — a text while it is generated: its tokens, when they came, and Ctrl-C, which ends it.
 */
#ifndef METAL_LLM_CLI_WRITING_H
#define METAL_LLM_CLI_WRITING_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Writing {
    size_t tokens;
    double begun, first, last; /* moments: of the start, of the first and the last token */
    struct sigaction before;
} Writing;

/* For a conversation: Ctrl-C between two texts does not end the program, but the next text, unless
 * it is forgotten. */
void writing_catch(void);
void writing_forget(void);

/* From now on the first Ctrl-C ends the text, a second one the program; where the parent has it
 * ignored, as nohup does, none. Of one text at a time. */
void writing_begin(Writing *writing);
/* A token has come; false if Ctrl-C was typed. */
bool writing_token(Writing *writing);
/* Ctrl-C is what it was. */
void writing_end(const Writing *writing);

/* Whether it was typed, and not forgotten. */
bool writing_interrupted(void);
/* An LLMWaitCallback: whether it was not. */
bool writing_waits(void *user);

#endif
