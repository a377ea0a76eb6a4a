/* messages.h — the messages of a chat, as the model's template writes them. */
#ifndef METAL_LLM_SERVE_MESSAGES_H
#define METAL_LLM_SERVE_MESSAGES_H

#include "chat_model.h"
#include "fields.h"

/* "messages", with "chat_template_kwargs", as a text; to be released with chat_text_free. False and
 * the fields' problem if that cannot be done. */
bool messages_render(LLMPipeline *llm, const Fields *fields, ChatText *text);

#endif
