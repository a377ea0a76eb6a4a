/* tokenizer.json: what it says is honoured, or refused by name. Its parts:
 * github.com/huggingface/tokenizers. */
#include "folder_parser.h"
#include "split_patterns.h"
#include "vocabulary.h"

#include <string.h>

/* --- normalizer --- */

static bool read_prepend(FolderParser *parser, const cJSON *part) {
    const char *text = text_of(part, "prepend");
    if (strcmp(text, SPACE_MARK) != 0 || parser->rules.normalizer.prefix != PREFIX_NONE)
        return parser_not_supported(parser, "normalizer Prepend", text);
    parser->rules.normalizer.prefix = PREFIX_ALWAYS;
    return true;
}

static bool read_replace(FolderParser *parser, const cJSON *part) {
    const char *pattern = text_of(member(part, "pattern"), "String");
    const char *content = text_of(part, "content");
    if (strcmp(pattern, " ") != 0 || strcmp(content, SPACE_MARK) != 0)
        return parser_not_supported(parser, "normalizer Replace", content);
    parser->rules.normalizer.mark_spaces = true;
    return true;
}

static bool read_normalizer(FolderParser *parser, const cJSON *part) {
    const char *type = type_of(part);
    if (!part) return true;
    if (strcmp(type, "NFC") == 0) return parser->rules.normalizer.nfc = true;
    if (strcmp(type, "Prepend") == 0) return read_prepend(parser, part);
    if (strcmp(type, "Replace") == 0) return read_replace(parser, part);
    if (strcmp(type, "Sequence") != 0) return parser_not_supported(parser, "normalizer", type);
    const cJSON *item;
    cJSON_ArrayForEach(item, member(part, "normalizers")) {
        if (!cJSON_IsObject(item) || !read_normalizer(parser, item))
            return parser_not_supported(parser, "normalizer", type_of(item));
    }
    return true;
}

/* --- pre-tokenizer --- */

static bool add_step(FolderParser *parser, SplitStep step) {
    TokenizerRules *rules = &parser->rules;
    if (rules->step_count == SPLIT_MOST_STEPS)
        return parser_refuse(parser, "a pre_tokenizer of too many steps");
    rules->steps[rules->step_count++] = step;
    return true;
}

static bool read_byte_level(FolderParser *parser, const cJSON *part) {
    bool use_regex;
    if (!read_flag(parser, part, "use_regex", true, &use_regex) ||
        !require_false(parser, part, "add_prefix_space"))
        return false;
    parser->rules.characters = false;
    return !use_regex || add_step(parser, (SplitStep){PATTERN_GPT2, false, SPLIT_ISOLATED, false});
}

static bool read_digits(FolderParser *parser, const cJSON *part) {
    bool individual;
    if (!read_flag(parser, part, "individual_digits", false, &individual)) return false;
    const char *pattern = individual ? PATTERN_DIGIT : PATTERN_DIGITS;
    return add_step(parser, (SplitStep){pattern, false, SPLIT_ISOLATED, false});
}

static bool read_split(FolderParser *parser, const cJSON *part) {
    static const char *const behaviours[] = {
        [SPLIT_ISOLATED] = "Isolated",
        [SPLIT_REMOVED] = "Removed",
        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [SPLIT_CONTIGUOUS] = "Contiguous",
    };
    const cJSON *pattern = member(part, "pattern");
    const char *literal = text_of(pattern, "String"), *regex = text_of(pattern, "Regex");
    SplitStep step = {.pattern = *literal ? literal : pattern_known(regex),
                      .literal = *literal != 0};
    if (!step.pattern) return parser_not_supported(parser, "pre_tokenizer Split by", regex);
    if (!read_flag(parser, part, "invert", false, &step.invert)) return false;
    const char *behaviour = text_of(part, "behavior");
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        step.behaviour = (SplitBehaviour)i;
        if (strcmp(behaviour, behaviours[i]) == 0) return add_step(parser, step);
    }
    return parser_not_supported(parser, "behavior", behaviour);
}

