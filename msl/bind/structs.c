/* structs.c — structures of pointers, textures and samplers: what argument buffers are made of. */
#include "reader.h"

#include <string.h>

static bool add_member(Reader *reader, const BoundMember *member) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->members, file->member_count, sizeof *member)) return false;
    file->members[file->member_count++] = *member;
    return true;
}

static bool is_qualifier(const Token *token) {
    static const char *const words[] = {"device",   "constant", "threadgroup", "thread", "const",
                                        "volatile", "struct",   "coherent",    "public", "private"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(token, words[i])) return true;
    return false;
}

/* The N of "array<T,N>", 0 if it is not known. */
static unsigned array_extent(Reader *reader, const char *type) {
    const char *comma = strrchr(type, ',');
    if (!comma || (strncmp(type, "array<", 6) && strncmp(type, "metal::array<", 13))) return 1;
    BoundPlace place = reader_place(reader);
    char text[64];
    snprintf(text, sizeof text, "%.*s;", (int)strcspn(comma + 1, ">"), comma + 1);
    Reader number = reader_start(reader->file, place, text, text + strlen(text));
    unsigned count = 0;
    return read_number(&number, &count) ? count : 0;
}

/* "[4]", whose '[' is the current token; to just past it. */
static void read_extent(Reader *reader, BoundMember *member) {
    Reader number = *reader;
    unsigned count = 0;
    reader_next(&number);
    Reader start = number;
    reader_skip_to_bracket(reader);
    size_t length = (size_t)(reader->token.text - start.token.text);
    char text[64];
    snprintf(text, sizeof text, "%.*s;", (int)length, start.token.text);
    number = reader_start(reader->file, reader_place(reader), text, text + strlen(text));
    member->count = read_number(&number, &count) ? count : 0;
    reader_next(reader);
}

/* After the braces; the current token is the '{'. */
static void skip_braces(Reader *reader) {
    int depth = 0;
    do {
        depth += token_is(&reader->token, "{") - token_is(&reader->token, "}");
        reader_next(reader);
    } while (depth > 0 && reader->token.text);
}

static bool keep_member(Reader *reader, BoundMember *member, const Token *name) {
    member->name = "";
    if (!name->text || !token_is_word(name) || !*member->type) return true;
    if (!reader_append(reader, &member->name, name)) return false;
    const char *handle = handle_attribute(member->type);
    member->kind = member->is_pointer           ? BOUND_BUFFER
                   : !strcmp(handle, "texture") ? BOUND_TEXTURE
                   : !strcmp(handle, "sampler") ? BOUND_SAMPLER
                                                : BOUND_CONSTANT;
    if (member->count == 1 && !member->is_pointer)
        member->count = array_extent(reader, member->type);
    return add_member(reader, member);
}

/* `device float *p [[id(0)]];` to just past the ';'. Functions and what has braces are left out. */
static bool read_member(Reader *reader, const char *owner) {
    BoundMember member = {.owner = owner, .type = "", .count = 1};
    Token last = {0};
    Depth depth = {0};
    while (reader->token.text && !token_is(&reader->token, "}")) {
        Token token = reader->token;
        bool is_outside = !depth.angle && !depth.parenthesis;
        if (is_outside && token_is(&token, "{")) {
            skip_braces(reader);
            if (token_is(&reader->token, ";")) reader_next(reader);
            return true;
        }
        if (is_outside && (token_is(&token, ";") || token_is(&token, ","))) {
            reader_next(reader);
            if (!keep_member(reader, &member, &last)) return false;
            if (token_is(&token, ";")) return true;
            member.count = 1;
            last = (Token){0};
            continue;
        }
        if (is_outside && token_is(&token, "[")) {
            if (reader->at < reader->end && *reader->at == '[') {
                reader_skip_to_bracket(reader);
                reader_next(reader);
                reader_next(reader);
            } else {
                read_extent(reader, &member);
            }
            continue;
        }
        depth_count(&depth, &token);
        if (is_outside && token_is(&token, "(")) member.type = ""; /* a function */
        if (is_outside && token_is(&token, "*")) {
            member.is_pointer = true;
        } else if (!is_outside || !is_qualifier(&token)) {
            if (last.text && !reader_append(reader, &member.type, &last)) return false;
            last = token;
        }
        reader_next(reader);
    }
    return true;
}

/* Members, from the first to the '}'. */
static bool read_body(Reader *reader, const Token *name) {
    const char *owner = "";
    if (!reader_append(reader, &owner, name)) return false;
    while (reader->token.text && !token_is(&reader->token, "}"))
        if (!read_member(reader, owner)) return false;
    return true;
}

/* `NAME { … }`, `NAME { … } NAME` or `{ … } NAME`: what stands after `struct` or `typedef struct`.
 * With two names it has its members under both. */
static bool read_struct(Reader *reader, bool is_typedef) {
    Token tag = reader->token;
    if (token_is_word(&tag)) reader_next(reader);
    if (!token_is(&reader->token, "{")) return true;
    Reader after = *reader;
    skip_braces(&after);
    reader_next(reader);
    Reader again = *reader;
    if (token_is_word(&tag) && !read_body(reader, &tag)) return false;
    if (!is_typedef || !token_is_word(&after.token)) return true;
    *reader = again;
    return read_body(reader, &after.token);
}

bool read_structs(Reader *outer) {
    BoundFile *file = outer->file;
    Reader reader = reader_start_file(file);
    bool is_typedef = false;
    while (reader.token.text) {
        bool is_struct = token_is(&reader.token, "struct") || token_is(&reader.token, "class");
        bool before = token_is(&reader.token, "typedef");
        reader_next(&reader);
        if (is_struct && !read_struct(&reader, is_typedef)) return false;
        is_typedef = before;
    }
    return true;
}
