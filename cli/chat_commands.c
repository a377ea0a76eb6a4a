/* chat_commands.c — what a line that begins with a slash does in a chat. */
#include "chat.h"

#include "input.h"
#include "print.h"
#include "units.h"
#include "verb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Command {
    const char *name, *argument, *help;
    bool (*run)(Chat *chat, const char *argument, LLMError *error);
} Command;

static size_t messages(const Chat *chat) {
    return llm_session_info(chat->session)->messages;
}

/* --- the conversation --- */

static bool reset(Chat *chat, const char *argument, LLMError *error) {
    (void)argument;
    chat_begin(chat, error);
    return true;
}

static bool undo(Chat *chat, const char *argument, LLMError *error) {
    (void)argument;
    if (messages(chat) < chat->told + 2)
        return error_set(error, LLM_ERROR_ARGUMENT, "nothing has been said yet"), true;
    llm_session_rewind(chat->session, messages(chat) - 2, error);
    return true;
}

/* Another seed, else a temperature of 0 or not, the answer would be the same. */
static bool retry(Chat *chat, const char *argument, LLMError *error) {
    (void)argument;
    if (messages(chat) < chat->told + 2)
        return error_set(error, LLM_ERROR_ARGUMENT, "nothing has been said yet"), true;
    llm_session_rewind(chat->session, messages(chat) - 1, error);
    chat->generation.seed++;
    chat_answer(chat, error);
    return true;
}

static bool set_system(Chat *chat, const char *argument, LLMError *error) {
    char *copy = *argument ? strdup(argument) : NULL;
    if (*argument && !copy) return error_memory(error, strlen(argument)), true;
    free(chat->owned_system);
    chat->system = chat->owned_system = copy;
    chat_begin(chat, error);
    return true;
}

/* --- files --- */

static bool save(Chat *chat, const char *argument, LLMError *error) {
    llm_session_save(chat->session, *argument ? argument : NULL, error);
    return true;
}

static bool load(Chat *chat, const char *argument, LLMError *error) {
    LLMSession *loaded = llm_session_load(chat->llm, *argument ? argument : NULL, error);
    if (!loaded) return true;
    if (llm_session_info(loaded)->tokens && !llm_session_info(loaded)->messages) {
        llm_session_close(loaded);
        return error_set(error, LLM_ERROR_ARGUMENT, "%s: this is no conversation", argument), true;
    }
    llm_session_close(chat->session);
    chat->session = loaded;
    chat->told = messages(chat) % 2; /* what was said was answered */
    return true;
}

static bool read_file(Chat *chat, const char *argument, LLMError *error) {
    if (!*argument) return error_set(error, LLM_ERROR_ARGUMENT, "no file was named"), true;
    Bytes bytes = read_bytes(argument, error);
    if (error_is_set(error)) return true;
    char *text = strndup(bytes.data ? bytes.data : "", bytes.size);
    bool whole = text && strlen(text) == bytes.size;
    free(bytes.data);
    if (whole)
        llm_session_add_message(chat->session, "user", text, error);
    else
        error_set(error, LLM_ERROR_ARGUMENT, "%s: this is no text, it has a NUL in it", argument);
    free(text);
    if (!error_is_set(error)) chat_answer(chat, error);
    return true;
}

/* --- settings and figures --- */

typedef struct Setting {
    const char *name;
    size_t offset;
    bool whole; /* uint32_t, else float */
    double least, most;
} Setting;

#define SETTING(name, field, whole, least, most)                                                   \
    {name, offsetof(LLMGeneration, field), whole, least, most}

static const Setting settings[] = {
    SETTING("temp", temperature, false, 0, 10000),
    SETTING("top-k", top_k, true, 0, UINT32_MAX),
    SETTING("top-p", top_p, false, 0, 1),
    SETTING("min-p", min_p, false, 0, 1),
    SETTING("typical", typical_p, false, 0, 1),
    SETTING("repeat-penalty", repetition_penalty, false, 0.01, 100),
    SETTING("presence-penalty", presence_penalty, false, -100, 100),
    SETTING("frequency-penalty", frequency_penalty, false, -100, 100),
};

