#include "pre_tokenizers.h"

#include "split_patterns.h"

#include <string.h>

enum { MOST_NAMES = 8 };

#define ISOLATED(pattern) {pattern, false, SPLIT_ISOLATED, false}

/* llama.cpp's names of these splits, the first the one that is written; "default" stands for a
 * converter that did not know. Normalisation form C, which a GGUF file doesn't record, is Qwen's.
 */
static const struct {
    const char *names[MOST_NAMES];
    SplitStep steps[2];
    uint32_t step_count;
    bool nfc, whole_first, adds_begin;
} table[] = {
    {{"gpt-2", "default", "phi-2", "mpt", "olmo", "jais", "exaone4"},
     {ISOLATED(PATTERN_GPT2)},
     1,
     false,
     false,
     false},
    {{"smollm", "starcoder", "refact", "codeshell"},
     {ISOLATED(PATTERN_DIGIT), ISOLATED(PATTERN_GPT2)},
     2,
     false,
     false,
     false},
    {{"llama-bpe", "llama3", "llama-v3", "falcon3", "lfm2"},
     {ISOLATED(PATTERN_LLAMA3)},
     1,
     false,
     true,
     true},
    {{"smaug-bpe", "dbrx"}, {ISOLATED(PATTERN_LLAMA3)}, 1, false, false, false},
    {{"qwen2"}, {ISOLATED(PATTERN_QWEN2)}, 1, true, false, false},
    {{"deepseek-r1-qwen"}, {ISOLATED(PATTERN_QWEN2)}, 1, false, false, false},
    {{"tekken"}, {ISOLATED(PATTERN_TEKKEN)}, 1, false, true, true},
};

bool pre_tokenizer_rules(const char *name, size_t size, TokenizerRules *rules, bool *adds_begin) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t n = 0; n < MOST_NAMES && table[i].names[n]; n++) {
            const char *known = table[i].names[n];
            if (strlen(known) != size || memcmp(known, name, size) != 0) continue;
            *rules = tokenizer_default_rules();
            memcpy(rules->steps, table[i].steps, sizeof table[i].steps);
            rules->step_count = table[i].step_count;
            rules->normalizer.nfc = table[i].nfc;
            rules->whole_first = table[i].whole_first;
            *adds_begin = table[i].adds_begin;
            return true;
        }
    }
    return false;
}

static bool same_step(const SplitStep *a, const SplitStep *b) {
    return strcmp(a->pattern, b->pattern) == 0 && a->literal == b->literal &&
           a->behaviour == b->behaviour && a->invert == b->invert;
}

static bool same_normalizer(const Normalizer *a, const Normalizer *b) {
    return a->nfc == b->nfc && a->mark_spaces == b->mark_spaces && a->prefix == b->prefix;
}

static bool same_rules(const TokenizerRules *a, const TokenizerRules *b) {
    bool same = a->step_count == b->step_count && a->characters == b->characters &&
                a->whole_first == b->whole_first &&
                same_normalizer(&a->normalizer, &b->normalizer) &&
                same_normalizer(&a->metaspace, &b->metaspace);
    for (uint32_t i = 0; same && i < a->step_count; i++)
        same = same_step(&a->steps[i], &b->steps[i]);
    return same;
}

const char *pre_tokenizer_name(const TokenizerRules *rules) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *name = table[i].names[0];
        TokenizerRules named;
        bool adds_begin;
        pre_tokenizer_rules(name, strlen(name), &named, &adds_begin);
        if (same_rules(rules, &named)) return name;
    }
    return NULL;
}

const char *pre_tokenizer_names(void) {
    return "gpt-2, smollm, llama-bpe, smaug-bpe, qwen2, deepseek-r1-qwen, tekken";
}
