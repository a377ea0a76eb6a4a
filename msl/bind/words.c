/* words.c — what C++ would take in another sense than Metal, wherever in the file it is. */
#include "reader.h"

#include <string.h>

enum { DEEPEST_SCOPE = 64 };

/* The kernel that holds an offset, or NULL. */
static BoundKernel *kernel_at(const BoundFile *file, size_t at) {
    for (size_t i = 0; i < file->kernel_count; i++)
        if (!file->kernels[i].is_instance && file->kernels[i].begin <= at &&
            at < file->kernels[i].end)
            return &file->kernels[i];
    for (size_t i = 0; i < file->template_count; i++)
        if (file->templates[i].begin.at <= at && at < file->templates[i].end.at)
            return &file->templates[i].kernel;
    return NULL;
}

/* Metal has no double, and no long double. */
static bool refuse_double(Reader *reader, const char *type) {
    BoundFile *file = reader->file;
    BoundKernel *kernel = kernel_at(file, reader_offset(reader, &reader->token));
    if (kernel && kernel->refused) return true;
    reader_refuse(reader, reader->token.line, "Metal has no type '%s'", type);
    if (!kernel) return false;
    kernel->refused = reader_keep(reader, file->error, strlen(file->error));
    file->error[0] = 0;
    return true;
}

