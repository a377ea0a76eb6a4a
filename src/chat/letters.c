/* letters.c — upper, lower and title case, as Python has them. */
#include "jinja.h"
#include "unicode_tables.h"

/* The run that holds the character, NULL if none does. A search by halves would need their number;
 * most characters are ASCII, and their runs come first. */
static const UnicodeRun *find_run(const UnicodeRun *run, uint32_t c) {
    while (run->first <= c) {
        if (c <= run->last && (c - run->first) % run->stride == 0) return run;
        run++;
    }
    return NULL;
}

static bool is_in(const UnicodeRun *set, uint32_t c) {
    return c != UINT32_MAX && find_run(set, c);
}

bool jinja_is_printable(uint32_t character) {
    return !is_in(unicode_is_hidden, character);
}

bool jinja_is_alpha(uint32_t character) {
    return is_in(unicode_is_alpha, character);
}

bool jinja_is_decimal(uint32_t character) {
    return is_in(unicode_is_decimal, character);
}

bool jinja_is_digit(uint32_t character) {
    return is_in(unicode_is_digit, character);
}

bool jinja_is_numeric(uint32_t character) {
    return is_in(unicode_is_numeric, character);
}

bool jinja_is_alphanumeric(uint32_t character) {
    return jinja_is_alpha(character) || jinja_is_numeric(character);
}

typedef enum LetterCase { UPPER, LOWER, TITLE } LetterCase;

/* Append the character that text[at … at + length) is, in this case. */
static void append_in_case(TextBuilder *builder, Text text, size_t at, size_t length,
                           LetterCase letter_case) {
    static const UnicodeRun *const short_forms[] = {unicode_upper, unicode_lower, unicode_title};
    static const UnicodeExpansion *const long_forms[] = {unicode_upper_long, unicode_lower_long,
                                                         unicode_title_long};
    Origin origin = text.origins[at];
    uint32_t c;
    jinja_character(text, at, &c);
    jinja_charge(builder->jinja, c < 0x80 ? 0 : 1024);
    const UnicodeRun *run = c == UINT32_MAX ? NULL : find_run(short_forms[letter_case], c);
    if (run) {
        jinja_append_character(builder, c + (uint32_t)run->delta, origin);
        return;
    }
    const UnicodeExpansion *expansion = long_forms[letter_case];
    while (c > expansion->character)
        expansion++;
    if (c == UINT32_MAX || c != expansion->character) {
        jinja_append(builder, jinja_part(text, at, at + length));
        return;
    }
    for (size_t i = 0; i < 3 && expansion->to[i]; i++)
        jinja_append_character(builder, expansion->to[i], origin);
}

/* A capital sigma at the end of a word becomes ς, else σ: whether text[at] follows a letter and
 * none follows it. */
static bool is_final_sigma(Text text, size_t at) {
    uint32_t c, next;
    bool after_letter = false;
    for (size_t i = 0, length; i < at; i += length) {
        length = jinja_character(text, i, &c);
        if (!is_in(unicode_is_ignored, c)) after_letter = is_in(unicode_is_cased, c);
    }
    if (!after_letter) return false;
    for (size_t i = at + 2, length; (length = jinja_character(text, i, &next)); i += length)
        if (!is_in(unicode_is_ignored, next)) return !is_in(unicode_is_cased, next);
    return true;
}

static void append_lower(TextBuilder *builder, Text text, size_t at, size_t length) {
    uint32_t c;
    jinja_character(text, at, &c);
    if (c != 0x3A3) {
        append_in_case(builder, text, at, length, LOWER);
        return;
    }
    jinja_charge(builder->jinja, text.size * 64);
    jinja_append_character(builder, is_final_sigma(text, at) ? 0x3C2 : 0x3C3, text.origins[at]);
}

