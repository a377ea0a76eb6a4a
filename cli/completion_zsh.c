/* completion_zsh.c — a script for zsh: a file _metal-llm of its fpath, or read by `source`. */
#include "completion.h"

static const char head[] =
    "#compdef metal-llm\n"
    "# Completion of metal-llm for zsh, written by `metal-llm completion zsh`.\n"
    "\n"
    "_metal_llm_models() {\n"
    "    local -a models=(${XDG_DATA_HOME:-$HOME/.local/share}/metal-llm/models/*(N:t))\n"
    "    compadd -- ${models%.gguf}\n"
    "    _files\n"
    "}\n"
    "\n"
    "# The names that a verb lists when it is given none.\n"
    "_metal_llm_listed() {\n"
    "    compadd -- $(metal-llm $1 2>/dev/null | sed -n 's/^\\([^ ][^ ]*\\)  *.*/\\1/p')\n"
    "}\n"
    "\n"
    "_metal_llm() {\n"
    "    local verb=$words[2]\n"
    "    local -a verbs=(\n";

static const char tail[] = "    esac\n"
                           "}\n"
                           "\n"
                           "if [ \"$funcstack[1]\" = _metal-llm ]; then\n"
                           "    _metal_llm \"$@\"\n"
                           "else\n"
                           "    compdef _metal_llm metal-llm\n"
                           "fi\n";

/* Inside '…[…]' and '…:…' of _arguments. */
static void print_escaped(const char *text) {
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            printf("%s%c",
                   *text == '[' || *text == ']' || *text == ':' || *text == '\\' ? "\\" : "",
                   *text);
}

/* An action of _arguments. */
static void print_values(const Values *values, const char *verb) {
    if (!values_are_known(values))
        fputs(" ", stdout);
    else if (values->models)
        fputs("_metal_llm_models", stdout);
    else if (*values->words && values->files)
        printf("{compadd %s; _files}", values->words);
    else if (*values->words)
        printf("(%s)", values->words);
    else if (values->listed)
        printf("{_metal_llm_listed %s%s}", verb, values->files ? "; _files" : "");
    else
        fputs(values->folders ? "_files -/" : "_files", stdout);
}

static void print_option(const Option *option, const char *verb) {
    bool repeats = option->type == OPTION_TEXTS || option->type == OPTION_BIASES;
    printf("            '%s%s%s%s[", repeats ? "*" : "", option_dashes(option), option->name,
           option->value && !option_is_letter(option) ? "=" : "");
    print_escaped(option->help);
    putchar(']');
    if (option->value) {
        Values values = values_of_option(option);
        printf(":%s:", option->value);
        print_values(&values, verb);
    }
    puts("' \\");
}

static void print_verb(const OptionTable *table) {
    const char *name = table->verb->name;
    printf("    %s)\n        _arguments -S \\\n", name);
    for (size_t i = 0; i < table->count; i++)
        print_option(&table->options[i], name);
    fputs("            '(-)'{-h,--help}'[print help]'", stdout);
    Values values = values_of_verb(table->verb);
    if (values_are_known(&values)) {
        fputs(" \\\n            '*:argument:", stdout);
        print_values(&values, name);
        putchar('\'');
    }
    puts("\n        ;;");
}

static void print_described(const char *name, const char *summary) {
    printf("        '%s:", name);
    print_escaped(summary);
    puts("'");
}

void completion_zsh(void) {
    fputs(head, stdout);
    for (size_t i = 0; i < verb_count; i++)
        print_described(verbs[i].name, verbs[i].summary);
    puts("    )\n    local -a topics=(");
    for (size_t i = 0; i < topic_count; i++)
        print_described(topics[i].name, topics[i].summary);
    puts("    )\n"
         "    if ((CURRENT == 2)); then\n"
         "        _describe verb verbs\n"
         "        compadd -- help --help --version\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $verb in\n"
         "    help)\n"
         "        _describe verb verbs\n"
         "        _describe topic topics\n"
         "        ;;");
    for (size_t i = 0; i < verb_count; i++)
        verb_show(&verbs[i], print_verb);
    fputs(tail, stdout);
}
