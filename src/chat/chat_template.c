/* chat_template.c — compiling and rendering chat templates. */
#include "chat_template.h"

#include "evaluate.h"
#include "named.h"

#include <stdlib.h>
#include <string.h>

struct ChatTemplate {
    Jinja compiled; /* holds the memory of the tree */
    const Node *body;
    const NamedTemplate *named; /* in place of a tree */
};

/* --- compiling --- */

typedef struct Source {
    ChatTemplate *template;
    const char *text;
    size_t size;
} Source;

static void compile(Jinja *jinja, void *context) {
    Source *source = context;
    if (source->size > JINJA_MAX_SOURCE)
        jinja_fail(jinja, "the chat template has %zu bytes, more than the %d that are read",
                   source->size, JINJA_MAX_SOURCE);
    source->template->body = jinja_parse(jinja, source->text, source->size);
}

static ChatTemplate *allocate(LLMError *error) {
    ChatTemplate *template = error_is_set(error) ? NULL : calloc(1, sizeof *template);
    if (!template && !error_is_set(error)) error_memory(error, sizeof *template);
    return template;
}

ChatTemplate *chat_template_new(const char *text, size_t size, LLMError *error) {
    ChatTemplate *template = allocate(error);
    if (!template) return NULL;
    template->compiled.error = error;
    if (jinja_try(&template->compiled, compile, &(Source){template, text, size})) return template;
    chat_template_free(template);
    return NULL;
}

ChatTemplate *chat_template_named(const char *name, LLMError *error) {
    const NamedTemplate *named = named_template(name);
    if (!named) {
        error_set(error, LLM_ERROR_ARGUMENT, "no chat template is known as \"%.80s\"; known are %s",
                  name, named_templates);
        return NULL;
    }
    ChatTemplate *template = allocate(error);
    if (template) template->named = named;
    return template;
}

void chat_template_free(ChatTemplate *template) {
    if (!template) return;
    jinja_release(&template->compiled);
    free(template);
}

/* --- rendering --- */

typedef struct Rendering {
    const ChatTemplate *template;
    const ChatInput *input;
    Text result;
} Rendering;

/* NULL is none. */
static Value read_list(Jinja *jinja, const char *text, const char *name) {
    if (!text) return jinja_none();
    Value value = jinja_parse_json(jinja, text, strlen(text), name);
    bool objects = value.kind == VALUE_LIST;
    for (size_t i = 0; objects && i < value.list->count; i++)
        objects = value.list->items[i].kind == VALUE_MAPPING;
    if (!objects) jinja_refuse(jinja, "%s: not a list of JSON objects", name);
    return value;
}

static void set(Jinja *jinja, Scope *scope, const char *name, Value value) {
    jinja_put(jinja, &scope->variables, jinja_from_string(jinja, name), value);
}

static void set_variables(Jinja *jinja, Scope *scope, const char *text) {
    if (!text) return;
    Value value = jinja_parse_json(jinja, text, strlen(text), "variables");
    if (value.kind != VALUE_MAPPING) jinja_refuse(jinja, "variables: not a JSON object");
    scope->variables = *value.mapping;
}

static Scope *make_scope(Jinja *jinja, const ChatInput *input, Value messages) {
    Scope *scope = jinja_allocate(jinja, sizeof *scope);
    set_variables(jinja, scope, input->variables);
    set(jinja, scope, "messages", messages);
    set(jinja, scope, "tools", read_list(jinja, input->tools, "tools"));
    set(jinja, scope, "documents", read_list(jinja, input->documents, "documents"));
    set(jinja, scope, "add_generation_prompt", jinja_boolean(input->add_generation_prompt));
    if (input->bos_token)
        set(jinja, scope, "bos_token", jinja_from_string(jinja, input->bos_token));
    if (input->eos_token)
        set(jinja, scope, "eos_token", jinja_from_string(jinja, input->eos_token));
    return scope;
}

static void render(Jinja *jinja, void *context) {
    Rendering *rendering = context;
    const ChatInput *input = rendering->input;
    const NamedTemplate *named = rendering->template->named;
    Value messages = read_list(jinja, input->messages ? input->messages : "[]", "messages");
    TextBuilder out = jinja_builder(jinja);
    out.limit = JINJA_MAX_OUTPUT;
    if (named && input->tools)
        jinja_refuse(jinja, "the template \"%s\" has no place for tools", named->name);
    if (named)
        named->write(&out, messages.list, input);
    else
        execute(jinja, make_scope(jinja, input, messages), rendering->template->body, &out);
    rendering->result = jinja_built(&out);
}

/* --- the result --- */

static size_t piece_end(Text text, size_t start) {
    const unsigned char *origins = text.origins;
    size_t end = start + 1;
    while (end < text.size && origins[end] == origins[start])
        end++;
    return end;
}

static bool copy_result(Text result, ChatText *text, LLMError *error) {
    size_t count = 0;
    for (size_t at = 0; at < result.size; at = piece_end(result, at))
        count++;
    text->text = malloc(result.size + 1);
    text->pieces = malloc((count + 1) * sizeof *text->pieces);
    if (!text->text || !text->pieces) {
        chat_text_free(text);
        return error_memory(error, result.size + count * sizeof *text->pieces);
    }
    memcpy(text->text, result.bytes, result.size);
    text->text[text->size = result.size] = 0;
    for (size_t at = 0; at < result.size; at = piece_end(result, at))
        text->pieces[text->piece_count++] =
            (ChatPiece){at, piece_end(result, at) - at, result.origins[at] == FROM_INPUT};
    return true;
}

bool chat_template_render(const ChatTemplate *template, const ChatInput *input, time_t now,
                          ChatText *text, LLMError *error) {
    if (error_is_set(error)) return false;
    Rendering rendering = {.template = template, .input = input};
    Jinja jinja = {.error = error, .now = now};
    bool done = jinja_try(&jinja, render, &rendering) && copy_result(rendering.result, text, error);
    jinja_release(&jinja);
    return done;
}

void chat_text_free(ChatText *text) {
    free(text->text);
    free(text->pieces);
    *text = (ChatText){0};
}
