/* form.c — the replies of both endpoints, whole or in events, as OpenAI has them. */
#include "job.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static const char *finish_reason(const Answer *answer) {
    if (answer->calls) return "tool_calls";
    return answer->end == LLM_END_TOKEN || answer->end == LLM_END_STOP ||
                   answer->end == LLM_END_JSON
               ? "stop"
               : "length";
}

static void add_number(cJSON *object, const char *name, size_t value) {
    cJSON_AddNumberToObject(object, name, (double)value);
}

static void add_usage(cJSON *object, const Job *job) {
    cJSON *usage = cJSON_AddObjectToObject(object, "usage");
    add_number(usage, "prompt_tokens", job->prompt_tokens);
    add_number(usage, "completion_tokens", job->generated_tokens);
    add_number(usage, "total_tokens", job->prompt_tokens + job->generated_tokens);
    cJSON *details = cJSON_AddObjectToObject(usage, "prompt_tokens_details");
    add_number(details, "cached_tokens", job_cached_tokens(job));
}

/* What all replies and events begin with; *choices receives their empty list. */
static cJSON *begin(const Job *job, cJSON **choices) {
    const char *chat = job->stream ? "chat.completion.chunk" : "chat.completion";
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", job->id);
    cJSON_AddStringToObject(object, "object", job->chat ? chat : "text_completion");
    cJSON_AddNumberToObject(object, "created", (double)job->created);
    cJSON_AddStringToObject(object, "model", job->server->model);
    *choices = cJSON_AddArrayToObject(object, "choices");
    return object;
}

/* The first `size` bytes of what a choice has, as `content` of its message or delta, or as its
 * text. They are taken out of it. */
static cJSON *add_text(const Job *job, cJSON *object, Answer *answer, size_t size,
                       const char *message) {
    cJSON *text = text_json(answer->text, size);
    answer->size -= size;
    if (answer->size) memmove(answer->text, answer->text + size, answer->size);
    answer->begun = answer->begun || size;
    if (!job->chat) {
        cJSON_AddItemToObject(object, "text", text);
        return object;
    }
    cJSON *holder = cJSON_AddObjectToObject(object, message);
    if (!job->stream) cJSON_AddStringToObject(holder, "role", "assistant");
    cJSON_AddItemToObject(holder, "content", text);
    if (!job->stream) cJSON_AddNullToObject(holder, "refusal");
    return holder;
}

/* Of an answer that has come to its end the calls, which are taken out of it; NULL: none. */
static cJSON *take_calls(const Job *job, size_t index) {
    Answer *answer = &job->answers[index];
    if (!job->tools.list || (answer->begun && !*job->tools.marker)) return NULL;
    char id[80];
    cJSON *text = text_json(answer->text, answer->size);
    snprintf(id, sizeof id, "%s-%zu", job->id, index);
    cJSON *calls = text ? tools_calls(&job->tools, text->valuestring, id, &answer->size) : NULL;
    cJSON_Delete(text);
    answer->calls = calls;
    return calls;
}

/* --- whole --- */

static cJSON *answer_json(Job *job, size_t index) {
    Answer *answer = &job->answers[index];
    cJSON *object = cJSON_CreateObject(), *calls = take_calls(job, index);
    add_number(object, "index", index);
    bool silent = calls && !answer->size;
    cJSON *message = add_text(job, object, answer, answer->size, "message");
    if (silent) cJSON_ReplaceItemInObjectCaseSensitive(message, "content", cJSON_CreateNull());
    if (calls) cJSON_AddItemToObject(message, "tool_calls", calls);
    add_token_ids(job, object, answer);
    cJSON_AddItemToObject(object, "logprobs", logprobs_json(job, answer));
    cJSON_AddStringToObject(object, "finish_reason", finish_reason(answer));
    return object;
}

