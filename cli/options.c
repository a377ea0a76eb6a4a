#include "options.h"
#include "device/thread_pool.h"
#include "help.h"
#include "suggest.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_BASE = 256 };

Option option_device(LLMChoice *target) {
    static const ChoiceName devices[] = {
        {"metal", LLM_METAL}, {"cuda", LLM_CUDA}, {"cpu", LLM_CPU}, {"simt", LLM_SIMT}, {0}};
    return option_choice("device", "D", target, devices,
                         "metal, cuda, cpu …: where to run (default: the best that is present)");
}

Option option_kernels(const char **target) {
    return option_text("kernels", "DIR", target,
                       "a folder of .metal files to run instead of those built in (cuda, metal)");
}

Option option_chat_template(const char **target) {
    return option_with_words(
        option_text("chat-template", "T", target,
                    "chatml, llama3, gemma, or a file of Jinja (default: the model's own)"),
        "chatml llama3 gemma FILE");
}

Option option_shape(const char **target) {
    return option_with_words(option_text("shape", "NAME", target,
                                         "random weights, no file: smollm2, qwen3-0.6b, "
                                         "llama-1b, llama-8b, llama-70b"),
                             "smollm2 qwen3-0.6b llama-1b llama-8b llama-70b");
}

Option option_shape_type(const char **target) {
    return option_with_words(
        option_text("type", "T", target, "of random weights: f16, q8_0, q4_K_M … (default: f16)"),
        "f32 f16 bf16 q8_0 q6_K q5_K q5_1 q5_0 q4_K_M q4_K q4_0");
}

static OptionTable make_table(Arguments *arguments, const Option *options, size_t count,
                              LLMOptions *pipeline) {
    OptionTable table = {.verb = arguments->verb};
    if (arguments->verb->takes_model)
        table.options[table.count++] = option_text(
            "m", "MODEL", &arguments->model, "a file, a folder, or a name in the models folder");
    if (count) memcpy(table.options + table.count, options, count * sizeof *options);
    table.own = table.count += count;
    if (!pipeline) return table;
    static const ChoiceName attentions[] = {{"flash", LLM_FLASH},
                                            {"naive", LLM_NAIVE},
                                            {"plain", LLM_PLAIN},
                                            {0}},
                            switches[] = {{"on", LLM_ON}, {"off", LLM_OFF}, {0}},
                            caches[] = {{"f32", LLM_F32}, {"f16", LLM_F16}, {0}},
                            forms[] = {{"stored", LLM_STORED}, {"f16", LLM_F16}, {0}};
    const Option shared[] = {
        option_device(&pipeline->device),
        option_choice("attention", "A", &pipeline->attention, attentions,
                      "flash (the default), naive or plain"),
        option_uint32("threads", "N", &pipeline->threads, 1, THREADS_MOST,
                      "CPU threads (default: one per core)"),
        option_uint32("context", "N", &pipeline->context, 1, UINT32_MAX,
                      "tokens of context (default: the model's own, at most 8,192)"),
        option_choice("fusion", "F", &pipeline->fusion, switches,
                      "on or off: fused kernels for decoding (default: on for GPUs)"),
        option_choice("cache", "TYPE", &pipeline->cache, caches,
                      "KV cache type: f32 or f16 (default: f32 for GPT-2, else f16)"),
        option_choice(
            "integer-products", "I", &pipeline->integer_products, switches,
            "on or off: block formats in integers (default: on for CPUs, on cuda if large)"),
        option_choice("weights", "W", &pipeline->weights, forms,
                      "stored or f16: blocks in memory (default: stored; on cuda f16 or both)"),
        option_size("cache-memory", "SIZE", &pipeline->cache_memory,
                    "memory of the KV cache at most, such as 512M or 4G (default: no limit)"),
        option_kernels(&pipeline->kernels),
        option_flag("no-mmap", &pipeline->no_mmap,
                    "read the model into memory, so that its file may change meanwhile"),
    };
    memcpy(table.options + table.count, shared, sizeof shared);
    table.count += COUNT(shared);
    return table;
}

/* --- values --- */

static bool parse_uint64(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno;
}

static bool parse_uint32(const Option *option, const char *text) {
    uint64_t value;
    if (option->least < 0 && !strcmp(text, "-1")) text = "4294967295";
    if (!parse_uint64(text, &value)) return false;
    if ((double)value < option->least || (double)value > option->most) return false;
    *(uint32_t *)option->target = (uint32_t)value;
    return true;
}

