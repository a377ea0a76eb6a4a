/* chat_model.h — the chat template of a model that is open. */
#ifndef METAL_LLM_CHAT_MODEL_H
#define METAL_LLM_CHAT_MODEL_H

#include "chat/chat_template.h"
#include "model/pipeline.h"

struct ChatModel {
    ChatTemplate *template;
    const char *bos, *eos; /* texts of tokens, the checkpoint's; NULL: none */
};

/* Compiled by the first who asks. NULL and `error` where there is none, or none that can be used.
 */
const ChatModel *chat_model_of(LLMPipeline *llm, LLMError *error);
/* Append the tokens of a rendered text from byte `from` on; in what the user typed there are no
 * special ones. */
bool chat_model_encode(const LLMPipeline *llm, const ChatText *text, size_t from, LLMTokens *tokens,
                       LLMError *error);
void chat_model_free(ChatModel *chat); /* NULL is fine */

#endif
