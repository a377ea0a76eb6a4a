/* chat.h — a conversation, as `metal-llm chat` has it. */
#ifndef METAL_LLM_CLI_CHAT_H
#define METAL_LLM_CLI_CHAT_H

#include "writing.h"
#include "text_stream.h"

typedef struct Chat {
    LLMPipeline *llm;
    LLMSession *session;
    LLMGeneration generation;
    const char *system; /* what the model is told first; NULL: nothing */
    char *owned_system; /* the same, where /system has set it */
    size_t told;        /* messages before the first that was said: 0, or the system's */
    uint32_t wanted;    /* tokens of an answer, at most */
    bool colours;       /* of standard error */
    TextStream stream;
    char *kept; /* [kept_size] the answer as text, for --json */
    size_t kept_size;
    LLMEnd end;
    Writing writing;      /* of the last answer */
    size_t all_generated; /* tokens of all answers */
    double all_seconds;
} Chat;

/* Empty the session, and tell the model what it is told first. */
void chat_begin(Chat *chat, LLMError *error);
/* Answer what has been said, on standard output, with a line of figures on standard error. */
void chat_answer(Chat *chat, LLMError *error);

/* A line that begins with a slash. False if it ends the chat. */
bool chat_command(Chat *chat, const char *line, LLMError *error);

#endif
