#include "shift.h"

#include "tokens.h"

#include <string.h>

size_t shift_left_out(size_t count, uint32_t context) {
    size_t half = context / 2;
    if (count < context || half == 0) return 0;
    return (count - context + half) / half * half; /* at least count − (context − 1) */
}

size_t shift_kept(size_t wanted, uint32_t context) {
    return wanted < context / 4 ? wanted : context / 4;
}

bool shift_append(LLMTokens *seen, const LLMTokens *text, size_t kept, size_t left_out,
                  LLMError *error) {
    size_t rest = text->count - kept - left_out;
    if (!tokens_reserve(seen, kept + rest, error)) return false;
    memcpy(seen->ids + seen->count, text->ids, kept * sizeof *seen->ids);
    memcpy(seen->ids + seen->count + kept, text->ids + text->count - rest,
           rest * sizeof *seen->ids);
    seen->count += kept + rest;
    return true;
}