/* "1,2048" */
static bool parse_numbers(const Option *option, const char *text) {
    OptionNumbers *numbers = option->target;
    for (numbers->count = 0; numbers->count < OPTION_NUMBERS_MOST; text++) {
        char *end;
        errno = 0;
        unsigned long long value = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || errno) return false;
        if ((double)value < option->least || (double)value > option->most) return false;
        numbers->list[numbers->count++] = (uint32_t)value;
        if (!*end) return true;
        if (*end != ',') return false;
        text = end;
    }
    return false;
}

/* "512M": K, M, G and T are powers of 1,024. */
static bool parse_size(const Option *option, const char *text) {
    static const char units[] = "KMGT";
    char digits[24], *end;
    size_t length = strlen(text);
    const char *unit = length > 1 ? strchr(units, text[length - 1]) : NULL;
    snprintf(digits, sizeof digits, "%.*s", (int)(unit ? length - 1 : length), text);
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (length >= sizeof digits || digits[0] < '0' || digits[0] > '9' || *end || errno)
        return false;
    if (value == 0 || value > (SIZE_MAX >> shift)) return false;
    *(size_t *)option->target = (size_t)value << shift;
    return true;
}

static bool parse_number(const char *text, double least, double most, float *number) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    *number = (float)value;
    return value >= least && value <= most;
}

static bool parse_float(const Option *option, const char *text) {
    float value;
    if (!parse_number(text, option->least, option->most, &value)) return false;
    *(float *)option->target = value;
    return true;
}

static bool append_bias(const Option *option, const char *text) {
    OptionBiases *biases = option->target;
    const char *equals = strchr(text, '=');
    char token[16];
    uint64_t id;
    LLMLogitBias bias;
    if (!equals || (size_t)(equals - text) >= sizeof token) return false;
    snprintf(token, sizeof token, "%.*s", (int)(equals - text), text);
    if (!parse_uint64(token, &id) || id > UINT32_MAX) return false;
    bias = (LLMLogitBias){(uint32_t)id, -INFINITY};
    bool forbids = !strcmp(equals + 1, "-inf");
    if (!forbids && !parse_number(equals + 1, -10000, 10000, &bias.bias)) return false;
    if (biases->count == OPTION_BIASES_MOST) return false;
    biases->list[biases->count++] = bias;
    return true;
}

static bool append_text(const Option *option, const char *text) {
    OptionTexts *list = option->target;
    if (!*text || list->count == OPTION_TEXTS_MOST) return false;
    list->texts[list->count++] = text;
    return true;
}

static bool parse_choice(const Option *option, const char *text) {
    for (const ChoiceName *choice = option->choices; choice->name; choice++)
        if (!strcmp(choice->name, text)) {
            *(LLMChoice *)option->target = choice->choice;
            return true;
        }
    return false;
}

static bool parse_value(const Option *option, const char *text) {
    switch (option->type) {
    case OPTION_FLAG:
        return *(bool *)option->target = true;
    case OPTION_TEXT:
        *(const char **)option->target = text;
        return true;
    case OPTION_TEXTS:
        return append_text(option, text);
    case OPTION_BIASES:
        return append_bias(option, text);
    case OPTION_UINT32:
        return parse_uint32(option, text);
    case OPTION_NUMBERS:
        return parse_numbers(option, text);
    case OPTION_UINT64:
        return parse_uint64(text, option->target);
    case OPTION_SIZE:
        return parse_size(option, text);
    case OPTION_FLOAT:
        return parse_float(option, text);
    case OPTION_CHOICE:
        return parse_choice(option, text);
    }
    return false;
}

/* "metal, cuda, cpu or simt" */
static void list_choices(const ChoiceName *choices, char *text, size_t size) {
    size_t used = 0;
    for (const ChoiceName *choice = choices; choice->name && used < size; choice++) {
        const char *separator = choice == choices ? "" : choice[1].name ? ", " : " or ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator, choice->name);
    }
}

