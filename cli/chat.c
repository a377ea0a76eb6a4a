/* chat.c — talk with a model. */
#include "chat.h"

#include "input.h"
#include "line_input.h"
#include "model.h"
#include "print.h"
#include "sampling.h"
#include "units.h"
#include "utf8.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- an answer --- */

static bool count_token(void *user, uint32_t row, uint32_t token) {
    (void)row, (void)token;
    return writing_token(&((Chat *)user)->writing);
}

static bool write_text(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)row;
    return text_stream_write(&((Chat *)user)->stream, bytes, size);
}

void chat_begin(Chat *chat, LLMError *error) {
    llm_session_reset(chat->session, error);
    if (chat->system) llm_session_add_message(chat->session, "system", chat->system, error);
    chat->told = chat->system ? 1 : 0;
}

static size_t messages(const Chat *chat) {
    return llm_session_info(chat->session)->messages;
}

static void generate(Chat *chat, LLMError *error) {
    writing_begin(&chat->writing);
    llm_session_generate(chat->session, chat->wanted, &chat->generation, error);
    writing_end(&chat->writing);
}

/* After a failure it is as if the last message had not been said. */
static bool answer(Chat *chat, LLMError *error) {
    LLMError problem = {0};
    generate(chat, &problem);
    if (problem.status == LLM_ERROR_CONTEXT)
        error_set(error, LLM_ERROR_CONTEXT,
                  "the conversation does not fit the context: %s; /reset begins anew, --shift "
                  "goes on without its beginning, --context N makes room",
                  problem.message);
    else if (problem.status)
        error_set(error, problem.status, "%s", problem.message);
    const Writing *writing = &chat->writing;
    chat->all_generated += writing->tokens;
    if (writing->tokens) chat->all_seconds += writing->last - writing->begun;
    if (!error_is_set(error)) return true;
    if (messages(chat)) llm_session_rewind(chat->session, messages(chat) - 1, NULL);
    return false;
}

/* --- on a terminal --- */

static const char *end_text(const Chat *chat) {
    if (writing_interrupted()) return ", stopped";
    if (chat->end == LLM_END_CONTEXT) return ", the context is full";
    if (chat->end == LLM_END_COUNT) return ", cut: see -n";
    return "";
}

static void print_status(const Chat *chat) {
    const LLMSessionInfo *info = llm_session_info(chat->session);
    size_t tokens = chat->writing.tokens;
    double seconds = chat->writing.last - chat->writing.first;
    fputs(chat->colours ? "\033[2m[" : "[", stderr);
    fprintf(stderr, "%zu token%s", tokens, plural(tokens));
    if (tokens > 1 && seconds > 0)
        fprintf(stderr, ", %s tokens/s", number_text((double)(tokens - 1) / seconds).text);
    fprintf(stderr, ", context %zu of %u%s]", info->tokens - info->left_out,
            llm_info(chat->llm)->context, end_text(chat));
    fputs(chat->colours ? "\033[0m\n" : "\n", stderr);
}

void chat_answer(Chat *chat, LLMError *error) {
    chat->stream = text_stream_begin(error);
    answer(chat, error);
    text_stream_end(&chat->stream, chat->writing.tokens ? "\n" : "");
    if (!error_is_set(error)) print_status(chat);
}

/* What went wrong in a turn is said, and the chat goes on. */
static bool take_turn(Chat *chat, const char *line, LLMError *error) {
    LLMError problem = {0};
    bool goes_on = true;
    if (line[0] == '/')
        goes_on = chat_command(chat, line, &problem);
    else if (line[strspn(line, " \t")])
        llm_session_add_message(chat->session, "user", line, &problem);
    bool waits = messages(chat) > chat->told && line[0] != '/';
    if (!error_is_set(&problem) && waits && line[strspn(line, " \t")]) chat_answer(chat, &problem);
    if (problem.status == LLM_ERROR_DEVICE || problem.status == LLM_ERROR_NUMERIC)
        return error_set(error, problem.status, "%s", problem.message);
    if (problem.status) fprintf(stderr, "%s\n", problem.message);
    return goes_on;
}

static void talk(Chat *chat, LLMError *error) {
    fputs("Type a message, or /help. Ctrl-C stops an answer, Ctrl-D ends the chat.\n", stderr);
    line_input_begin();
    writing_catch();
    for (bool goes_on = true; goes_on && !error_is_set(error);) {
        bool stopped;
        writing_forget();
        char *line = line_input("> ", &stopped, error);
        if (line)
            goes_on = take_turn(chat, line, error);
        else if (!stopped)
            break;
        free(line);
    }
}

/* --- without one --- */

/* All of standard input is one message. */
static void answer_input(Chat *chat, LLMError *error) {
    Bytes bytes = read_bytes("-", error);
    if (error_is_set(error)) return;
    while (bytes.size && bytes.data[bytes.size - 1] == '\n')
        bytes.size--;
    char *text = strndup(bytes.data ? bytes.data : "", bytes.size);
    free(bytes.data);
    if (text && strlen(text) != bytes.size)
        error_set(error, LLM_ERROR_ARGUMENT, "the message has a NUL in it");
    else if (text)
        llm_session_add_message(chat->session, "user", text, error);
    else
        error_memory(error, bytes.size);
    free(text);
    if (error_is_set(error)) return;
    chat_answer(chat, error);
}

/* cJSON would drop what follows one, and so would C after the NUL itself. */
static bool has_nul(const char *line, size_t size) {
    if (strlen(line) < size) return true;
    for (; *line; line++)
        if (*line == '\\' && line[1] && !strncmp(++line, "u0000", 5)) return true;
    return false;
}