static void print_settings(const Chat *chat) {
    for (size_t i = 0; i < COUNT(settings); i++) {
        const char *field = (const char *)&chat->generation + settings[i].offset;
        if (settings[i].whole)
            fprintf(stderr, "%-18s %u\n", settings[i].name, *(const uint32_t *)(const void *)field);
        else
            fprintf(stderr, "%-18s %g\n", settings[i].name,
                    (double)*(const float *)(const void *)field);
    }
}

static void change(Chat *chat, const Setting *setting, const char *text, LLMError *error) {
    char *end, *field = (char *)&chat->generation + setting->offset;
    double value = strtod(text, &end);
    bool is_number = end != text && !*end && !(setting->whole && value != floor(value));
    if (!is_number || !(value >= setting->least && value <= setting->most)) {
        error_set(error, LLM_ERROR_ARGUMENT, "%s takes a %snumber from %g to %g, not '%s'",
                  setting->name, setting->whole ? "whole " : "", setting->least, setting->most,
                  text);
        return;
    }
    if (setting->whole)
        *(uint32_t *)(void *)field = (uint32_t)value;
    else
        *(float *)(void *)field = (float)value;
}

static bool set(Chat *chat, const char *argument, LLMError *error) {
    size_t length = strcspn(argument, " =");
    const char *value = argument + length + strspn(argument + length, " =");
    if (!*argument) return print_settings(chat), true;
    for (size_t i = 0; i < COUNT(settings); i++)
        if (strlen(settings[i].name) == length && !strncmp(settings[i].name, argument, length))
            return change(chat, &settings[i], value, error), true;
    error_set(error, LLM_ERROR_ARGUMENT, "there is no setting '%.*s': /set lists them", (int)length,
              argument);
    return true;
}

static bool stats(Chat *chat, const char *argument, LLMError *error) {
    (void)argument, (void)error;
    const LLMSessionInfo *info = llm_session_info(chat->session);
    fprintf(stderr, "messages  %zu\n", info->messages);
    fprintf(stderr, "context   %zu of %u tokens\n", info->tokens - info->left_out,
            llm_info(chat->llm)->context);
    fprintf(stderr, "answers   %zu tokens in %s\n", chat->all_generated,
            duration_text(chat->all_seconds).text);
    fprintf(stderr, "last      %zu tokens were there already, %zu were computed\n", info->cached,
            info->computed);
    if (chat->writing.tokens)
        fprintf(stderr, "first     token after %s\n",
                duration_text(chat->writing.first - chat->writing.begun).text);
    if (chat->generation.temperature > 0)
        fprintf(stderr, "seed      %llu\n", (unsigned long long)chat->generation.seed);
    return true;
}

/* --- the table --- */

static bool help(Chat *chat, const char *argument, LLMError *error);

static bool quit(Chat *chat, const char *argument, LLMError *error) {
    (void)chat, (void)argument, (void)error;
    return false;
}

static const Command commands[] = {
    {"help", "", "this list", help},
    {"reset", "", "begin anew", reset},
    {"undo", "", "take back the last message and its answer", undo},
    {"retry", "", "answer the last message again", retry},
    {"system", "TEXT", "what the model is told before all else; begins anew", set_system},
    {"save", "FILE", "keep the conversation", save},
    {"load", "FILE", "go on with one that was kept", load},
    {"read", "FILE", "say what is in a file", read_file},
    {"set", "NAME N", "change a sampler, as in /set temp 0.7; alone: list them", set},
    {"stats", "", "figures of the conversation", stats},
    {"quit", "", "end the chat, as Ctrl-D does", quit},
};

static bool help(Chat *chat, const char *argument, LLMError *error) {
    (void)chat, (void)argument, (void)error;
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(stderr, "  /%-7s %-8s %s\n", commands[i].name, commands[i].argument,
                commands[i].help);
    fputs("A line that ends in \\ goes on in the next; \"\"\" begins and ends several lines.\n",
          stderr);
    return true;
}

bool chat_command(Chat *chat, const char *line, LLMError *error) {
    const char *name = line + 1;
    size_t length = strcspn(name, " \t");
    const char *argument = name + length + strspn(name + length, " \t");
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strlen(commands[i].name) == length && !strncmp(commands[i].name, name, length))
            return commands[i].run(chat, argument, error);
    error_set(error, LLM_ERROR_ARGUMENT, "there is no /%.*s: /help lists the commands", (int)length,
              name);
    return true;
}
