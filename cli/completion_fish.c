/* completion_fish.c — a script for fish. */
#include "completion.h"

static const char head[] =
    "# Completion of metal-llm for fish, written by `metal-llm completion fish`.\n"
    "\n"
    "function __metal_llm_models\n"
    "    set -l data ~/.local/share\n"
    "    test -n \"$XDG_DATA_HOME\"; and set data $XDG_DATA_HOME\n"
    "    for path in $data/metal-llm/models/*\n"
    "        string replace -r '.*/' '' -- $path | string replace -r '\\.gguf$' ''\n"
    "    end\n"
    "end\n"
    "\n"
    "# The names that a verb lists when it is given none.\n"
    "function __metal_llm_listed\n"
    "    metal-llm $argv[1] 2>/dev/null | string match -r '^\\S+'\n"
    "end\n"
    "\n"
    "complete -c metal-llm -f\n"
    "complete -c metal-llm -n __fish_use_subcommand -l version -d 'print the version'\n";

/* "-a 'f32 f16'" and -F, where files may follow. */
static void print_values(const Values *values, const char *verb) {
    if (*values->words) printf(" -a '%s'", values->words);
    if (values->models) fputs(" -a '(__metal_llm_models)'", stdout);
    if (values->listed) printf(" -a '(__metal_llm_listed %s)'", verb);
    if (values->folders) fputs(" -a '(__fish_complete_directories)'", stdout);
    if (values->files || values->models) fputs(" -F", stdout);
}

static void print_description(const char *text) {
    fputs(" -d '", stdout);
    for (; *text; text++)
        printf("%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    puts("'");
}

static void print_verb(const OptionTable *table) {
    const char *verb = table->verb->name;
    Values values = values_of_verb(table->verb);
    if (values_are_known(&values)) {
        printf("complete -c metal-llm -n '__fish_seen_subcommand_from %s'", verb);
        print_values(&values, verb);
        putchar('\n');
    }
    for (size_t i = 0; i < table->count; i++) {
        const Option *option = &table->options[i];
        printf("complete -c metal-llm -n '__fish_seen_subcommand_from %s' -%c %s%s", verb,
               option_is_letter(option) ? 's' : 'l', option->name, option->value ? " -r" : "");
        Values own = values_of_option(option);
        print_values(&own, verb);
        print_description(option->help);
    }
    printf("complete -c metal-llm -n '__fish_seen_subcommand_from %s' -s h -l help", verb);
    print_description("print help");
}

static void print_word(const char *condition, const char *name, const char *summary) {
    printf("complete -c metal-llm -n '%s' -a %s", condition, name);
    print_description(summary);
}

void completion_fish(void) {
    fputs(head, stdout);
    for (size_t i = 0; i < verb_count; i++)
        print_word("__fish_use_subcommand", verbs[i].name, verbs[i].summary);
    print_word("__fish_use_subcommand", "help", "help on a verb or a topic");
    for (size_t i = 0; i < verb_count; i++)
        print_word("__fish_seen_subcommand_from help", verbs[i].name, verbs[i].summary);
    for (size_t i = 0; i < topic_count; i++)
        print_word("__fish_seen_subcommand_from help", topics[i].name, topics[i].summary);
    for (size_t i = 0; i < verb_count; i++)
        verb_show(&verbs[i], print_verb);
}
