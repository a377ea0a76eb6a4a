/* session.c — texts that grow turn by turn. */
#include "conversation.h"
#include "engine/call.h"
#include "generate.h"
#include "session_file.h"
#include "tokens.h"

#include <stdlib.h>
#include <string.h>

struct LLMSession {
    LLMPipeline *llm;
    atomic_bool busy; /* one of the functions below is at work with it */
    LLMTokens tokens;
    Conversation *conversation; /* NULL: it is one of texts and tokens */
    LLMSessionInfo info;
};

/* --- one thread at a time --- */

static bool enter(LLMSession *session, LLMError *error) {
    if (error_is_set(error)) return false;
    if (!session) return error_set(error, LLM_ERROR_ARGUMENT, "no session is open");
    if (session->llm->closing)
        return error_set(error, LLM_ERROR_ARGUMENT, "the session's model has been closed");
    if (atomic_exchange(&session->busy, true))
        return error_set(error, LLM_ERROR_BUSY,
                         "the session is at work: a callback, or another thread, calls again when "
                         "that has ended");
    return true;
}

static void leave(LLMSession *session) {
    session->info.ids = session->tokens.ids;
    session->info.tokens = session->tokens.count;
    session->info.messages = session->conversation ? conversation_count(session->conversation) : 0;
    session->busy = false;
}

/* --- open and close --- */

LLMSession *llm_session_open(LLMPipeline *llm, LLMError *error) {
    if (error_is_set(error)) return NULL;
    if (!llm || llm->closing) {
        error_set(error, LLM_ERROR_ARGUMENT, "no model is open");
        return NULL;
    }
    LLMSession *session = calloc(1, sizeof *session);
    if (!session) return error_memory(error, sizeof *session);
    session->llm = llm;
    session->info.size = sizeof session->info;
    pipeline_hold(llm);
    return session;
}

void llm_session_close(LLMSession *session) {
    if (!session) return;
    LLMPipeline *llm = session->llm;
    conversation_free(session->conversation);
    llm_tokens_free(&session->tokens);
    free(session);
    pipeline_let_go(llm);
}

const LLMSessionInfo *llm_session_info(const LLMSession *session) {
    return session ? &session->info : NULL;
}

/* --- the text --- */

static void append(LLMSession *session, const LLMTokens *more, LLMError *error) {
    if (!more->count || !tokens_reserve(&session->tokens, more->count, error)) return;
    memcpy(session->tokens.ids + session->tokens.count, more->ids, more->count * sizeof *more->ids);
    session->tokens.count += more->count;
}

static bool takes_text(const LLMSession *session, LLMError *error) {
    if (!session->conversation) return true;
    return error_set(error, LLM_ERROR_ARGUMENT,
                     "this is a session of messages: add one, or reset it first");
}

static bool takes_messages(LLMSession *session, LLMError *error) {
    if (session->tokens.count && !session->conversation)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "this is a session of texts: add one, or reset it first");
    if (!session->conversation) session->conversation = conversation_new(session->llm, error);
    return session->conversation;
}

void llm_session_add_tokens(LLMSession *session, const LLMTokens *tokens, LLMError *error) {
    if (!enter(session, error)) return;
    if (takes_text(session, error) && pipeline_check_ids(session->llm, tokens, error))
        append(session, tokens, error);
    leave(session);
}

void llm_session_add_text(LLMSession *session, const char *text, uint32_t flags, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    if (!enter(session, error)) return;
    takes_text(session, error);
    LLMTokens tokens = llm_encode(session->llm, text, flags, error);
    if (!error_is_set(error)) append(session, &tokens, error);
    llm_tokens_free(&tokens);
    leave(session);
}

void llm_session_add_message(LLMSession *session, const char *role, const char *content,
                             LLMError *error) {
    if (!enter(session, error)) return;
    if (!role || !content)
        error_set(error, LLM_ERROR_ARGUMENT, "a message has a role and a content: one is NULL");
    else if (takes_messages(session, error))
        conversation_add(session->conversation, role, content, error);
    leave(session);
}

void llm_session_rewind(LLMSession *session, size_t count, LLMError *error) {
    if (!enter(session, error)) return;
    if (session->conversation)
        conversation_forget(session->conversation, count, SIZE_MAX);
    else if (count < session->tokens.count)
        session->tokens.count = count;
    leave(session);
}

void llm_session_forget(LLMSession *session, size_t first, size_t count, LLMError *error) {
    if (!enter(session, error)) return;
    if (session->conversation) conversation_forget(session->conversation, first, count);
    leave(session);
}

void llm_session_reset(LLMSession *session, LLMError *error) {
    if (!enter(session, error)) return;
    conversation_free(session->conversation);
    session->conversation = NULL;
    session->tokens.count = 0;
    leave(session);
}

static void copy(LLMSession *fork, const LLMSession *session, LLMError *error) {
    append(fork, &session->tokens, error);
    if (session->conversation) fork->conversation = conversation_copy(session->conversation, error);
    leave(fork);
}

LLMSession *llm_session_fork(LLMSession *session, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    if (!enter(session, error)) return NULL;
    LLMSession *fork = llm_session_open(session->llm, error);
    if (fork) copy(fork, session, error);
    leave(session);
    if (!error_is_set(error)) return fork;
    llm_session_close(fork);
    return NULL;
}

