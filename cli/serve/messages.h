/* messages.h — the messages of a chat, as the model's template writes them. */
#ifndef METAL_LLM_SERVE_MESSAGES_H
#define METAL_LLM_SERVE_MESSAGES_H

#include "chat_model.h"
#include "fields.h"

/* What the model's template makes of an input, of which the model's own tokens are filled in; to be
 * released with chat_text_free. False and `problem` if that cannot be done. */
bool messages_write(LLMPipeline *llm, const ChatInput *input, ChatText *text, Problem *problem);
/* The same of "messages", with "chat_template_kwargs" and tools, which may be NULL. */
bool messages_render(LLMPipeline *llm, const Fields *fields, const cJSON *tools, ChatText *text);

#endif
