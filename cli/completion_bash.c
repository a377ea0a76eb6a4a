/* completion_bash.c — a script for bash, from 3.2 (of macOS) on. */
#include "completion.h"

static const char head[] =
    "# Completion of metal-llm for bash, written by `metal-llm completion bash`.\n"
    "# shellcheck disable=SC2207 # there is no mapfile in bash 3.2\n"
    "\n"
    "_metal_llm_models() {\n"
    "    local path\n"
    "    for path in \"${XDG_DATA_HOME:-$HOME/.local/share}\"/metal-llm/models/*; do\n"
    "        [ -e \"$path\" ] || continue\n"
    "        path=${path##*/}\n"
    "        echo \"${path%.gguf}\"\n"
    "    done\n"
    "}\n"
    "\n"
    "# The names that a verb lists when it is given none.\n"
    "_metal_llm_listed() {\n"
    "    metal-llm \"$1\" 2>/dev/null | sed -n 's/^\\([^ ][^ ]*\\)  *.*/\\1/p'\n"
    "}\n"
    "\n"
    "_metal_llm() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local verb=${COMP_WORDS[1]} options='' words='' kinds='' IFS=$' \\n'\n"
    "    # --device=cpu is three words\n"
    "    if [ \"$current\" = = ]; then\n"
    "        current=''\n"
    "    elif [ \"$before\" = = ]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    [ \"$COMP_CWORD\" -gt 1 ] || verb=''\n"
    "    case $verb in\n";

static const char tail[] =
    "    esac\n"
    "    case $current in -*) [ -n \"$options\" ] && words=$options kinds='' ;; esac\n"
    "    case $kinds in *models*) words=\"$words $(_metal_llm_models)\" ;; esac\n"
    "    case $kinds in *listed*) words=\"$words $(_metal_llm_listed \"$verb\")\" ;; esac\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
    "    IFS=$'\\n'\n"
    "    case $kinds in\n"
    "    *files*) COMPREPLY+=($(compgen -f -- \"$current\")) ;;\n"
    "    *folders*) COMPREPLY+=($(compgen -d -- \"$current\")) ;;\n"
    "    *) return ;;\n"
    "    esac\n"
    "    type compopt >/dev/null 2>&1 && compopt -o filenames\n"
    "}\n"
    "complete -F _metal_llm metal-llm\n";

static void print_values(const Values *values) {
    bool files = values->files || values->models;
    if (*values->words) printf(" words='%s'", values->words);
    if (files || values->folders || values->listed)
        printf(" kinds='%s%s%s%s'", values->models ? "models " : "", files ? "files " : "",
               values->folders ? "folders " : "", values->listed ? "listed " : "");
}

static void print_name(const Option *option) {
    printf("%s%s", option_dashes(option), option->name);
}

/* What completes the value of each option; of those of which nothing is known, nothing. */
static void print_options(const OptionTable *table) {
    const char *between = "        ";
    for (size_t i = 0; i < table->count; i++) {
        const Option *option = &table->options[i];
        Values values = values_of_option(option);
        if (!values_are_known(&values)) continue;
        fputs("        ", stdout);
        print_name(option);
        putchar(')');
        print_values(&values);
        puts(" ;;");
    }
    for (size_t i = 0; i < table->count; i++) {
        const Option *option = &table->options[i];
        Values values = values_of_option(option);
        if (!option->value || values_are_known(&values)) continue;
        fputs(between, stdout);
        print_name(option);
        between = " | ";
    }
    if (between[1] == '|') puts(") ;;");
}

static void print_verb(const OptionTable *table) {
    Values values = values_of_verb(table->verb);
    printf("    %s)\n        case $before in\n", table->verb->name);
    print_options(table);
    fputs("        *) options='", stdout);
    for (size_t i = 0; i < table->count; i++) {
        print_name(&table->options[i]);
        putchar(' ');
    }
    fputs("--help'", stdout);
    print_values(&values);
    puts(" ;;\n        esac\n        ;;");
}

static void print_verbs(void) {
    for (size_t i = 0; i < verb_count; i++)
        printf(" %s", verbs[i].name);
}

void completion_bash(void) {
    fputs(head, stdout);
    fputs("    '') words='help --help --version", stdout);
    print_verbs();
    fputs("' ;;\n    help) words='", stdout);
    for (size_t i = 0; i < topic_count; i++)
        printf("%s ", topics[i].name);
    print_verbs();
    puts("' ;;");
    for (size_t i = 0; i < verb_count; i++)
        verb_show(&verbs[i], print_verb);
    fputs(tail, stdout);
}
