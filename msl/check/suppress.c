#include "suppress.h"
#include "report.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

static bool is_kind(const char *rule, size_t length, const char *kind) {
    return strlen(kind) == length && !memcmp(rule, kind, length);
}

bool is_rule(const char *rule) {
    for (FindingKind kind = 0; kind < FINDING_KINDS; kind++)
        if (is_kind(rule, strcspn(rule, "="), report_kind(kind))) return true;
    return false;
}

/* "race" or "race=NAME", of one buffer or variable. */
static bool suppresses(const char *rule, size_t length, const Finding *finding) {
    const char *equals = memchr(rule, '=', length);
    size_t kind = equals ? (size_t)(equals - rule) : length;
    if (!is_kind(rule, kind, report_kind(finding->kind))) return false;
    return !equals || is_kind(equals + 1, length - kind - 1, finding->name);
}

bool suppressed_by_rules(const char *const *rules, const Finding *finding) {
    for (; rules && *rules; rules++)
        if (suppresses(*rules, strlen(*rules), finding)) return true;
    return false;
}

/* "race, order=out: why" */
static bool lists(const char *rules, const Finding *finding) {
    for (;; rules++) {
        rules += strspn(rules, " ");
        size_t length = strcspn(rules, " ,:\r\n");
        if (suppresses(rules, length, finding)) return true;
        rules += length + strspn(rules + length, " ");
        if (*rules != ',') return false;
    }
}

static bool line_suppresses(const char *file, int line, bool alone, const Finding *finding) {
    static const char words[] = "metal-check: suppress ";
    char *text = line > 0 ? source_line(file, (unsigned)line) : NULL;
    const char *comment = text ? strstr(text, "//") : NULL;
    bool suppresses = comment && (!alone || comment == text + strspn(text, " \t"));
    const char *rules = suppresses ? strstr(comment, words) : NULL;
    suppresses = rules && lists(rules + strlen(words), finding);
    free(text);
    return suppresses;
}

bool suppressed_by_comment(const char *file, int line, const Finding *finding) {
    return line_suppresses(file, line, false, finding) ||
           line_suppresses(file, line - 1, true, finding);
}
