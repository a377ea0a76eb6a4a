/* conversation.h — messages, and the tokens that a model's chat template makes of them. */
#ifndef METAL_LLM_CONVERSATION_H
#define METAL_LLM_CONVERSATION_H

#include "model/pipeline.h"

/* Messages, the last of a turn being the model's answer, and how far they are tokens. */
typedef struct Conversation Conversation;

/* NULL and `error` on failure: where the model has no template that can be used. */
Conversation *conversation_new(LLMPipeline *llm, LLMError *error);
/* From what conversation_write has made. */
Conversation *conversation_read(LLMPipeline *llm, const char *json, LLMError *error);
Conversation *conversation_copy(const Conversation *conversation, LLMError *error);
void conversation_free(Conversation *conversation); /* NULL is fine */
/* As JSON, to be freed; NULL and `error` if memory is out. */
char *conversation_write(const Conversation *conversation, LLMError *error);

size_t conversation_count(const Conversation *conversation);
bool conversation_add(Conversation *conversation, const char *role, const char *content,
                      LLMError *error);
/* Take `count` messages from `first` on out of it, as far as there are so many. */
void conversation_forget(Conversation *conversation, size_t first, size_t count);
/* Take out the first message of a user, and what follows it up to the next. False if there is no
 * next. */
bool conversation_forget_oldest(Conversation *conversation);

/* All messages as tokens, up to where the answer begins. What `tokens` has of them stays where the
 * text goes on from it, so that an answer stays as it was drawn. */
bool conversation_encode(Conversation *conversation, LLMTokens *tokens, LLMError *error);
/* The answer that was drawn after it: its text, and its tokens, ids[count]. */
bool conversation_answer(Conversation *conversation, const char *text, const uint32_t *ids,
                         size_t count, LLMError *error);

#endif
