#include "messages.h"

#include "digits.h"
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

static cJSON *calls_of(cJSON *message) {
    return cJSON_GetObjectItemCaseSensitive(message, "tool_calls");
}

static bool plain_content(cJSON *message, Problem *problem) {
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
    bool nothing = !content || cJSON_IsNull(content);
    if (cJSON_IsString(content) || (nothing && cJSON_GetArraySize(calls_of(message)))) return true;
    cJSON *text = cJSON_IsArray(content) ? join_parts(content) : NULL;
    if (!text)
        return wrong(problem, "a content is a text, or a list of parts of the type \"text\"");
    return cJSON_ReplaceItemInObjectCaseSensitive(message, "content", text) ||
           problem_memory(problem);
}

/* Clients have a call's arguments as a text, templates as what is in it. */
static bool plain_calls(cJSON *message, Problem *problem) {
    cJSON *call;
    cJSON_ArrayForEach(call, calls_of(message)) {
        cJSON *function = cJSON_GetObjectItemCaseSensitive(call, "function");
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(function, "arguments");
        if (!cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(function, "name")) || !given)
            return wrong(problem, "a call is of a function with a name and arguments");
        cJSON *value = cJSON_IsString(given) ? cJSON_Parse(given->valuestring) : NULL;
        if (value && !(digits_keep(value, given->valuestring) &&
                       cJSON_ReplaceItemInObjectCaseSensitive(function, "arguments", value)))
            return problem_memory(problem);
    }
    return true;
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
        if (!plain_role(message, problem) || !plain_content(message, problem) ||
            !plain_calls(message, problem))
            return false;
    }
    return true;
}

/* --- as text --- */

bool messages_write(LLMPipeline *llm, const ChatInput *input, ChatText *text, Problem *problem) {
    LLMError error = {0};
    const ChatModel *chat = chat_model_of(llm, &error);
    ChatInput whole = *input;
    if (chat) {
        whole.bos_token = chat->bos;
        whole.eos_token = chat->eos;
        chat_template_render(chat->template, &whole, time(NULL), text, &error);
    }
    return problem_of_error(problem, &error, "messages");
}

static char *print(const cJSON *json, Problem *problem) {
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    if (json && !text) problem_memory(problem);
    return text;
}

bool messages_render(LLMPipeline *llm, const Fields *fields, const cJSON *tools, ChatText *text) {
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
    char *parts[] = {print(messages, problem), print(tools, problem), print(variables, problem)};
    ChatInput input = {.messages = parts[0],
                       .tools = parts[1],
                       .variables = parts[2],
                       .add_generation_prompt = true};
    bool done = !problem->status && messages_write(llm, &input, text, problem);
    for (size_t i = 0; i < 3; i++)
        cJSON_free(parts[i]);
    return done;
}

/* A template that knows nothing of tools would leave them out; one that needs some fails. */
static bool writes_tools(Job *job, const Fields *fields, const ChatText *with) {
    Problem ignored = {0};
    Fields again = {fields->body, &ignored};
    ChatText without = {0};
    bool same = messages_render(job->llm, &again, NULL, &without) && without.size == with->size &&
                !memcmp(without.text, with->text, with->size);
    chat_text_free(&without);
    return !same || problem_set(&job->problem, 400, "unsupported_by_model", "tools",
                                "the model's chat template knows no tools");
}

static bool render_tools(Job *job, const Fields *fields, ChatText *text) {
    bool done = messages_render(job->llm, fields, job->tools.list, text);
    if (!done || !job->tools.list) return done;
    return writes_tools(job, fields, text) &&
           tools_learn_form(&job->tools, job->llm, &job->problem);
}

/* --- as tokens --- */

/* What a call begins with is written already where one must come, and the rest held to its form. */
static bool force_call(Job *job, LLMTokens *tokens, LLMError *error) {
    char *opener = job->tools.opener;
    ChatPiece piece = {.size = strlen(opener)};
    ChatText text = {opener, piece.size, &piece, 1};
    return job_hold_to(job, tools_schema(&job->tools, &job->problem), "tools") &&
           (!piece.size || chat_model_encode(job->llm, &text, 0, tokens, error));
}

bool job_read_messages(Job *job, const Fields *fields) {
    ChatText text = {0};
    LLMTokens tokens = {0};
    LLMError error = {0};
    bool done = render_tools(job, fields, &text);
    job->source = "messages";
    if (done) {
        done = chat_model_encode(job->llm, &text, 0, &tokens, &error) &&
               (!job->tools.forced || force_call(job, &tokens, &error));
        done = problem_of_error(&job->problem, &error, "messages") && done &&
               job_add_prompt(job, &tokens);
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
    Tools tools = {0};
    ChatText text = {0};
    if (tools_read(&tools, &fields) &&
        messages_render(exchange->server->llm, &fields, tools.list, &text)) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddItemToObject(json, "prompt", text_json(text.text, text.size));
        reply_json(exchange, 200, json);
    }
    chat_text_free(&text);
    tools_free(&tools);
}
