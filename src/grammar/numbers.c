/* numbers.c — the bytes of numbers. */
#include "automaton.h"

/* What a number is in the middle of. */
enum Inside { BEGINS, SIGNED, ZERO, WHOLE, POINT, FRACTION, EXPONENT, EXPONENT_SIGNED, POWER };

enum { DIGITS_MOST = 15, POWER_DIGITS = 2 };

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* Another digit of the part that `inside` names; the number may end after it. */
static void add_digit(Automaton *automaton, State state, uint8_t inside, uint32_t most) {
    state.part = state.inside == inside ? state.part + 1 : 1;
    if (state.part > most) return;
    state.inside = inside;
    automaton_add(automaton, state);
    automaton_end_value(automaton, state.frame);
}

static void go(Automaton *automaton, State state, uint8_t inside) {
    state.inside = inside;
    state.part = 0;
    automaton_add(automaton, state);
}

/* Any number, as RFC 8259 has it, of so few digits that a double has them all. */
void step_number(Automaton *automaton, State state, char byte) {
    bool digit = is_digit(byte);
    switch (state.inside) {
    case BEGINS:
        if (byte == '-') go(automaton, state, SIGNED);
        /* fall through */
    case SIGNED:
        if (digit) add_digit(automaton, state, byte == '0' ? ZERO : WHOLE, DIGITS_MOST);
        return;
    case ZERO:
    case WHOLE:
        if (digit && state.inside == WHOLE) add_digit(automaton, state, WHOLE, DIGITS_MOST);
        if (byte == '.') go(automaton, state, POINT);
        break;
    case POINT:
    case FRACTION:
        if (digit) add_digit(automaton, state, FRACTION, DIGITS_MOST);
        if (state.inside == POINT) return;
        break;
    case EXPONENT:
        if (byte == '+' || byte == '-') go(automaton, state, EXPONENT_SIGNED);
        /* fall through */
    case EXPONENT_SIGNED:
    case POWER:
        if (digit) add_digit(automaton, state, POWER, POWER_DIGITS);
        return;
    }
    if (byte == 'e' || byte == 'E') go(automaton, state, EXPONENT);
}

/* --- numbers within bounds --- */

static int64_t power(uint32_t exponent) {
    int64_t result = 1;
    while (exponent-- > 0)
        result *= 10;
    return result;
}

/* Units without their sign, from the least to the most. There is no −0. */
typedef struct Range {
    int64_t low, high;
} Range;

static Range range_of(const Node *node, bool negative) {
    Range range = {negative ? -node->high : node->low, negative ? -node->low : node->high};
    int64_t least = negative ? 1 : 0;
    if (range.low < least) range.low = least;
    return range;
}

/* Whether more digits can make a number of the range: after the point, or also before it. */
static bool can_become(const Node *node, const State *state) {
    Range range = range_of(node, state->negative);
    int64_t scale = power(node->places - state->part);
    bool grows = state->inside == WHOLE && state->units > 0;
    for (;;) {
        int64_t first = state->units * scale, last = first + scale - 1;
        if (first > range.high) return false;
        if (last >= range.low) return true;
        if (!grows) return false;
        scale *= 10;
    }
}

static bool is_within(const Node *node, const State *state) {
    Range range = range_of(node, state->negative);
    int64_t units = state->units * power(node->places - state->part);
    return units >= range.low && units <= range.high;
}

static void settle(Automaton *automaton, const Node *node, State state) {
    if (!can_become(node, &state)) return;
    automaton_add(automaton, state);
    bool ends = state.inside == ZERO || state.inside == WHOLE || state.inside == FRACTION;
    if (ends && is_within(node, &state)) automaton_end_value(automaton, state.frame);
}

void step_range(Automaton *automaton, State state, char byte) {
    const Node *node = &automaton->grammar->nodes[state.node];
    if (byte == '-' && state.inside == BEGINS) {
        state.inside = SIGNED;
        state.negative = true;
        Range range = range_of(node, true);
        if (range.low <= range.high) automaton_add(automaton, state);
        return;
    }
    bool behind = state.inside == POINT || state.inside == FRACTION;
    if (byte == '.' && !behind && state.inside != BEGINS && state.inside != SIGNED) {
        state.inside = POINT;
        if (node->places) settle(automaton, node, state);
        return;
    }
    if (!is_digit(byte) || state.inside == ZERO) return;
    if (behind && state.part++ == node->places) return;
    state.units = 10 * state.units + (byte - '0');
    state.inside = behind ? FRACTION : state.units ? WHOLE : ZERO;
    settle(automaton, node, state);
}