/* "prepend_scheme" has taken the place of "add_prefix_space". */
static bool read_prepend_scheme(FolderParser *parser, const cJSON *part) {
    bool prefix;
    if (!read_flag(parser, part, "add_prefix_space", true, &prefix)) return false;
    const char *scheme = text_of(part, "prepend_scheme");
    if (*scheme == '\0') scheme = prefix ? "always" : "never";
    bool always = strcmp(scheme, "always") == 0, first = strcmp(scheme, "first") == 0;
    if (!always && !first && strcmp(scheme, "never") != 0)
        return parser_not_supported(parser, "prepend_scheme", scheme);
    parser->rules.metaspace.prefix = always || first ? PREFIX_MISSING : PREFIX_NONE;
    parser->rules.prefix_first = first;
    return true;
}

static bool read_metaspace(FolderParser *parser, const cJSON *part) {
    bool splits;
    const char *mark = text_of(part, "replacement");
    if (strcmp(mark, SPACE_MARK) != 0) return parser_not_supported(parser, "replacement", mark);
    if (parser->rules.step_count > 0 || parser->rules.metaspace.mark_spaces)
        return parser_not_supported(parser, "pre_tokenizer before", "Metaspace");
    parser->rules.metaspace.mark_spaces = true;
    if (!read_prepend_scheme(parser, part) || !read_flag(parser, part, "split", true, &splits))
        return false;
    return !splits ||
           add_step(parser, (SplitStep){SPACE_MARK, true, SPLIT_MERGED_WITH_NEXT, false});
}

static bool read_pre_tokenizer(FolderParser *parser, const cJSON *part) {
    const char *type = type_of(part);
    if (!parser->rules.characters)
        return parser_not_supported(parser, "pre_tokenizer after", "ByteLevel");
    if (strcmp(type, "ByteLevel") == 0) return read_byte_level(parser, part);
    if (strcmp(type, "Digits") == 0) return read_digits(parser, part);
    if (strcmp(type, "Split") == 0) return read_split(parser, part);
    if (strcmp(type, "Metaspace") == 0) return read_metaspace(parser, part);
    if (strcmp(type, "Sequence") != 0) return parser_not_supported(parser, "pre_tokenizer", type);
    const cJSON *item;
    cJSON_ArrayForEach(item, member(part, "pretokenizers")) {
        if (!read_pre_tokenizer(parser, item)) return false;
    }
    return true;
}

/* Bytes, or characters with marks for spaces: other vocabularies are not known. */
static bool check_alphabet(FolderParser *parser, const cJSON *pre_tokenizer) {
    const TokenizerRules *rules = &parser->rules;
    bool marks = rules->normalizer.mark_spaces || rules->metaspace.mark_spaces;
    if (rules->characters && !marks)
        return parser_not_supported(parser, "pre_tokenizer", type_of(pre_tokenizer));
    if (!rules->characters && marks)
        return parser_not_supported(parser, "space mark with pre_tokenizer", "ByteLevel");
    if (rules->normalizer.prefix == PREFIX_NONE || rules->normalizer.mark_spaces) return true;
    return parser_not_supported(parser, "normalizer", "Prepend");
}

/* --- post-processor: the tokens that begin and end a text --- */

static bool add_framing(FolderParser *parser, const cJSON *ids, bool begins) {
    uint32_t *list = begins ? parser->rules.begin : parser->rules.end;
    uint32_t *count = begins ? &parser->rules.begin_count : &parser->rules.end_count;
    const cJSON *item;
    cJSON_ArrayForEach(item, ids) {
        uint32_t id = read_id(parser, item, "of post_processor");
        if (id == UNKNOWN_ID) return false;
        if (*count == MOST_FRAMING_TOKENS)
            return parser_not_supported(parser, "post_processor", "of so many tokens");
        list[(*count)++] = id;
    }
    return cJSON_GetArraySize(ids) > 0 || parser_refuse(parser, "post_processor without ids");
}

/* {"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, …], "special_tokens":
 * {"<s>":
 * {"ids": [1]}}} */
