/* manual.c — the manual page, from the tables of verbs, options and topics. */
#include "help.h"

#include <ctype.h>
#include <string.h>

/* Text as troff reads it: its own characters are escaped, a hyphen is one that can be searched for.
 */
static void print_text(const char *text) {
    bool begins = true; /* a line, where . and ' would be commands */
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        begins = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

/* Paragraphs, separated by empty lines; lines that are indented stay as they are. */
static void print_paragraphs(const char *text) {
    bool was_indented = false;
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        char line[256];
        length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s\n", (int)length, text);
        bool is_indented = *line == ' ';
        if (is_indented != was_indented) puts(is_indented ? ".PP\n.nf" : ".fi\n.PP");
        if (length)
            print_text(line);
        else if (text[1] != ' ')
            puts(".PP");
        was_indented = is_indented;
    }
    if (was_indented) puts(".fi");
}

/* "exit-codes" as a heading: EXIT CODES. */
static void print_heading(const char *name) {
    fputs(".SH ", stdout);
    for (; *name; name++)
        putchar(*name == '-' ? ' ' : toupper((unsigned char)*name));
    putchar('\n');
}

static void print_option(const Option *option) {
    fputs(".TP\n\\fB", stdout);
    print_text(option_dashes(option));
    print_text(option->name);
    fputs("\\fR", stdout);
    if (option->value) {
        fputs(" \\fI", stdout);
        print_text(option->value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    print_text(option->help);
    print_text(help_default(option));
    putchar('\n');
}

static void print_options(const OptionTable *table, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++)
        print_option(&table->options[i]);
}

static void print_verb(const OptionTable *table) {
    const Verb *verb = table->verb;
    printf(".SS \"%s", verb->name);
    if (*verb->synopsis) putchar(' ');
    print_text(verb->synopsis);
    puts("\"");
    print_paragraphs(verb->help);
    print_options(table, 0, table->own);
    if (table->own < table->count) puts(".PP\nIt runs a model, and has the options of those, too.");
}

static void print_shared(const OptionTable *table) {
    print_options(table, table->own, table->count);
}

static void print_topic(const Topic *topic) {
    print_heading(topic->name);
    print_paragraphs(topic->text);
    for (size_t i = 0; topic->entries[i].name; i++) {
        fputs(".TP\n\\fB", stdout);
        print_text(topic->entries[i].name);
        fputs("\\fR\n", stdout);
        print_text(topic->entries[i].meaning);
        putchar('\n');
    }
}

void manual_print(void) {
    printf(
        ".TH METAL\\-LLM 1 \"\" \"metal\\-llm %s\" \"User Commands\"\n"
        ".SH NAME\nmetal\\-llm \\- run language models with Metal compute kernels\n"
        ".SH SYNOPSIS\n.B metal\\-llm\n.I VERB\n.RI [ arguments ]\n.br\n"
        ".B metal\\-llm help\n.RI [ VERB \" | \" TOPIC ]\n.SH DESCRIPTION\n"
        "Run language models (Llama, Qwen, Gemma, GPT\\-2 …) with Metal compute kernels, on any "
        "machine.\nText goes to standard output, everything else to standard error.\n.SH VERBS\n",
        llm_version());
    for (size_t i = 0; i < verb_count; i++)
        verb_show(&verbs[i], print_verb);
    puts(".SH OPTIONS OF VERBS THAT RUN A MODEL");
    verb_show(verb_find("run"), print_shared);
    puts(".PP\nEvery verb has \\fB\\-h\\fR and \\fB\\-\\-help\\fR.");
    for (size_t i = 0; i < topic_count; i++)
        print_topic(&topics[i]);
    puts(".SH EXAMPLES\n.nf\n"
         "metal\\-llm run \"Once upon a time\"\n"
         "metal\\-llm get smollm2\n"
         "metal\\-llm chat \\-m smollm2\n"
         "metal\\-llm serve \\-m smollm2\n.fi");
}
