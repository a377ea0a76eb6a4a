/* problem.h — what is wrong with a request, in OpenAI's terms. */
#ifndef METAL_LLM_SERVE_PROBLEM_H
#define METAL_LLM_SERVE_PROBLEM_H

#include "error.h"

#include <cjson/cJSON.h>

/* Zero-initialise: nothing is wrong. */
typedef struct Problem {
    unsigned status;    /* of HTTP; 0: nothing is wrong */
    const char *code;   /* for programs, as "context_length_exceeded"; NULL: none */
    char parameter[64]; /* which is at fault, or "" */
    char message[512];  /* one line for people */
} Problem;

/* Record the first problem; later ones are its consequences. Always returns false. `parameter` and
 * `code` may be NULL. */
bool problem_set(Problem *problem, unsigned status, const char *code, const char *parameter,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The library's error, if it is set. Returns whether nothing is wrong. */
bool problem_of_error(Problem *problem, const LLMError *error, const char *parameter);
bool problem_memory(Problem *problem);
/* The server is ending. False. */
bool problem_stopping(Problem *problem);

/* {"error": {"message", "type", "param", "code"}}; NULL if memory is out. */
cJSON *problem_json(const Problem *problem);

#endif
