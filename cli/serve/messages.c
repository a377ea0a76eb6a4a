#include "messages.h"

#include "job.h"
#include "text.h"

#include <string.h>
#include <time.h>

/* --- as a template knows them --- */

/* [{"type": "text", "text": "…"}, …] → the texts together. NULL if it is nothing of the kind. */
static cJSON *join_parts(const cJSON *parts) {
    size_t size = 1;
    const cJSON *part;
    cJSON_ArrayForEach(part, parts) {
        const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(part, "type"));
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(part, "text"));
        if (!type || strcmp(type, "text") || !text) return NULL;
        size += strlen(text);
    }
    char *whole = cJSON_malloc(size), *end = whole;
    if (!whole) return NULL;
    *whole = 0;
    cJSON_ArrayForEach(part, parts) {
        end = stpcpy(end, cJSON_GetObjectItemCaseSensitive(part, "text")->valuestring);
    }
    cJSON *text = cJSON_CreateString(whole);
    cJSON_free(whole);
    return text;
}

static bool wrong(Problem *problem, const char *what) {
    return problem_set(problem, 400, "invalid_value", "messages", "messages: %s", what);
}

static bool plain_content(cJSON *message, Problem *problem) {
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
    if (cJSON_IsString(content)) return true;
    cJSON *text = cJSON_IsArray(content) ? join_parts(content) : NULL;
    if (!text)
        return wrong(problem, "a content is a text, or a list of parts of the type \"text\"");
    return cJSON_ReplaceItemInObjectCaseSensitive(message, "content", text) ||
           problem_memory(problem);
}

/* "developer" is what OpenAI calls the role that templates know as "system". */
static bool plain_role(cJSON *message, Problem *problem) {
    const char *role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "role"));
    if (!role) return wrong(problem, "each has a role");
    if (strcmp(role, "developer")) return true;
    cJSON *system = cJSON_CreateString("system");
    return (system && cJSON_ReplaceItemInObjectCaseSensitive(message, "role", system)) ||
           problem_memory(problem);
}

static bool make_plain(cJSON *messages, Problem *problem) {
    cJSON *message;
    cJSON_ArrayForEach(message, messages) {
        if (!cJSON_IsObject(message)) return wrong(problem, "each is an object");
        if (!plain_role(message, problem) || !plain_content(message, problem)) return false;
    }
    return true;
}

/* --- as text --- */

static bool render(LLMPipeline *llm, const char *messages, const char *variables, ChatText *text,
                   Problem *problem) {
    LLMError error = {0};
    const ChatModel *chat = chat_model_of(llm, &error);
    if (chat) {
        ChatInput input = {.messages = messages,
                           .variables = variables,
                           .bos_token = chat->bos,
                           .eos_token = chat->eos,
                           .add_generation_prompt = true};
        chat_template_render(chat->template, &input, time(NULL), text, &error);
    }
    return problem_of_error(problem, &error, "messages");
}

bool messages_render(LLMPipeline *llm, const Fields *fields, ChatText *text) {
    Problem *problem = fields->problem;
    cJSON *messages = (cJSON *)(uintptr_t)field_find(fields, "messages");
    const cJSON *variables = field_find(fields, "chat_template_kwargs");
    if (problem->status) return false;
    if (!cJSON_IsArray(messages) || !messages->child)
        return problem_set(problem, 400, "missing_required_parameter", "messages",
                           "messages must be a list of at least one");
    if (variables && !cJSON_IsObject(variables))
        return problem_set(problem, 400, "invalid_type", "chat_template_kwargs",
                           "chat_template_kwargs must be an object");
    if (!make_plain(messages, problem)) return false;
    char *written = cJSON_PrintUnformatted(messages);
    char *values = variables ? cJSON_PrintUnformatted(variables) : NULL;
    bool done = written && (values || !variables) ? render(llm, written, values, text, problem)
                                                  : problem_memory(problem);
    cJSON_free(values);
    cJSON_free(written);
    return done;
}

/* --- as tokens --- */

bool job_read_messages(Job *job, const Fields *fields) {
    ChatText text = {0};
    LLMTokens tokens = {0};
    LLMError error = {0};
    bool done = messages_render(job->llm, fields, &text);
    if (done) {
        chat_model_encode(job->llm, &text, 0, &tokens, &error);
        done = problem_of_error(&job->problem, &error, "messages") && job_add_prompt(job, &tokens);
    }
    llm_tokens_free(&tokens);
    chat_text_free(&text);
    return done;
}

void answer_chat(Exchange *exchange) {
    Job *job = job_new(exchange, true);
    if (!job) return;
    Fields fields = {&exchange->body, &job->problem};
    if (job_ask(job, &fields) && job_read_messages(job, &fields) && job_prepare(job)) {
        job_answer(job, exchange);
        return;
    }
    exchange->problem = job->problem;
    job_free(job);
}

void answer_apply_template(Exchange *exchange) {
    Fields fields = {&exchange->body, &exchange->problem};
    ChatText text = {0};
    if (messages_render(exchange->server->llm, &fields, &text)) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddItemToObject(json, "prompt", text_json(text.text, text.size));
        reply_json(exchange, 200, json);
    }
    chat_text_free(&text);
}