/* --- generate --- */

/* An answer as it grows, for its message: the caller's callbacks come after. */
typedef struct Answer {
    LLMSession *session;
    const LLMGeneration *asked;
    char *text; /* [size] and a 0 */
    size_t size, capacity;
    LLMError *error;
} Answer;

static bool answer_token(void *user, uint32_t row, uint32_t token) {
    const LLMGeneration *asked = ((Answer *)user)->asked;
    return !asked->on_token || asked->on_token(asked->user, row, token);
}

static bool answer_wait(void *user) {
    const LLMGeneration *asked = ((Answer *)user)->asked;
    return asked->on_wait(asked->user);
}

static void answer_logprobs(void *user, uint32_t row, const LLMLogprob *list, size_t count) {
    const LLMGeneration *asked = ((Answer *)user)->asked;
    asked->on_logprobs(asked->user, row, list, count);
}

static bool answer_text(void *user, uint32_t row, const char *bytes, size_t size) {
    Answer *answer = user;
    if (answer->size + size + 1 > answer->capacity) {
        size_t capacity = 2 * (answer->size + size + 1);
        char *larger = realloc(answer->text, capacity);
        if (!larger) return error_memory(answer->error, capacity);
        answer->text = larger;
        answer->capacity = capacity;
    }
    memcpy(answer->text + answer->size, bytes, size);
    answer->text[answer->size += size] = 0;
    const LLMGeneration *asked = answer->asked;
    return !asked->on_text || asked->on_text(asked->user, row, bytes, size);
}

/* The text as it is, up to `count` tokens on. */
static size_t continue_text(LLMSession *session, size_t count, const LLMGeneration *options,
                            LLMError *error) {
    GenerateUsage usage = {0};
    size_t appended = 0;
    if (generate_check(session->llm, &session->tokens, 1, options, error))
        appended =
            generate_rows(session->llm, &session->tokens, 1, count, options, true, &usage, error);
    session->info.computed = usage.computed;
    session->info.cached = usage.cached;
    session->info.left_out = usage.left_out;
    return appended;
}

/* The messages; if they fill the context and it `shifts`, only so many that a quarter is free. */
static bool encode(LLMSession *session, bool shifts, LLMError *error) {
    Conversation *conversation = session->conversation;
    LLMTokens *tokens = &session->tokens;
    size_t context = session->llm->run.sizes.capacity;
    if (!conversation_encode(conversation, tokens, error)) return false;
    if (!shifts || tokens->count < context) return true;
    while (tokens->count > context - context / 4 && conversation_forget_oldest(conversation))
        if (!conversation_encode(conversation, tokens, error)) return false;
    return true;
}

static size_t answer(LLMSession *session, size_t count, const LLMGeneration *asked,
                     LLMError *error) {
    if (!encode(session, asked->shift, error)) return 0;
    Answer answer = {.session = session, .asked = asked, .error = error};
    LLMGeneration options = *asked;
    options.user = &answer;
    options.on_token = answer_token;
    options.on_text = answer_text;
    options.on_logprobs = asked->on_logprobs ? answer_logprobs : NULL;
    options.on_wait = asked->on_wait ? answer_wait : NULL;
    size_t before = session->tokens.count;
    size_t appended = continue_text(session, count, &options, error);
    const uint32_t *ids = session->tokens.ids + before;
    const char *text = answer.text ? answer.text : "";
    if (error_is_set(error) ||
        !conversation_answer(session->conversation, text, ids, appended, error))
        session->tokens.count = before; /* as if nothing had been asked */
    free(answer.text);
    return session->tokens.count - before;
}

size_t llm_session_generate(LLMSession *session, size_t count, const LLMGeneration *given,
                            LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    if (!enter(session, error)) return 0;
    LLMGeneration options;
    size_t appended = 0;
    Call call;
    if (call_begin(&call, session->llm, error)) {
        if (generate_options(&options, given, error))
            appended = session->conversation ? answer(session, count, &options, error)
                                             : continue_text(session, count, &options, error);
        call_end(&call);
    }
    leave(session);
    return appended;
}

/* --- files --- */

static void save(const LLMSession *session, const char *path, LLMError *error) {
    char *messages = NULL;
    if (session->conversation && !(messages = conversation_write(session->conversation, error)))
        return;
    session_file_write(path, session->llm, &session->tokens, messages, error);
    free(messages);
}

void llm_session_save(LLMSession *session, const char *path, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    if (!enter(session, error)) return;
    if (path)
        save(session, path, error);
    else
        error_set(error, LLM_ERROR_ARGUMENT, "no file was named");
    leave(session);
}

static void load(LLMSession *session, const char *path, LLMError *error) {
    char *messages = NULL;
    if (session_file_read(path, session->llm, &session->tokens, &messages, error) &&
        pipeline_check_ids(session->llm, &session->tokens, error) && messages)
        session->conversation = conversation_read(session->llm, messages, error);
    free(messages);
}

LLMSession *llm_session_load(LLMPipeline *llm, const char *path, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    LLMSession *session = llm_session_open(llm, error);
    if (!session) return NULL;
    if (path)
        load(session, path, error);
    else
        error_set(error, LLM_ERROR_ARGUMENT, "no file was named");
    leave(session);
    if (!error_is_set(error)) return session;
    llm_session_close(session);
    return NULL;
}
