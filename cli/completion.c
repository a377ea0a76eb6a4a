#include "completion.h"

#include <stdlib.h>
#include <string.h>

/* --- what completes --- */

static void append_word(Values *values, const char *word, size_t length) {
    size_t used = strlen(values->words);
    snprintf(values->words + used, sizeof values->words - used, "%s%.*s", used ? " " : "",
             (int)length, word);
}

/* "chatml llama3 FILE": a FILE stands for any. */
static void append_words(Values *values, const char *words) {
    while (*words) {
        size_t length = strcspn(words, " ");
        if (length == 4 && !strncmp(words, "FILE", 4))
            values->files = true;
        else
            append_word(values, words, length);
        words += length + (words[length] == ' ');
    }
}

Values values_of_option(const Option *option) {
    Values values = {0};
    if (!option->value) return values;
    values.models = !strcmp(option->value, "MODEL");
    values.files = !strcmp(option->value, "FILE");
    values.folders = !strcmp(option->value, "DIR");
    if (option->choices)
        for (const ChoiceName *choice = option->choices; choice->name; choice++)
            append_word(&values, choice->name, strlen(choice->name));
    if (option->words) append_words(&values, option->words);
    return values;
}

/* The synopsis says it: "bash|zsh|fish" are words, a NAME is one of those that the verb lists. */
Values values_of_verb(const Verb *verb) {
    Values values = {.models = verb->takes_model};
    values.listed = strstr(verb->synopsis, "NAME") != NULL;
    values.files = strstr(verb->synopsis, "FILE") || strstr(verb->synopsis, "IN") ||
                   strstr(verb->synopsis, "WHEEL");
    const char *at = verb->synopsis;
    for (size_t length; (length = strspn(at, "abcdefghijklmnopqrstuvwxyz")); at += length + 1) {
        append_word(&values, at, length);
        if (!at[length]) break;
    }
    return values;
}

/* --- the verb --- */

int verb_completion(Arguments *arguments) {
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    const char *name = arguments->count ? arguments->values[0] : "";
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (strcmp(shells[i].name, name)) continue;
        shells[i].print();
        return EXIT_SUCCESS;
    }
    return usage_error(arguments->verb, "which shell? bash, zsh or fish, not '%s'", name);
}