static Text in_case(Jinja *jinja, Text text, LetterCase letter_case) {
    TextBuilder builder = jinja_builder(jinja);
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length)
        if (letter_case == LOWER)
            append_lower(&builder, text, at, length);
        else
            append_in_case(&builder, text, at, length, letter_case);
    return jinja_built(&builder);
}

Text jinja_upper(Jinja *jinja, Text text) {
    return in_case(jinja, text, UPPER);
}

Text jinja_lower(Jinja *jinja, Text text) {
    return in_case(jinja, text, LOWER);
}

Text jinja_capitalize(Jinja *jinja, Text text) {
    TextBuilder builder = jinja_builder(jinja);
    uint32_t c;
    size_t first = jinja_character(text, 0, &c);
    if (first) append_in_case(&builder, text, 0, first, TITLE);
    for (size_t at = first, length; (length = jinja_character(text, at, &c)); at += length)
        append_lower(&builder, text, at, length);
    return jinja_built(&builder);
}

Text jinja_title_words(Jinja *jinja, Text text) {
    TextBuilder builder = jinja_builder(jinja);
    bool in_word = false;
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        if (in_word)
            append_lower(&builder, text, at, length);
        else
            append_in_case(&builder, text, at, length, TITLE);
        in_word = is_in(unicode_is_cased, c);
    }
    return jinja_built(&builder);
}

static bool parts_words(uint32_t c) {
    return jinja_is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
}

/* The first character of each word in upper case, the rest in lower case. */
Text jinja_title_filter(Jinja *jinja, Text text) {
    TextBuilder builder = jinja_builder(jinja);
    uint32_t c;
    for (size_t at = 0; at < text.size;) {
        size_t start = at, length;
        while ((length = jinja_character(text, at, &c)) && parts_words(c))
            at += length;
        jinja_append(&builder, jinja_part(text, start, at));
        if (length) append_in_case(&builder, text, at, length, UPPER);
        start = at += length;
        while ((length = jinja_character(text, at, &c)) && !parts_words(c))
            at += length;
        jinja_append(&builder, jinja_lower(jinja, jinja_part(text, start, at)));
    }
    return jinja_built(&builder);
}

Text jinja_swap_case(Jinja *jinja, Text text) {
    TextBuilder builder = jinja_builder(jinja);
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        if (is_in(unicode_is_upper, c))
            append_lower(&builder, text, at, length);
        else if (is_in(unicode_is_lower, c))
            append_in_case(&builder, text, at, length, UPPER);
        else
            jinja_append(&builder, jinja_part(text, at, at + length));
    }
    return jinja_built(&builder);
}

/* ǅ, which is neither upper nor lower case. */
static bool is_title_letter(uint32_t c) {
    return is_in(unicode_lower, c) && !is_in(unicode_is_upper, c);
}

/* Whether there are letters of `wanted`, and none that is cased otherwise. */
static bool all_in(Jinja *jinja, Text text, const UnicodeRun *wanted, const UnicodeRun *other) {
    bool some = false;
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        jinja_charge(jinja, c < 0x80 ? 0 : 1024);
        if (is_in(other, c) || is_title_letter(c)) return false;
        some = some || is_in(wanted, c);
    }
    return some;
}

bool jinja_is_upper(Jinja *jinja, Text text) {
    return all_in(jinja, text, unicode_is_upper, unicode_is_lower);
}

bool jinja_is_lower(Jinja *jinja, Text text) {
    return all_in(jinja, text, unicode_is_lower, unicode_is_upper);
}

bool jinja_is_title(Jinja *jinja, Text text) {
    bool some = false, in_word = false;
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        jinja_charge(jinja, c < 0x80 ? 0 : 1024);
        bool begins = is_in(unicode_is_upper, c) || is_title_letter(c),
             goes_on = is_in(unicode_is_lower, c);
        if ((begins && in_word) || (goes_on && !in_word)) return false;
        some = some || begins || goes_on;
        in_word = begins || goes_on;
    }
    return some;
}
