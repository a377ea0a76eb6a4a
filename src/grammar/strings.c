/* strings.c — the bytes of strings and of texts that are listed. */
#include "automaton.h"

#include <string.h>

/* What is still to come of a character (RFC 3629), or of an escape. */
enum Inside {
    ONE_MORE = 1,
    TWO_MORE,
    THREE_MORE,
    BEHIND_E0, /* no overlong forms, no surrogates, no more than U+10FFFF */
    BEHIND_ED,
    BEHIND_F0,
    BEHIND_F4,
    BEHIND_BACKSLASH,
    FOUR_DIGITS,
    THREE_DIGITS,
    TWO_DIGITS,
    ONE_DIGIT,
    BEHIND_D, /* of a \uD…: below 8, or it would be a surrogate */
};

static bool is_between(unsigned char byte, unsigned char first, unsigned char last) {
    return byte >= first && byte <= last;
}

static bool is_hex(unsigned char byte) {
    return is_between(byte, '0', '9') || is_between(byte, 'a', 'f') || is_between(byte, 'A', 'F');
}

static uint8_t begin_character(unsigned char byte) {
    if (byte == '\\') return BEHIND_BACKSLASH;
    if (byte < 0x20 || byte == '"') return INSIDE_BAD;
    if (byte < 0x80) return INSIDE_NONE;
    if (is_between(byte, 0xC2, 0xDF)) return ONE_MORE;
    if (byte == 0xE0) return BEHIND_E0;
    if (byte == 0xED) return BEHIND_ED;
    if (is_between(byte, 0xE1, 0xEF)) return TWO_MORE;
    if (byte == 0xF0) return BEHIND_F0;
    if (byte == 0xF4) return BEHIND_F4;
    return is_between(byte, 0xF1, 0xF3) ? THREE_MORE : INSIDE_BAD;
}

static uint8_t behind_backslash(unsigned char byte) {
    if (byte == 'u') return FOUR_DIGITS;
    return byte && strchr("\"\\/bfnrt", byte) ? INSIDE_NONE : INSIDE_BAD;
}

uint8_t string_inside(uint8_t inside, unsigned char byte) {
    bool is_last = is_between(byte, 0x80, 0xBF);
    switch (inside) {
    case INSIDE_NONE:
        return begin_character(byte);
    case ONE_MORE:
        return is_last ? INSIDE_NONE : INSIDE_BAD;
    case TWO_MORE:
        return is_last ? ONE_MORE : INSIDE_BAD;
    case THREE_MORE:
        return is_last ? TWO_MORE : INSIDE_BAD;
    case BEHIND_E0:
        return is_between(byte, 0xA0, 0xBF) ? ONE_MORE : INSIDE_BAD;
    case BEHIND_ED:
        return is_between(byte, 0x80, 0x9F) ? ONE_MORE : INSIDE_BAD;
    case BEHIND_F0:
        return is_between(byte, 0x90, 0xBF) ? TWO_MORE : INSIDE_BAD;
    case BEHIND_F4:
        return is_between(byte, 0x80, 0x8F) ? TWO_MORE : INSIDE_BAD;
    case BEHIND_BACKSLASH:
        return behind_backslash(byte);
    case FOUR_DIGITS:
        if (byte == 'd' || byte == 'D') return BEHIND_D;
        return is_hex(byte) ? THREE_DIGITS : INSIDE_BAD;
    case BEHIND_D:
        return is_between(byte, '0', '7') ? TWO_DIGITS : INSIDE_BAD;
    case THREE_DIGITS:
        return is_hex(byte) ? TWO_DIGITS : INSIDE_BAD;
    case TWO_DIGITS:
        return is_hex(byte) ? ONE_DIGIT : INSIDE_BAD;
    case ONE_DIGIT:
        return is_hex(byte) ? INSIDE_NONE : INSIDE_BAD;
    }
    return INSIDE_BAD;
}

void step_string(Automaton *automaton, State state, char byte) {
    const Node *node = &automaton->grammar->nodes[state.node];
    bool begins = state.inside == INSIDE_NONE;
    if (begins && byte == '"') {
        if (state.part >= node->least) automaton_end_value(automaton, state.frame);
        return;
    }
    if (begins && state.part >= node->most) return;
    state.inside = string_inside(state.inside, (unsigned char)byte);
    if (state.inside == INSIDE_BAD) return;
    if (begins && node->most != GRAMMAR_UNLIMITED)
        state.part++;
    else if (begins && state.part < node->least)
        state.part++;
    automaton_add(automaton, state);
}

/* Listed texts are sorted: those that begin alike stand together. */
void step_literal(Automaton *automaton, State state, char byte) {
    const Node *node = &automaton->grammar->nodes[state.node];
    const char *known = node->literals[state.part].text;
    uint32_t i = state.part, at = state.at;
    for (; i < node->count; i++) {
        const Literal *literal = &node->literals[i];
        if (literal->size <= at || memcmp(literal->text, known, at) != 0) return;
        if (literal->text[at] == byte) break;
    }
    if (i == node->count) return;
    if (node->literals[i].size == at + 1) {
        automaton_end_value(automaton, state.frame);
        i++; /* those after it may go on: "1" and "12" */
    }
    if (i == node->count || node->literals[i].size <= at) return;
    if (memcmp(node->literals[i].text, known, at) != 0 || node->literals[i].text[at] != byte)
        return;
    state.part = i;
    state.at = at + 1;
    automaton_add(automaton, state);
}
