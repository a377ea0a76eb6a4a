/* named.c — ChatML, Llama 3 and Gemma, as their models' own templates write plain conversations. */
#include "named.h"

#include <string.h>

static Value member(Jinja *jinja, Value message, const char *key) {
    const Value *value = jinja_get_string(jinja, message.mapping, key);
    return value ? *value : jinja_none();
}

static Text role_of(Jinja *jinja, Value message) {
    Value role = member(jinja, message, "role");
    if (role.kind != VALUE_TEXT) jinja_refuse(jinja, "a message has no \"role\"");
    return *role.text;
}

/* Content that is a list of parts: their texts. */
static Text join_parts(Jinja *jinja, const List *parts) {
    TextBuilder builder = jinja_builder(jinja);
    for (size_t i = 0; i < parts->count; i++) {
        Value text = {.kind = VALUE_NONE};
        if (parts->items[i].kind == VALUE_MAPPING) text = member(jinja, parts->items[i], "text");
        if (text.kind != VALUE_TEXT)
            jinja_refuse(jinja, "a part of a message is no text; this template takes only text");
        jinja_append(&builder, *text.text);
    }
    return jinja_built(&builder);
}

static Text content_of(Jinja *jinja, Value message) {
    Value content = member(jinja, message, "content");
    const Value *calls = jinja_get_string(jinja, message.mapping, "tool_calls");
    if (calls && jinja_truth(*calls))
        jinja_refuse(jinja, "this template has no place for the calls of tools");
    if (content.kind == VALUE_TEXT) return *content.text;
    if (content.kind == VALUE_LIST) return join_parts(jinja, content.list);
    jinja_refuse(jinja, "a message has no \"content\" that is a text");
}

static Text trimmed_content(Jinja *jinja, Value message) {
    return jinja_strip(jinja, content_of(jinja, message), NULL, LEFT | RIGHT);
}

static void write_chatml(TextBuilder *out, const List *messages, const ChatInput *input) {
    for (size_t i = 0; i < messages->count; i++) {
        jinja_append_string(out, "<|im_start|>");
        jinja_append(out, role_of(out->jinja, messages->items[i]));
        jinja_append_string(out, "\n");
        jinja_append(out, content_of(out->jinja, messages->items[i]));
        jinja_append_string(out, "<|im_end|>\n");
    }
    if (input->add_generation_prompt) jinja_append_string(out, "<|im_start|>assistant\n");
}

static void write_llama3(TextBuilder *out, const List *messages, const ChatInput *input) {
    jinja_append_string(out, input->bos_token ? input->bos_token : "<|begin_of_text|>");
    for (size_t i = 0; i < messages->count; i++) {
        jinja_append_string(out, "<|start_header_id|>");
        jinja_append(out, role_of(out->jinja, messages->items[i]));
        jinja_append_string(out, "<|end_header_id|>\n\n");
        jinja_append(out, trimmed_content(out->jinja, messages->items[i]));
        jinja_append_string(out, "<|eot_id|>");
    }
    if (input->add_generation_prompt)
        jinja_append_string(out, "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

/* Gemma has the roles user and model; what the system says begins the first turn of the user. */
static void write_gemma(TextBuilder *out, const List *messages, const ChatInput *input) {
    Jinja *jinja = out->jinja;
    bool system =
        messages->count > 0 && jinja_text_is(role_of(jinja, messages->items[0]), "system");
    jinja_append_string(out, input->bos_token ? input->bos_token : "<bos>");
    for (size_t i = system; i < messages->count; i++) {
        Text role = role_of(jinja, messages->items[i]);
        bool user = jinja_text_is(role, "user");
        if (!user && !jinja_text_is(role, "assistant"))
            jinja_refuse(jinja,
                         "Gemma knows the roles user and assistant, and system at the start");
        if (user != ((i - system) % 2 == 0))
            jinja_refuse(jinja, "Gemma wants the roles user and assistant in turn");
        jinja_append_string(out, user ? "<start_of_turn>user\n" : "<start_of_turn>model\n");
        if (system && i == 1) {
            jinja_append(out, content_of(jinja, messages->items[0]));
            jinja_append_string(out, "\n\n");
        }
        jinja_append(out, trimmed_content(jinja, messages->items[i]));
        jinja_append_string(out, "<end_of_turn>\n");
    }
    if (input->add_generation_prompt) jinja_append_string(out, "<start_of_turn>model\n");
}

const char named_templates[] = "chatml, llama3, gemma";

const NamedTemplate *named_template(const char *name) {
    static const NamedTemplate all[] = {
        {"chatml", write_chatml}, {"llama3", write_llama3}, {"gemma", write_gemma}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0) return &all[i];
    return NULL;
}