static bool read_template(FolderParser *parser, const cJSON *part) {
    const cJSON *single = member(part, "single"), *item;
    bool before = true;
    cJSON_ArrayForEach(item, single) {
        const cJSON *special = member(item, "SpecialToken");
        const cJSON *record = member(member(part, "special_tokens"), text_of(special, "id"));
        if (special) {
            if (!add_framing(parser, member(record, "ids"), before)) return false;
        } else if (before && strcmp(text_of(member(item, "Sequence"), "id"), "A") == 0) {
            before = false;
        } else {
            return parser_not_supported(parser, "post_processor", "TemplateProcessing");
        }
    }
    return !before || parser_not_supported(parser, "post_processor", "TemplateProcessing");
}

static bool read_post_processor(FolderParser *parser, const cJSON *part) {
    const char *type = type_of(part);
    if (!part || strcmp(type, "ByteLevel") == 0) return true;
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(parser, part);
    if (strcmp(type, "Sequence") != 0) return parser_not_supported(parser, "post_processor", type);
    const cJSON *processor;
    cJSON_ArrayForEach(processor, member(part, "processors")) {
        if (!read_post_processor(parser, processor)) return false;
    }
    return true;
}

/* --- decoder: nothing to honour, since the vocabulary says what an id stands for --- */

static bool check_decoder(FolderParser *parser, const cJSON *part) {
    static const char *const known[] = {"ByteLevel", "Metaspace",    "Replace",
                                        "Fuse",      "ByteFallback", "Strip"};
    const char *type = type_of(part);
    if (!part) return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(type, known[i]) == 0) return true;
    if (strcmp(type, "Sequence") != 0) return parser_not_supported(parser, "decoder", type);
    const cJSON *item;
    cJSON_ArrayForEach(item, member(part, "decoders")) {
        if (!cJSON_IsObject(item) || !check_decoder(parser, item))
            return parser_not_supported(parser, "decoder", type_of(item));
    }
    return true;
}

/* --- model --- */

static bool require_empty(FolderParser *parser, const cJSON *object, const char *name) {
    const cJSON *item = member(object, name);
    const char *text = cJSON_GetStringValue(item);
    if (!item || (text && *text == '\0')) return true;
    return parser_not_supported(parser, name, text ? text : "of another type than text");
}

static bool read_model(FolderParser *parser, const cJSON *model) {
    const cJSON *dropout = member(model, "dropout");
    TokenizerRules *rules = &parser->rules;
    if (!cJSON_IsObject(model)) return parser_refuse(parser, "no \"model\" in it");
    if (member(model, "type") && strcmp(type_of(model), "BPE") != 0)
        return parser_not_supported(parser, "model", type_of(model));
    if (dropout && !(cJSON_IsNumber(dropout) && dropout->valuedouble == 0))
        return parser_not_supported(parser, "dropout", "other than 0");
    return read_flag(parser, model, "ignore_merges", false, &rules->whole_first) &&
           read_flag(parser, model, "byte_fallback", false, &rules->byte_tokens) &&
           read_flag(parser, model, "fuse_unk", false, &rules->fuse_unknown) &&
           require_empty(parser, model, "continuing_subword_prefix") &&
           require_empty(parser, model, "end_of_word_suffix");
}

bool read_unknown_token(FolderParser *parser, const cJSON *model) {
    const cJSON *item = member(model, "unk_token");
    const char *text = cJSON_GetStringValue(item);
    if (!item) return true;
    if (!text) return parser_refuse(parser, "\"unk_token\" is no text");
    parser->rules.unknown = tokenizer_find(parser->tokenizer, text, strlen(text));
    return true;
}

/* "truncation" and "padding" are left-overs of a training run; transformers resets them too. */
bool read_tokenizer_json(FolderParser *parser, const cJSON *json) {
    const cJSON *pre_tokenizer = member(json, "pre_tokenizer");
    parser->reading = TOKENIZER_JSON;
    parser->rules = (TokenizerRules){.characters = true, .unknown = UNKNOWN_ID};
    return read_model(parser, member(json, "model")) &&
           read_normalizer(parser, member(json, "normalizer")) &&
           (!pre_tokenizer || read_pre_tokenizer(parser, pre_tokenizer)) &&
           check_alphabet(parser, pre_tokenizer) &&
           read_post_processor(parser, member(json, "post_processor")) &&
           check_decoder(parser, member(json, "decoder"));
}