/* A line is a text, or an object {"role", "content"}; a role other than "user" is not answered. */
static bool add_json(Chat *chat, const char *line, size_t size, bool *answered, LLMError *error) {
    if (has_nul(line, size))
        return error_set(error, LLM_ERROR_ARGUMENT, "the message has a NUL in it");
    cJSON *json = cJSON_ParseWithOpts(line, NULL, true);
    const char *text = cJSON_GetStringValue(json), *role = "user";
    if (cJSON_IsObject(json)) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(json, "role");
        text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "content"));
        if (given) role = cJSON_GetStringValue(given);
    }
    if (text && role)
        llm_session_add_message(chat->session, role, text, error);
    else
        error_set(error, LLM_ERROR_ARGUMENT,
                  "a line is JSON: \"a text\", or {\"role\": \"user\", \"content\": \"a text\"}");
    *answered = role && !strcmp(role, "user");
    cJSON_Delete(json);
    return !error_is_set(error);
}

static bool keep_text(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)row;
    Chat *chat = user;
    char *larger = realloc(chat->kept, chat->kept_size + size + 1);
    if (!larger) return false;
    memcpy(larger + chat->kept_size, bytes, size);
    chat->kept = larger;
    larger[chat->kept_size += size] = 0;
    return true;
}

static void print_json(Chat *chat, LLMError *error) {
    static const char *const ends[] = {
        [LLM_END_COUNT] = "length",    [LLM_END_TOKEN] = "stop",
        [LLM_END_STOP] = "stop",       [LLM_END_JSON] = "stop",
        [LLM_END_CONTEXT] = "context", [LLM_END_CALLBACK] = "interrupted"};
    const LLMSessionInfo *info = llm_session_info(chat->session);
    if (chat->kept) utf8_repair(chat->kept, chat->kept_size);
    cJSON *json = cJSON_CreateObject();
    bool whole = cJSON_AddStringToObject(json, "role", "assistant") &&
                 cJSON_AddStringToObject(json, "content", chat->kept ? chat->kept : "") &&
                 cJSON_AddStringToObject(json, "end", chat->end ? ends[chat->end] : "") &&
                 cJSON_AddNumberToObject(json, "tokens", (double)chat->writing.tokens) &&
                 cJSON_AddNumberToObject(json, "cached", (double)info->cached) &&
                 cJSON_AddNumberToObject(json, "computed", (double)info->computed);
    char *text = whole ? cJSON_PrintUnformatted(json) : NULL;
    if (text) {
        puts(text);
        fflush(stdout);
    } else {
        error_memory(error, 64);
    }
    cJSON_free(text);
    cJSON_Delete(json);
}

static void talk_json(Chat *chat, LLMError *error) {
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool answered = false;
    chat->generation.on_text = keep_text;
    while (!error_is_set(error) && !writing_interrupted() &&
           (size = getline(&line, &room, stdin)) >= 0) {
        if (!line[strspn(line, " \t\r\n")] && strlen(line) == (size_t)size) continue;
        if (!add_json(chat, line, (size_t)size, &answered, error) || !answered) continue;
        chat->kept_size = 0;
        if (chat->kept) chat->kept[0] = 0;
        if (answer(chat, error)) print_json(chat, error);
    }
    free(line);
}

/* --- the verb --- */

static bool may_colour(void) {
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(off && *off) && !(terminal && !strcmp(terminal, "dumb"));
}

static void converse(Chat *chat, bool json, LLMError *error) {
    chat->session = llm_session_open(chat->llm, error);
    llm_session_add_message(chat->session, "user", "", error); /* is there a template? */
    chat_begin(chat, error);
    if (error_is_set(error)) return;
    if (json)
        talk_json(chat, error);
    else if (isatty(STDIN_FILENO))
        talk(chat, error);
    else
        answer_input(chat, error);
}

int verb_chat(Arguments *arguments) {
    static Chat chat = {.wanted = UINT32_MAX};
    LLMGeneration *generation = &chat.generation;
    static Sampling sampling;
    sampling = sampling_begin(generation);
    generation->on_token = count_token;
    generation->on_text = write_text;
    generation->on_wait = writing_waits;
    generation->ends = &chat.end;
    generation->user = &chat;
    LLMOptions pipeline = LLM_OPTIONS;
    bool json = false, shifts = false;
    Option options[5 + SAMPLING_OPTIONS] = {
        option_uint32("n", "N", &chat.wanted, 1, UINT32_MAX,
                      "most tokens of an answer (default: what the context holds)"),
        option_text("system", "TEXT", &chat.system, "what the model is told before all else"),
        option_chat_template(&pipeline.chat_template),
        option_flag("shift", &shifts,
                    "where the context is full, go on without the oldest messages, or in the "
                    "middle of an answer without the middle of the text"),
        option_flag("json", &json,
                    "read a JSON text or message from each line, and write answers so"),
    };
    sampling_options(&sampling, options + 5);
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    LLMError error = {0};
    sampling_end(&sampling, &error);
    if (shifts) generation->shift = SIZE_MAX;
    chat.colours = may_colour();
    const char *path = arguments->model;
    if (!path && !error_is_set(&error)) path = model_for_chat(pipeline.chat_template, &error);
    if (path) chat.llm = model_open(path, &pipeline, &error);
    if (chat.llm) converse(&chat, json, &error);
    llm_session_close(chat.session);
    llm_pipeline_close(chat.llm);
    sampling_free(&sampling);
    free(chat.owned_system);
    free(chat.kept);
    return exit_status(&error);
}
