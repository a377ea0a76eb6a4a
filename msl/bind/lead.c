/* lead.c — what stands in front of a function: [[attributes]], `kernel`, `vertex`. */
#include "reader.h"

#include <string.h>

const char *const kernel_word = "kernel    ";

/* Stages of which no code is run, as words and as attributes. */
static bool is_other_stage(const Token *token) {
    static const char *const stages[] = {"vertex", "fragment", "mesh", "object", "intersection"};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (token_is(token, stages[i])) return true;
    return false;
}

/* ("a" "b"), which is one string. */
static bool read_host_name(Reader *reader, Lead *lead) {
    lead->host_name = "";
    for (reader_next(reader); reader->token.text && *reader->token.text == '"';
         reader_next(reader)) {
        size_t quotes = reader->token.length < 2 ? 1 : 2; /* the file may end after the first */
        if (!reader_join(reader, &lead->host_name, reader->token.text + 1,
                         reader->token.length - quotes))
            return false;
    }
    if (*lead->host_name && token_is(&reader->token, ")")) return true;
    return reader_refuse(reader, reader->token.line, "expected a kernel's name in quotes");
}

/* [[kernel, host_name("name")]]; what is not known is left out. */
static bool read_lead_attribute(Reader *reader, Lead *lead) {
    size_t begin = reader_offset(reader, &reader->token);
    bool is_kernel = false;
    reader_next(reader);
    reader_next(reader);
    while (reader->token.text && !token_is(&reader->token, "]")) {
        is_kernel |= token_is(&reader->token, "kernel");
        if (is_other_stage(&reader->token)) lead->stage = OTHER_STAGE;
        bool is_name = token_is(&reader->token, "host_name");
        reader_next(reader);
        if (is_name && token_is(&reader->token, "(") && !read_host_name(reader, lead)) return false;
        if (!is_name && token_is(&reader->token, "(")) reader_skip_parentheses(reader);
    }
    if (is_kernel) lead->stage = KERNEL_STAGE;
    if (!reader_expect(reader, "]")) return false;
    size_t end = reader_offset(reader, &reader->token) + 1;
    return reader_edit(reader, begin, end, is_kernel ? kernel_word : "") &&
           reader_expect(reader, "]");
}

/* A word in front of `kernel` that says nothing here: `extern "C"`, `inline`, `static`. */
static bool skip_word(Reader *reader) {
    size_t begin = reader_offset(reader, &reader->token);
    bool is_extern = token_is(&reader->token, "extern");
    if (!is_extern && !token_is(&reader->token, "inline") && !token_is(&reader->token, "static"))
        return false;
    size_t end = begin + reader->token.length;
    reader_next(reader);
    if (is_extern && reader->token.text && *reader->token.text == '"') {
        end = reader_offset(reader, &reader->token) + reader->token.length;
        reader_next(reader);
    }
    return reader_edit(reader, begin, end, "");
}

bool read_lead(Reader *reader, Lead *lead) {
    *lead = (Lead){.stage = NO_STAGE};
    for (;;) {
        if (token_is(&reader->token, "[") && reader->at < reader->end && *reader->at == '[') {
            if (!read_lead_attribute(reader, lead)) return false;
        } else if (token_is(&reader->token, "__attribute__")) {
            reader_next(reader);
            reader_skip_parentheses(reader);
        } else if (token_is(&reader->token, "kernel")) {
            lead->stage = KERNEL_STAGE;
            reader_next(reader);
        } else if (is_other_stage(&reader->token) && lead->stage == NO_STAGE) {
            lead->stage = OTHER_STAGE;
            reader_next(reader);
        } else if (!skip_word(reader)) {
            return !reader->file->error[0];
        }
    }
}
