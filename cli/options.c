#include "options.h"
#include "suggest.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MOST = 32, LONG_BASE = 256 };

static bool is_letter(const Option *option) {
    return option->name[1] == 0;
}

static const char *dashes(const Option *option) {
    return is_letter(option) ? "-" : "--";
}

/* --- help --- */

static void print_default(const Option *option) {
    if (option->type == OPTION_UINT32 && *(uint32_t *)option->target)
        printf(" (default %u)", *(uint32_t *)option->target);
    if (option->type == OPTION_FLOAT && *(float *)option->target != 0)
        printf(" (default %g)", *(float *)option->target);
}

static void print_help(const Verb *verb, const Option *options, size_t count) {
    printf("usage: metal-llm %s%s%s%s\n\n%s\n\n", verb->name, *verb->synopsis ? " " : "",
           verb->synopsis, count ? " [options]" : "", verb->help);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%s%s%s", dashes(&options[i]), options[i].name,
                 options[i].value ? " " : "", options[i].value ? options[i].value : "");
        printf("  %-16s %s", name, options[i].help);
        print_default(&options[i]);
        putchar('\n');
    }
    printf("  %-16s %s\n", "-h, --help", "print this");
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
    if (!parse_uint64(text, &value)) return false;
    if ((double)value < option->least || (double)value > option->most) return false;
    *(uint32_t *)option->target = (uint32_t)value;
    return true;
}

static bool parse_float(const Option *option, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    if (!(value >= option->least && value <= option->most)) return false;
    *(float *)option->target = (float)value;
    return true;
}

static bool append_text(const Option *option, const char *text) {
    OptionTexts *list = option->target;
    if (!*text || list->count == OPTION_TEXTS_MOST) return false;
    list->texts[list->count++] = text;
    return true;
}

static bool parse_value(const Option *option, const char *text) {
    switch (option->type) {
    case OPTION_FLAG: return *(bool *)option->target = true;
    case OPTION_TEXT: *(const char **)option->target = text; return true;
    case OPTION_TEXTS: return append_text(option, text);
    case OPTION_UINT32: return parse_uint32(option, text);
    case OPTION_UINT64: return parse_uint64(text, option->target);
    case OPTION_FLOAT: return parse_float(option, text);
    }
    return false;
}

static int value_error(const Verb *verb, const Option *option, const char *text) {
    char expected[96] = "a whole number from 0 to 18446744073709551615";
    if (option->type == OPTION_UINT32)
        snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", option->least,
                 option->most);
    if (option->type == OPTION_FLOAT)
        snprintf(expected, sizeof expected, "a number from %g to %g", option->least, option->most);
    if (option->type == OPTION_TEXTS)
        snprintf(expected, sizeof expected, "a text that is not empty, at most %d times",
                 OPTION_TEXTS_MOST);
    return usage_error(verb, "%s%s takes %s, not '%s'", dashes(option), option->name, expected,
                       text);
}

/* --- getopt_long's view of the table --- */

typedef struct Getopt {
    char letters[2 * OPTIONS_MOST + 4];
    struct option longs[OPTIONS_MOST + 2];
} Getopt;

static Getopt getopt_tables(const Option *options, size_t count) {
    Getopt tables = {.letters = ":h", .longs = {{"help", no_argument, NULL, 'h'}}};
    char *letter = tables.letters + 2;
    struct option *next = tables.longs + 1;
    for (size_t i = 0; i < count; i++) {
        if (is_letter(&options[i])) {
            *letter++ = options[i].name[0];
            if (options[i].value) *letter++ = ':';
        } else {
            *next++ = (struct option){options[i].name,
                                      options[i].value ? required_argument : no_argument, NULL,
                                      LONG_BASE + (int)i};
        }
    }
    return tables;
}

static const Option *find(const Option *options, size_t count, int code) {
    if (code >= LONG_BASE) return &options[code - LONG_BASE];
    for (size_t i = 0; i < count; i++)
        if (is_letter(&options[i]) && options[i].name[0] == code) return &options[i];
    return NULL;
}

static int unknown_option(const Verb *verb, const Option *options, size_t count, const char *text) {
    const char *names[OPTIONS_MOST + 1] = {"help"};
    for (size_t i = 0; i < count; i++) names[i + 1] = options[i].name;
    const char *close = suggest(text + 2, names, count + 1);
    if (close) return usage_error(verb, "unknown option '%s'; did you mean --%s?", text, close);
    return usage_error(verb, "unknown option '%s'", text);
}

/* What getopt_long refuses with '?': an unknown option, or a flag with a value. */
static int refused(const Verb *verb, const Option *options, size_t count, const char *text) {
    const Option *option = optopt ? find(options, count, optopt) : NULL;
    if (option || optopt == 'h')
        return usage_error(verb, "--%s takes no value", option ? option->name : "help");
    if (optopt) return usage_error(verb, "unknown option '-%c'", optopt);
    return unknown_option(verb, options, count, text);
}

bool options_parse(Arguments *arguments, const Option *options, size_t count, int *status) {
    const Verb *verb = arguments->verb;
    Getopt tables = getopt_tables(options, count);
    int code;
    opterr = 0;
    while ((code = getopt_long(arguments->count, arguments->values, tables.letters, tables.longs,
                               NULL)) != -1) {
        const char *text = arguments->values[optind - 1];
        const Option *option = find(options, count, code == ':' ? optopt : code);
        if (code == 'h') {
            print_help(verb, options, count);
            *status = EXIT_SUCCESS;
            return false;
        }
        *status = EXIT_SUCCESS;
        if (code == '?') *status = refused(verb, options, count, text);
        else if (code == ':')
            *status = usage_error(verb, "%s%s needs a value", dashes(option), option->name);
        else if (!parse_value(option, optarg)) *status = value_error(verb, option, optarg);
        if (*status) return false;
    }
    arguments->count -= optind;
    arguments->values += optind;
    if (arguments->count <= verb->most) return true;
    *status = usage_error(verb, "there is no use for '%s'; put quotes round a text with spaces",
                          arguments->values[verb->most]);
    return false;
}
