#include "help.h"
#include "suggest.h"

#include <stdlib.h>
#include <string.h>

void help_print(FILE *file) {
    fputs("usage: metal-llm VERB [arguments]\n\n"
          "Run language models (Llama, Qwen, Gemma, GPT-2 …) with Metal compute kernels, on any "
          "machine.\n\n",
          file);
    for (size_t i = 0; i < verb_count; i++)
        fprintf(file, "  %-10s %-20s %s\n", verbs[i].name, verbs[i].synopsis, verbs[i].summary);
    fputs("\n  metal-llm VERB --help    what the verb does, and its options\n"
          "  metal-llm help TOPIC     on a verb, or on what verbs share:\n",
          file);
    for (size_t i = 0; i < topic_count; i++)
        fprintf(file, "    %-11s            %s\n", topics[i].name, topics[i].summary);
    fputs("  metal-llm help --man     the manual page\n"
          "  metal-llm --version      the version\n\n"
          "Without a MODEL, the one that comes with the program is used:\n\n"
          "  metal-llm run \"Once upon a time\"\n",
          file);
}

const char *help_default(const Option *option) {
    static char text[48];
    *text = 0;
    if (option->type == OPTION_UINT32 && *(uint32_t *)option->target)
        snprintf(text, sizeof text, " (default %u)", *(uint32_t *)option->target);
    if (option->type == OPTION_FLOAT && *(float *)option->target != 0)
        snprintf(text, sizeof text, " (default %g)", *(float *)option->target);
    return text;
}

void help_print_verb(const OptionTable *table) {
    const Verb *verb = table->verb;
    printf("usage: metal-llm %s%s%s%s\n\n%s\n\n", verb->name, *verb->synopsis ? " " : "",
           verb->synopsis, table->count ? " [options]" : "", verb->help);
    for (size_t i = 0; i < table->count; i++) {
        const Option *option = &table->options[i];
        char name[32];
        snprintf(name, sizeof name, "%s%s %s", option_dashes(option), option->name,
                 option->value ? option->value : "");
        printf("  %-16s %s%s\n", name, option->help, help_default(option));
    }
    printf("  %-16s %s\n", "-h, --help", "print this");
}

/* --- topics --- */

static void print_topic(const Topic *topic) {
    int width = 0;
    for (size_t i = 0; topic->entries[i].name; i++)
        if ((int)strlen(topic->entries[i].name) > width)
            width = (int)strlen(topic->entries[i].name);
    printf("%s\n\n", topic->text);
    for (size_t i = 0; topic->entries[i].name; i++)
        printf("  %-*s  %s\n", width, topic->entries[i].name, topic->entries[i].meaning);
}

static int unknown_topic(const char *name) {
    const char *names[128];
    size_t count = 0;
    for (size_t i = 0; i < verb_count; i++)
        names[count++] = verbs[i].name;
    for (size_t i = 0; i < topic_count; i++)
        names[count++] = topics[i].name;
    const char *close = suggest(name, names, count);
    if (close) return usage_error(NULL, "no help on '%s'; did you mean %s?", name, close);
    return usage_error(NULL, "no help on '%s'", name);
}

static int help_on(const char *name) {
    const Verb *verb = verb_find(name);
    if (verb) verb_show(verb, help_print_verb);
    for (size_t i = 0; i < topic_count; i++) {
        if (strcmp(topics[i].name, name)) continue;
        print_topic(&topics[i]);
        return EXIT_SUCCESS;
    }
    return verb ? EXIT_SUCCESS : unknown_topic(name);
}

int help(int count, char **names) {
    if (count > 1) return usage_error(NULL, "help takes one topic, not also '%s'", names[1]);
    if (count == 0) help_print(stdout);
    if (count == 1 && !strcmp(names[0], "--man"))
        manual_print();
    else if (count == 1)
        return help_on(names[0]);
    return EXIT_SUCCESS;
}
