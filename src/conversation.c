#include "conversation.h"

#include "chat/chat_template.h"
#include "chat_model.h"
#include "utf8.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct Conversation {
    LLMPipeline *llm;
    const ChatModel *chat;
    cJSON *messages; /* a list of objects */
    char *text;      /* [size] that the session's tokens stand for */
    size_t size;
};

/* --- messages --- */

static Conversation *with_messages(LLMPipeline *llm, cJSON *messages, LLMError *error) {
    const ChatModel *chat = messages ? chat_model_of(llm, error) : error_memory(error, 64);
    Conversation *conversation = chat ? calloc(1, sizeof *conversation) : NULL;
    if (chat && !conversation) error_memory(error, sizeof *conversation);
    if (!conversation) {
        cJSON_Delete(messages);
        return NULL;
    }
    *conversation = (Conversation){.llm = llm, .chat = chat, .messages = messages};
    return conversation;
}

Conversation *conversation_new(LLMPipeline *llm, LLMError *error) {
    return with_messages(llm, cJSON_CreateArray(), error);
}

void conversation_free(Conversation *conversation) {
    if (!conversation) return;
    cJSON_Delete(conversation->messages);
    free(conversation->text);
    free(conversation);
}

size_t conversation_count(const Conversation *conversation) {
    return (size_t)cJSON_GetArraySize(conversation->messages);
}

bool conversation_add(Conversation *conversation, const char *role, const char *content,
                      LLMError *error) {
    cJSON *message = cJSON_CreateObject();
    if (cJSON_AddStringToObject(message, "role", role) &&
        cJSON_AddStringToObject(message, "content", content) &&
        cJSON_AddItemToArray(conversation->messages, message))
        return true;
    cJSON_Delete(message);
    return error_memory(error, strlen(content));
}

void conversation_forget(Conversation *conversation, size_t first, size_t count) {
    size_t has = conversation_count(conversation);
    if (first > has) first = has;
    if (count > has - first) count = has - first;
    while (count-- > 0)
        cJSON_DeleteItemFromArray(conversation->messages, (int)first);
}

/* From `first` on; else their number. */
static size_t find_user(const Conversation *conversation, size_t first) {
    size_t count = conversation_count(conversation);
    for (size_t i = first; i < count; i++) {
        const cJSON *message = cJSON_GetArrayItem(conversation->messages, (int)i);
        const cJSON *role = cJSON_GetObjectItemCaseSensitive(message, "role");
        if (!strcmp(cJSON_GetStringValue(role), "user")) return i;
    }
    return count;
}

bool conversation_forget_oldest(Conversation *conversation) {
    size_t first = find_user(conversation, 0), next = find_user(conversation, first + 1);
    if (next >= conversation_count(conversation)) return false;
    conversation_forget(conversation, first, next - first);
    return true;
}

/* --- tokens --- */

static bool render(const Conversation *conversation, ChatText *text, LLMError *error) {
    char *messages = cJSON_PrintUnformatted(conversation->messages);
    if (!messages) return error_memory(error, 64);
    ChatInput input = {.messages = messages,
                       .bos_token = conversation->chat->bos,
                       .eos_token = conversation->chat->eos,
                       .add_generation_prompt = true};
    bool done = chat_template_render(conversation->chat->template, &input, time(NULL), text, error);
    cJSON_free(messages);
    return done;
}

static bool keep_text(Conversation *conversation, const char *text, size_t size, LLMError *error) {
    char *copy = malloc(size + 1);
    if (!copy) return error_memory(error, size);
    memcpy(copy, text, size);
    copy[size] = 0;
    free(conversation->text);
    conversation->text = copy;
    conversation->size = size;
    return true;
}

bool conversation_encode(Conversation *conversation, LLMTokens *tokens, LLMError *error) {
    ChatText text = {0};
    if (!render(conversation, &text, error)) return false;
    size_t size = conversation->size;
    bool goes_on = size && size <= text.size && memcmp(text.text, conversation->text, size) == 0;
    if (!goes_on) tokens->count = 0;
    bool done = chat_model_encode(conversation->llm, &text, goes_on ? size : 0, tokens, error) &&
                keep_text(conversation, text.text, text.size, error);
    chat_text_free(&text);
    return done;
}

/* A template takes no bytes that are no UTF-8: the text is as it will be in the message. */
static bool append_tokens(Conversation *conversation, const uint32_t *ids, size_t count,
                          LLMError *error) {
    size_t before = conversation->size, size = before, length;
    for (size_t i = 0; i < count; i++) {
        llm_token_bytes(conversation->llm, ids[i], &length);
        size += length;
    }
    char *text = realloc(conversation->text, size + 1);
    if (!text) return error_memory(error, size);
    conversation->text = text;
    for (size_t i = 0; i < count; i++) {
        const char *bytes = llm_token_bytes(conversation->llm, ids[i], &length);
        if (length) memcpy(text + conversation->size, bytes, length);
        conversation->size += length;
    }
    text[size] = 0;
    utf8_repair(text + before, size - before);
    return true;
}

bool conversation_answer(Conversation *conversation, const char *text, const uint32_t *ids,
                         size_t count, LLMError *error) {
    char *copy = strdup(text);
    if (!copy) return error_memory(error, strlen(text));
    utf8_repair(copy, strlen(copy));
    bool done = conversation_add(conversation, "assistant", copy, error) &&
                append_tokens(conversation, ids, count, error);
    free(copy);
    return done;
}

/* --- as JSON --- */

static bool is_utf8(const char *text) {
    uint32_t character;
    for (size_t size = strlen(text), length; size; text += length, size -= length)
        if (!(length = utf8_decode(text, size, &character))) return false;
    return true;
}

char *conversation_write(const Conversation *conversation, LLMError *error) {
    cJSON *json = cJSON_CreateObject();
    const char *text = conversation->text;
    bool has_text = text && strlen(text) == conversation->size && is_utf8(text);
    bool whole = cJSON_AddItemReferenceToObject(json, "messages", conversation->messages) &&
                 (!has_text || cJSON_AddStringToObject(json, "text", text));
    char *written = whole ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return written ? written : error_memory(error, conversation->size);
}

static bool are_messages(const cJSON *list) {
    const cJSON *message;
    cJSON_ArrayForEach(message, list) {
        if (!cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "role")) ||
            !cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "content")))
            return false;
    }
    return cJSON_IsArray(list);
}

Conversation *conversation_read(LLMPipeline *llm, const char *text, LLMError *error) {
    cJSON *json = cJSON_Parse(text);
    cJSON *messages = cJSON_DetachItemFromObjectCaseSensitive(json, "messages");
    const char *covered = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "text"));
    Conversation *conversation = NULL;
    if (are_messages(messages)) {
        conversation = with_messages(llm, messages, error);
        if (conversation && covered && !keep_text(conversation, covered, strlen(covered), error)) {
            conversation_free(conversation);
            conversation = NULL;
        }
    } else {
        cJSON_Delete(messages);
        error_set(error, LLM_ERROR_FORMAT, "the session's messages cannot be read");
    }
    cJSON_Delete(json);
    return conversation;
}

Conversation *conversation_copy(const Conversation *conversation, LLMError *error) {
    Conversation *copy =
        with_messages(conversation->llm, cJSON_Duplicate(conversation->messages, true), error);
    if (!copy || !conversation->text ||
        keep_text(copy, conversation->text, conversation->size, error))
        return copy;
    conversation_free(copy);
    return NULL;
}
