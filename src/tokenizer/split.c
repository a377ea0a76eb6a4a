#include "split.h"

#include "split_patterns.h"
#include "utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

typedef struct CompiledStep {
    pcre2_code *code;
    SplitBehaviour behaviour;
    bool invert;
} CompiledStep;

struct Split {
    CompiledStep steps[SPLIT_MOST_STEPS];
    uint32_t count;
};

/* --- compiling --- */

static pcre2_code *compile(const SplitStep *step, LLMError *error) {
    char *text = step->literal ? NULL : pattern_for_pcre2(step->pattern, error);
    const char *pattern = step->literal ? step->pattern : text;
    if (!pattern) return NULL;
    int status;
    size_t offset;
    uint32_t options = PCRE2_UTF | (step->literal ? PCRE2_LITERAL : 0);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &status, &offset, NULL);
    free(text);
    if (!code && status == PCRE2_ERROR_HEAP_FAILED)
        return error_memory(error, strlen(step->pattern));
    if (!code)
        error_set(error, LLM_ERROR_DEVICE,
                  "PCRE2 refuses the tokenizer's pattern (error %d): install one with Unicode",
                  status);
    else
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without JIT it is slower, not different */
    return code;
}

Split *split_new(const SplitStep *steps, uint32_t count, LLMError *error) {
    Split *split = calloc(1, sizeof *split);
    if (!split) return error_memory(error, sizeof *split);
    for (; split->count < count; split->count++) {
        const SplitStep *step = &steps[split->count];
        pcre2_code *code = compile(step, error);
        split->steps[split->count] = (CompiledStep){code, step->behaviour, step->invert};
        if (code) continue;
        split_free(split);
        return NULL;
    }
    return split;
}

void split_free(Split *split) {
    if (!split) return;
    for (uint32_t i = 0; i < split->count; i++)
        pcre2_code_free(split->steps[i].code);
    free(split);
}

bool split_is_whole(const Split *split) {
    return split->count == 0;
}

/* --- splitting --- */

typedef struct Splitter {
    const Split *split;
    pcre2_match_data *match[SPLIT_MOST_STEPS]; /* of each step */
    SplitPiece on_piece;
    void *user;
    LLMError *error;
} Splitter;

/* A part of the text that a step makes. */
typedef struct Part {
    const char *text;
    size_t size;
    bool is_match, present;
} Part;

static bool split_part(Splitter *splitter, uint32_t step, const char *text, size_t size);

/* Hand a part on to the next step. */
static bool emit(Splitter *splitter, uint32_t step, Part *part) {
    bool present = part->present;
    part->present = false;
    return !present || split_part(splitter, step + 1, part->text, part->size);
}

/* Whether `next` goes to the part before it. */
static bool joins(SplitBehaviour behaviour, const Part *before, const Part *next) {
    if (!before->present) return false;
    switch (behaviour) {
    case SPLIT_CONTIGUOUS:
        return before->is_match == next->is_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return next->is_match && !before->is_match;
    case SPLIT_MERGED_WITH_NEXT:
        return before->is_match && !next->is_match;
    default:
        return false;
    }
}

static bool add_part(Splitter *splitter, uint32_t step, Part *pending, const char *text,
                     size_t size, bool is_match) {
    const CompiledStep *compiled = &splitter->split->steps[step];
    Part part = {text, size, is_match != compiled->invert, true};
    if (size == 0) return true;
    if (joins(compiled->behaviour, pending, &part)) {
        /* With what was joined to it, a part takes no more than its neighbours do. */
        pending->is_match = part.is_match;
        pending->size += size;
        return true;
    }
    if (!emit(splitter, step, pending)) return false;
    if (compiled->behaviour == SPLIT_REMOVED && part.is_match) return true;
    *pending = part;
    return true;
}

static bool split_part(Splitter *splitter, uint32_t step, const char *text, size_t size) {
    if (step == splitter->split->count) return splitter->on_piece(splitter->user, text, size);
    const pcre2_code *code = splitter->split->steps[step].code;
    pcre2_match_data *match = splitter->match[step];
    const size_t *found = pcre2_get_ovector_pointer(match);
    Part pending = {0};
    for (size_t at = 0; at < size;) {
        int status = pcre2_match(code, (PCRE2_SPTR)text, size, at,
                                 PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match, NULL);
        if (status == PCRE2_ERROR_NOMEMORY) return error_memory(splitter->error, size);
        if (status < 0 && status != PCRE2_ERROR_NOMATCH)
            return error_set(splitter->error, LLM_ERROR_ARGUMENT,
                             "PCRE2 cannot split the text at byte %zu (error %d)", at, status);
        size_t start = status < 0 ? size : found[0], end = status < 0 ? size : found[1];
        if (!add_part(splitter, step, &pending, text + at, start - at, false) ||
            !add_part(splitter, step, &pending, text + start, end - start, true))
            return false;
        at = end;
    }
    return emit(splitter, step, &pending);
}

/* How many bytes the text's first run of characters, or of bytes that are none, has. */
static size_t run_length(const char *text, size_t size, bool *characters) {
    uint32_t character;
    size_t length = utf8_decode(text, size, &character), end = 0;
    *characters = length > 0;
    do {
        end += length ? length : 1;
        length = utf8_decode(text + end, size - end, &character);
    } while (end < size && (length > 0) == *characters);
    return end;
}

static bool split_runs(Splitter *splitter, const char *text, size_t size) {
    bool going_on = true;
    for (size_t at = 0, length; going_on && at < size; at += length) {
        bool characters;
        length = run_length(text + at, size - at, &characters);
        going_on = characters ? split_part(splitter, 0, text + at, length)
                              : splitter->on_piece(splitter->user, text + at, length);
    }
    return going_on;
}

bool split_text(const Split *split, const char *text, size_t size, SplitPiece on_piece, void *user,
                LLMError *error) {
    Splitter splitter = {.split = split, .on_piece = on_piece, .user = user, .error = error};
    bool done = true;
    for (uint32_t i = 0; i < split->count && done; i++) {
        splitter.match[i] = pcre2_match_data_create_from_pattern(split->steps[i].code, NULL);
        done = splitter.match[i] != NULL;
        if (!done) error_memory(error, size);
    }
    done = done && split_runs(&splitter, text, size);
    for (uint32_t i = 0; i < split->count; i++)
        pcre2_match_data_free(splitter.match[i]);
    return done;
}
