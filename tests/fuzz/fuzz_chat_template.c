/* fuzz_chat_template.c — libFuzzer target for the interpreter of chat templates.
 *
 * The input is a template, a 0, and the messages as JSON; without a 0 the messages are a fixed
 * conversation. Whatever they are, the pieces of the result cover it and alternate in origin.
 */
#include "chat/chat_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char conversation[] =
    "[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\" H\\u00e9 "
    "<x> \"},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\","
    "\"arguments\":{\"a\":[1,2.5,true]}}}]}]";

static void require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void check_pieces(const ChatText *text) {
    size_t at = 0;
    for (size_t i = 0; i < text->piece_count; i++) {
        const ChatPiece *piece = &text->pieces[i];
        require(piece->start == at && piece->size > 0, "a piece out of place");
        require(i == 0 || piece->from_input != piece[-1].from_input, "two pieces of one origin");
        at += piece->size;
    }
    require(at == text->size, "the pieces do not cover the text");
}

static void render(const ChatTemplate *template, const char *messages) {
    ChatInput input = {.messages = messages,
                       .tools = "[{\"function\":{\"name\":\"f\",\"parameters\":{}}}]",
                       .variables = "{\"n\":3,\"s\":\"text\"}",
                       .bos_token = "<s>",
                       .eos_token = "</s>",
                       .add_generation_prompt = true};
    ChatText text = {0};
    LLMError error = {0};
    bool done = chat_template_render(template, &input, 0, &text, &error);
    require(done == (error.status == LLM_OK), "a failure without an error");
    require(!strchr(error.message, '\n'), "a message of two lines");
    if (done) check_pieces(&text);
    chat_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1);
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    copy[size] = 0;
    size_t template_size = strlen(copy);
    LLMError error = {0};
    ChatTemplate *template = chat_template_new(copy, template_size, &error);
    require((template == NULL) == (error.status != LLM_OK), "a failure without an error");
    if (template) render(template, template_size < size ? copy + template_size + 1 : conversation);
    chat_template_free(template);
    free(copy);
    return 0;
}