static int value_error(const Verb *verb, const Option *option, const char *text) {
    char expected[128] = "a whole number from 0 to 18446744073709551615";
    if (option->type == OPTION_UINT32)
        snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", option->least,
                 option->most);
    if (option->type == OPTION_NUMBERS)
        snprintf(expected, sizeof expected,
                 "whole numbers from %.0f to %.0f with commas between, at most %d", option->least,
                 option->most, OPTION_NUMBERS_MOST);
    if (option->type == OPTION_FLOAT)
        snprintf(expected, sizeof expected, "a number from %g to %g", option->least, option->most);
    if (option->type == OPTION_SIZE)
        snprintf(expected, sizeof expected, "a number of bytes, or one with K, M, G or T");
    if (option->type == OPTION_TEXTS)
        snprintf(expected, sizeof expected, "a text that is not empty, at most %d times",
                 OPTION_TEXTS_MOST);
    if (option->type == OPTION_BIASES)
        snprintf(expected, sizeof expected,
                 "a token's number, = and a number from -10000 to 10000 or -inf, at most %d times",
                 OPTION_BIASES_MOST);
    if (option->type == OPTION_CHOICE) list_choices(option->choices, expected, sizeof expected);
    return usage_error(verb, "%s%s takes %s, not '%s'", option_dashes(option), option->name,
                       expected, text);
}

/* --- getopt_long's view of the table --- */

typedef struct Getopt {
    char letters[2 * OPTIONS_MOST + 4];
    struct option longs[OPTIONS_MOST + 2];
} Getopt;

static Getopt getopt_tables(const OptionTable *table) {
    Getopt tables = {.letters = ":h", .longs = {{"help", no_argument, NULL, 'h'}}};
    char *letter = tables.letters + 2;
    struct option *next = tables.longs + 1;
    for (size_t i = 0; i < table->count; i++) {
        const Option *option = &table->options[i];
        int value = option->value ? required_argument : no_argument;
        if (option_is_letter(option)) {
            *letter++ = option->name[0];
            if (value) *letter++ = ':';
        } else {
            *next++ = (struct option){option->name, value, NULL, LONG_BASE + (int)i};
        }
    }
    return tables;
}

static const Option *find(const OptionTable *table, int code) {
    if (code >= LONG_BASE) return &table->options[code - LONG_BASE];
    for (size_t i = 0; i < table->count; i++)
        if (option_is_letter(&table->options[i]) && table->options[i].name[0] == code)
            return &table->options[i];
    return NULL;
}

static int unknown_option(const OptionTable *table, const char *text) {
    const char *names[OPTIONS_MOST + 1] = {"help"};
    for (size_t i = 0; i < table->count; i++)
        names[i + 1] = table->options[i].name;
    const char *close = suggest(text + 2, names, table->count + 1);
    if (!close) return usage_error(table->verb, "unknown option '%s'", text);
    return usage_error(table->verb, "unknown option '%s'; did you mean --%s?", text, close);
}

/* What getopt_long answers with '?': an unknown option, or a flag that was given a value. */
static int refuse(const OptionTable *table, const char *text) {
    const Option *option = find(table, optopt);
    if (optopt == 0) return unknown_option(table, text);
    if (!option && optopt != 'h') return usage_error(table->verb, "unknown option '-%c'", optopt);
    return usage_error(table->verb, "--%s takes no value", option ? option->name : "help");
}

/* Take in one option as getopt_long returns it; `text` is the argument that it has just read. */
static int accept_option(const OptionTable *table, int code, const char *text) {
    if (code == '?') return refuse(table, text);
    const Option *option = find(table, code == ':' ? optopt : code);
    if (code == ':')
        return usage_error(table->verb, "%s%s needs a value", option_dashes(option), option->name);
    if (!parse_value(option, optarg)) return value_error(table->verb, option, optarg);
    return EXIT_SUCCESS;
}

bool options_parse(Arguments *arguments, const Option *options, size_t count, LLMOptions *pipeline,
                   int *status) {
    const OptionTable table = make_table(arguments, options, count, pipeline);
    if (arguments->show) {
        arguments->show(&table);
        *status = EXIT_SUCCESS;
        return false;
    }
    const Getopt tables = getopt_tables(&table);
    int code;
    opterr = 0;
    while ((code = getopt_long(arguments->count, arguments->values, tables.letters, tables.longs,
                               NULL)) != -1) {
        if (code == 'h') {
            help_print_verb(&table);
            *status = EXIT_SUCCESS;
            return false;
        }
        *status = accept_option(&table, code, arguments->values[optind - 1]);
        if (*status != EXIT_SUCCESS) return false;
    }
    arguments->count -= optind;
    arguments->values += optind;
    if (table.verb->takes_model && !arguments->model && arguments->count > table.verb->most) {
        arguments->model = *arguments->values++;
        arguments->count--;
    }
    if (arguments->count <= table.verb->most) return true;
    *status = usage_error(table.verb, "there is no use for '%s'; put quotes round a text",
                          arguments->values[table.verb->most]);
    return false;
}
