/* chat_template.h — a conversation as the text that a model was trained on.
 *
 * A chat template is a program in Jinja that each model brings along. This is an interpreter of the
 * part of Jinja that such templates use, with the meaning it has in Hugging Face transformers.
 * What it does not know is an error with its line. A template reaches no file, and no clock but by
 * strftime_now; its time, memory, depth and output are limited.
 *
 * Every byte of the result is known to come from the template or from the input (messages, tools,
 * variables), whatever filters it went through. The tokenizer recognises special tokens within the
 * template's pieces alone, so text that a user typed never becomes one.
 */
#ifndef METAL_LLM_CHAT_TEMPLATE_H
#define METAL_LLM_CHAT_TEMPLATE_H

#include "error.h"

#include <time.h>

typedef struct ChatTemplate ChatTemplate;

/* Compile `size` bytes of Jinja. To be released with chat_template_free; NULL and `error`
 * (LLM_ERROR_FORMAT, with the line) on failure. */
ChatTemplate *chat_template_new(const char *source, size_t size, LLMError *error);
/* The template that is known as "chatml", "llama3" or "gemma"; it runs no Jinja. */
ChatTemplate *chat_template_named(const char *name, LLMError *error);
void chat_template_free(ChatTemplate *); /* NULL is fine */

/* What a template is given. The texts are JSON; NULL stands for what is absent. */
typedef struct ChatInput {
    const char *messages;  /* a list of objects, as in [{"role": "user", "content": "Hello"}] */
    const char *tools;     /* a list of tools, or NULL: then `tools` is none */
    const char *documents; /* the same for `documents` */
    const char *variables; /* an object whose members become variables, or NULL */
    const char *bos_token; /* the text of the model's first token, not JSON; NULL: undefined */
    const char *eos_token; /* the same for its last */
    bool add_generation_prompt;
} ChatInput;

/* text[start … start + size) is all from the template, or all from the input. */
typedef struct ChatPiece {
    size_t start, size;
    bool from_input;
} ChatPiece;

/* Zero-initialise; release with chat_text_free. The pieces lie side by side, cover the text, and
 * alternate in origin. */
typedef struct ChatText {
    char *text; /* [size], and a 0 after it */
    size_t size;
    ChatPiece *pieces; /* [piece_count] */
    size_t piece_count;
} ChatText;

/* Write the conversation into `text`, which must be empty. `now` is the time that strftime_now
 * tells, as localtime has it. A template may be rendered by several threads at once. False and
 * `error` on failure: LLM_ERROR_ARGUMENT where the input is not JSON of the right kind or the
 * template refused it (raise_exception), LLM_ERROR_FORMAT where the template is at fault. */
bool chat_template_render(const ChatTemplate *, const ChatInput *, time_t now, ChatText *text,
                          LLMError *error);
void chat_text_free(ChatText *);

#endif
