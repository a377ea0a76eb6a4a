#include "chat_model.h"

#include "checkpoint/file_map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* More bytes than any template has. */
enum { TEMPLATE_MOST = 1 << 24 };

static ChatTemplate *open_file(const char *path, LLMError *error) {
    FileMap map;
    if (!file_map_read(&map, path, TEMPLATE_MOST, error)) return NULL;
    ChatTemplate *template = chat_template_new((const char *)map.data, map.size, error);
    file_map_close(&map);
    return template;
}

/* A name has neither a dot nor a slash. */
static ChatTemplate *open_template(const LLMPipeline *llm, LLMError *error) {
    const char *given = llm->chat_template, *own = llm->model->checkpoint->chat_template;
    if (given)
        return strpbrk(given, "./") ? open_file(given, error) : chat_template_named(given, error);
    if (own) return chat_template_new(own, strlen(own), error);
    error_set(error, LLM_ERROR_FORMAT,
              "the model has no chat template: it continues texts (llm_generate, metal-llm run); "
              "if it was trained on chats, name its template (chat_template, --chat-template)");
    return NULL;
}

static ChatModel *chat_model_new(const LLMPipeline *llm, LLMError *error) {
    const Checkpoint *checkpoint = llm->model->checkpoint;
    if (!llm->model->tokenizer) {
        error_set(error, LLM_ERROR_FORMAT, "the model brings no tokenizer, which a chat needs");
        return NULL;
    }
    ChatTemplate *template = open_template(llm, error);
    ChatModel *chat = template ? calloc(1, sizeof *chat) : NULL;
    if (chat) *chat = (ChatModel){template, checkpoint->bos_token, checkpoint->eos_token};
    if (chat || !template) return chat;
    chat_template_free(template);
    return error_memory(error, sizeof *chat);
}

const ChatModel *chat_model_of(LLMPipeline *llm, LLMError *error) {
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&opening);
    if (!llm->chat) llm->chat = chat_model_new(llm, error);
    const ChatModel *chat = llm->chat;
    pthread_mutex_unlock(&opening);
    return chat;
}

bool chat_model_encode(const LLMPipeline *llm, const ChatText *text, size_t from, LLMTokens *tokens,
                       LLMError *error) {
    size_t count = text->piece_count;
    TextPart *parts = calloc(count + 1, sizeof *parts);
    if (!parts) return error_memory(error, count * sizeof *parts);
    for (size_t i = 0; i < count; i++)
        parts[i] =
            (TextPart){text->pieces[i].start, text->pieces[i].size, text->pieces[i].from_input};
    bool done = tokenizer_encode_parts(llm->model->tokenizer, text->text, from, parts, count,
                                       tokens, error);
    free(parts);
    return done;
}

void chat_model_free(ChatModel *chat) {
    if (!chat) return;
    chat_template_free(chat->template);
    free(chat);
}