cJSON *job_reply(Job *job) {
    cJSON *choices, *object = begin(job, &choices);
    for (size_t i = 0; i < job->count; i++)
        cJSON_AddItemToArray(choices, answer_json(job, i));
    add_usage(object, job);
    return object;
}

/* --- in events --- */

static bool send_json(Job *job, cJSON *event) {
    char *text = event ? cJSON_PrintUnformatted(event) : NULL;
    cJSON_Delete(event);
    if (!text)
        problem_memory(&job->problem);
    else if (!stream_send(job->stream, text))
        job->hung_up = true;
    cJSON_free(text);
    return text && !job->hung_up;
}

static cJSON *begin_event(const Job *job, cJSON **choice, size_t index) {
    cJSON *choices, *event = begin(job, &choices);
    *choice = cJSON_CreateObject();
    cJSON_AddItemToArray(choices, *choice);
    add_number(*choice, "index", index);
    return event;
}

static bool send_event(Job *job, cJSON *event) {
    if (job->streams_usage) cJSON_AddNullToObject(event, "usage");
    return send_json(job, event);
}

/* Clients of chats expect the role before any content. */
bool job_send_begin(Job *job) {
    for (size_t i = 0; job->chat && i < job->count; i++) {
        cJSON *choice, *event = begin_event(job, &choice, i);
        cJSON *delta = cJSON_AddObjectToObject(choice, "delta");
        cJSON_AddStringToObject(delta, "role", "assistant");
        cJSON_AddStringToObject(delta, "content", "");
        cJSON_AddNullToObject(choice, "logprobs");
        cJSON_AddNullToObject(choice, "finish_reason");
        if (!send_event(job, event)) return false;
    }
    return true;
}

/* So many bytes of its text, and the tokens that it has. */
static bool send_part(Job *job, size_t index, size_t size) {
    Answer *has = &job->answers[index];
    if (!size && !has->count) return true;
    cJSON *choice, *event = begin_event(job, &choice, index);
    add_text(job, choice, has, size, "delta");
    add_token_ids(job, choice, has);
    cJSON_AddItemToObject(choice, "logprobs", logprobs_json(job, has));
    cJSON_AddNullToObject(choice, "finish_reason");
    return send_event(job, event);
}

bool job_send_answer(Job *job, size_t index) {
    const Answer *has = &job->answers[index];
    return send_part(job, index, tools_plain(&job->tools, has->text, has->size, has->begun));
}

static bool send_calls(Job *job, size_t index, cJSON *calls) {
    cJSON *choice, *event = begin_event(job, &choice, index), *call;
    size_t number = 0;
    cJSON_ArrayForEach(call, calls) {
        add_number(call, "index", number++);
    }
    cJSON_AddItemToObject(cJSON_AddObjectToObject(choice, "delta"), "tool_calls", calls);
    cJSON_AddNullToObject(choice, "logprobs");
    cJSON_AddNullToObject(choice, "finish_reason");
    return send_event(job, event);
}

bool job_send_finish(Job *job, size_t index) {
    Answer *answer = &job->answers[index];
    cJSON *calls = take_calls(job, index);
    if (!send_part(job, index, answer->size)) {
        cJSON_Delete(calls);
        return false;
    }
    if (calls && !send_calls(job, index, calls)) return false;
    cJSON *choice, *event = begin_event(job, &choice, index);
    if (job->chat)
        cJSON_AddObjectToObject(choice, "delta");
    else
        cJSON_AddStringToObject(choice, "text", "");
    cJSON_AddNullToObject(choice, "logprobs");
    cJSON_AddStringToObject(choice, "finish_reason", finish_reason(answer));
    return send_event(job, event);
}

void job_send_end(Job *job) {
    if (job->problem.status) {
        send_json(job, problem_json(&job->problem));
        return;
    }
    if (job->streams_usage) {
        cJSON *choices, *event = begin(job, &choices);
        add_usage(event, job);
        if (!send_json(job, event)) return;
    }
    stream_send(job->stream, "[DONE]");
}