static bool is_long_double(const Reader *reader) {
    if (!token_is(&reader->token, "long")) return false;
    Reader next = *reader;
    reader_next(&next);
    return token_is(&next.token, "double");
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_space(const Token *token) {
    return token_is(token, "device") || token_is(token, "constant") ||
           token_is(token, "threadgroup");
}

/* `coherent(system) device uint *`: the word goes. */
static bool leave_out_coherent(Reader *reader) {
    Reader word = *reader;
    size_t begin = reader_offset(&word, &word.token);
    size_t end = begin + word.token.length;
    reader_next(&word);
    if (token_is(&word.token, "(")) {
        reader_next(&word);
        bool is_scope = token_is(&word.token, "system") || is_space(&word.token);
        reader_next(&word);
        if (!is_scope || !token_is(&word.token, ")")) return true;
        end = reader_offset(&word, &word.token) + 1;
    } else if (!is_space(&word.token)) {
        return true;
    }
    return reader_edit(reader, begin, end, "");
}

/* [[threadgroup(0)]] of a parameter that is no kernel's; the current token is the first '['. */
static bool leave_out_index(Reader *reader) {
    Reader word = *reader;
    size_t begin = reader_offset(&word, &word.token);
    reader_next(&word);
    reader_next(&word);
    if (!token_is(&word.token, "threadgroup")) return true;
    reader_skip_to_bracket(&word);
    return reader_edit(reader, begin, reader_offset(&word, &word.token) + 2, "");
}

/* `constant int s[2]` as a parameter, which is the pointer `constant int (*s)`; the current token
 * is its address space. */
static bool read_array(Reader *reader) {
    Reader word = *reader;
    Token name = {0};
    for (reader_next(&word); token_is_word(&word.token) || token_is(&word.token, ":");
         reader_next(&word)) {
        name = word.token;
        Reader behind = word;
        reader_next(&behind);
        if (token_is(&behind.token, "<")) {
            reader_skip_angles(&behind);
            word = behind;
            name = word.token;
        }
    }
    bool is_array = name.text && token_is(&word.token, "[") && *word.at != '[';
    if (!is_array) return true;
    size_t at = reader_offset(&word, &name), begin = reader_offset(&word, &word.token);
    reader_skip_to_bracket(&word);
    size_t end = reader_offset(&word, &word.token) + 1;
    reader_next(&word);
    if (!token_is(&word.token, ",") && !token_is(&word.token, ")") && !token_is(&word.token, "["))
        return true;
    return reader_edit(reader, at, at, "(*") && reader_edit(reader, begin, end, ")");
}

/* `typedef T name __attribute__((ext_vector_type(8)));` is `typedef metal::vec<T, 8> name;`, and
 * `using name = T __attribute__((ext_vector_type(8)));` likewise. */
static bool read_vector(Reader *reader) {
    bool is_typedef = token_is(&reader->token, "typedef");
    Reader word = *reader;
    size_t begin = reader_offset(&word, &word.token);
    const char *type = "", *count = "", *text = "typedef metal::vec<";
    Token name = {0}, last = {0};
    reader_next(&word);
    if (!is_typedef) {
        name = word.token;
        reader_next(&word);
        if (!token_is(&word.token, "=")) return true;
        reader_next(&word);
    }
    for (; token_is_word(&word.token) && !token_is(&word.token, "__attribute__");
         reader_next(&word)) {
        if (last.text && !reader_append(reader, &type, &last)) return false;
        last = word.token;
    }
    if (!is_typedef && last.text && !reader_append(reader, &type, &last)) return false;
    if (is_typedef) name = last;
    if (!token_is(&word.token, "__attribute__") || !name.text || !*type) return true;
    while (word.token.text && !token_is(&word.token, "ext_vector_type") &&
           !token_is(&word.token, ";"))
        reader_next(&word);
    if (!token_is(&word.token, "ext_vector_type")) return true;
    reader_next(&word);
    for (reader_next(&word); word.token.text && !token_is(&word.token, ")"); reader_next(&word))
        if (!reader_append(reader, &count, &word.token)) return false;
    while (word.token.text && !token_is(&word.token, ";"))
        reader_next(&word);
    size_t end = reader_offset(&word, &word.token);
    return reader_join(reader, &text, type, strlen(type)) && reader_join(reader, &text, ", ", 2) &&
           reader_join(reader, &text, count, strlen(count)) &&
           reader_join(reader, &text, "> ", 2) &&
           reader_join(reader, &text, name.text, name.length) &&
           reader_edit(reader, begin, end, text);
}

/* 1.0bf is bfloat(1.0f), 1.0H is 1.0h. */
static bool read_suffix(Reader *reader) {
    const Token *token = &reader->token;
    size_t begin = reader_offset(reader, token), end = begin + token->length;
    const char *suffix = token->text + token->length - 2;
    if (token->length < 3 || !is_digit(*token->text)) return true;
    if (suffix[1] == 'H' && !memchr(token->text, 'x', token->length))
        return reader_edit(reader, end - 1, end, "h");
    bool is_bfloat =
        (suffix[0] == 'b' || suffix[0] == 'B') && (suffix[1] == 'f' || suffix[1] == 'F');
    if (!is_bfloat || memchr(token->text, 'x', token->length)) return true;
    return reader_edit(reader, begin, begin, "bfloat(") && reader_edit(reader, end - 2, end, "f)");
}

/* `alignas(16) threadgroup float4 x[8];`: threadgroup memory is aligned anyway. */
static bool leave_out_alignment(Reader *reader) {
    Reader word = *reader;
    size_t begin = reader_offset(&word, &word.token);
    reader_next(&word);
    reader_skip_parentheses(&word);
    if (!token_is(&word.token, "threadgroup")) return true;
    return reader_edit(reader, begin, reader_offset(&word, &word.token), "");
}

/* half3, metal::float4x4, packed_uchar4 */
static bool is_vector(const Reader *reader) {
    static const char *const scalars[] = {"bool", "char", "uchar", "short",  "ushort", "int",
                                          "uint", "long", "ulong", "bfloat", "half",   "float"};
    Reader word = *reader;
    while (token_is(&word.token, "metal") || token_is(&word.token, ":"))
        reader_next(&word);
    const char *name = word.token.text;
    size_t length = name ? word.token.length : 0;
    if (length > 7 && !strncmp(name, "packed_", 7)) name += 7, length -= 7;
    if (length > 3 && name[length - 2] == 'x') length -= 2;
    if (length < 4 || name[length - 1] < '2' || name[length - 1] > '4') return false;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        if (strlen(scalars[i]) == length - 1 && !strncmp(scalars[i], name, length - 1)) return true;
    return false;
}

/* `constexpr float3 v = …` and `constexpr auto v = float3(…)`: our vectors are no constants to a
 * C++ compiler, but const. */
static bool read_constant(Reader *reader, bool in_class) {
    Reader word = *reader;
    size_t begin = reader_offset(&word, &word.token), end = begin + word.token.length;
    do
        reader_next(&word);
    while (token_is(&word.token, "const") || token_is(&word.token, "constant") ||
           token_is(&word.token, "static"));
    if (token_is(&word.token, "auto")) {
        reader_next(&word);
        reader_next(&word);
        if (!token_is(&word.token, "=")) return true;
        reader_next(&word);
    }
    return !is_vector(&word) ||
           reader_edit(reader, begin, end, in_class ? "inline const" : "const");
}

/* Does vec<…, name> stand before the function's body? */
static bool is_extent(Reader word, const Token *name) {
    bool in_vector = false, behind_comma = false;
    for (; word.token.text && !token_is(&word.token, "{") && !token_is(&word.token, ";");
         reader_next(&word)) {
        if (token_is(&word.token, "vec")) in_vector = true;
        if (token_is(&word.token, ">")) in_vector = false;
        if (in_vector && behind_comma && word.token.length == name->length &&
            !memcmp(word.token.text, name->text, name->length))
            return true;
        behind_comma = token_is(&word.token, ",");
    }
    return false;
}

/* `template <typename T, uint V> void f(vec<T, V> v)`: C++ deduces V only as the int that our
 * vectors have. */
static bool read_extents(Reader *reader) {
    static const char *const types[] = {"uint",   "unsigned", "ulong",
                                        "size_t", "uint32_t", "ushort"};
    Reader word = *reader, behind = *reader;
    reader_next(&behind);
    if (!token_is(&behind.token, "<")) return true;
    reader_skip_angles(&behind);
    while (word.token.text && word.token.text < behind.token.text) {
        size_t begin = reader_offset(&word, &word.token), end = begin + word.token.length;
        bool is_type = false;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            is_type = is_type || token_is(&word.token, types[i]);
        reader_next(&word);
        if (!is_type) continue;
        if (token_is(&word.token, "int")) {
            end = reader_offset(&word, &word.token) + word.token.length;
            reader_next(&word);
        }
        if (is_extent(behind, &word.token) && !reader_edit(reader, begin, end, "int")) return false;
    }
    return true;
}

/* Which of the braces that are open are those of classes. */
typedef struct Scopes {
    bool is_class[DEEPEST_SCOPE];
    unsigned depth;
    bool begins_class; /* with the next brace */
} Scopes;

static void count_scope(Scopes *scopes, const Token *token) {
    if (token_is(token, "struct") || token_is(token, "class") || token_is(token, "union"))
        scopes->begins_class = true;
    if (token_is(token, ";") || token_is(token, "(") || token_is(token, "="))
        scopes->begins_class = false;
    if (token_is(token, "{")) {
        if (scopes->depth < DEEPEST_SCOPE) scopes->is_class[scopes->depth] = scopes->begins_class;
        scopes->depth++;
        scopes->begins_class = false;
    }
    if (token_is(token, "}") && scopes->depth) scopes->depth--;
}

static bool in_class(const Scopes *scopes) {
    return scopes->depth && scopes->depth <= DEEPEST_SCOPE && scopes->is_class[scopes->depth - 1];
}

static bool read_word(Reader *reader, const Scopes *scopes, int parentheses) {
    const Token *token = &reader->token;
    size_t end = reader_offset(reader, token) + token->length;
    if (is_digit(*token->text) && !token_is_double(token)) return read_suffix(reader);
    if (token_is(token, "alignas")) return leave_out_alignment(reader);
    if (token_is_double(token)) return reader_edit(reader, end, end, "f");
    if (token_is(token, "double")) return refuse_double(reader, "double");
    if (is_long_double(reader)) return refuse_double(reader, "long double");
    if (token_is(token, "coherent")) return leave_out_coherent(reader);
    if (token_is(token, "constexpr")) return read_constant(reader, in_class(scopes));
    if (token_is(token, "[") && reader->at < reader->end && *reader->at == '[')
        return leave_out_index(reader);
    if (token_is(token, "template")) return read_extents(reader);
    if (token_is(token, ".")) return read_swizzles(reader);
    if (token_is(token, "typedef") || token_is(token, "using")) return read_vector(reader);
    return !parentheses || !is_space(token) || read_array(reader);
}

bool read_words(Reader *outer) {
    BoundFile *file = outer->file;
    Reader reader = {.file = file,
                     .at = file->text,
                     .end = file->text + file->size,
                     .line = 1,
                     .reads_macros = true,
                     .path = file->path,
                     .path_length = (int)strlen(file->path)};
    int parentheses = 0;
    Scopes scopes = {.depth = 0};
    for (reader_next(&reader); reader.token.text; reader_next(&reader)) {
        count_scope(&scopes, &reader.token);
        parentheses += token_is(&reader.token, "(") - token_is(&reader.token, ")");
        if (!read_word(&reader, &scopes, parentheses > 0)) return false;
        if (reader.token.line > file->last_line) file->last_line = reader.token.line;
    }
    return true;
}
