#include "report.h"
#include "error.h"
#include "suppress.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024, LINE_BYTES = 8192 }; /* with a path or two */

static const char *const kinds[] = {
    [FINDING_RACE] = "race",
    [FINDING_OUT_OF_BOUNDS] = "out-of-bounds",
    [FINDING_UNWRITTEN] = "unwritten",
    [FINDING_CONST] = "const",
    [FINDING_BARRIER] = "barrier",
    [FINDING_INACTIVE_LANE] = "inactive-lane",
    [FINDING_ORDER] = "order",
    [FINDING_FAULT] = "fault",
    [FINDING_MISALIGNED] = "misaligned",
    [FINDING_NEVER_WRITTEN] = "never-written",
    [FINDING_SHIFT] = "shift",
    [FINDING_DISPATCH] = "dispatch",
};
_Static_assert(sizeof kinds / sizeof *kinds == FINDING_KINDS, "a name for each kind");

static const char *const severities[] = {"error", "warning", "note"};

static const char *const spaces[] = {
    [SPACE_DEVICE] = "device",     [SPACE_THREADGROUP] = "threadgroup", [SPACE_TEXTURE] = "texture",
    [SPACE_CONSTANT] = "constant", [SPACE_PRIVATE] = "thread",
};

const char *report_kind(FindingKind kind) {
    return kinds[kind];
}

/* --- in words --- */

/* A message that is put together piece by piece. */
typedef struct Message {
    char text[MESSAGE_BYTES];
    size_t used;
} Message;

__attribute__((format(printf, 2, 3))) static void say(Message *message, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(message->text + message->used, MESSAGE_BYTES - message->used, format, arguments);
    va_end(arguments);
    if (length > 0) message->used += (size_t)length;
    if (message->used >= MESSAGE_BYTES) message->used = MESSAGE_BYTES - 1;
}

static void say_thread(Message *message, const Witness *who) {
    say(message, "thread %u of threadgroup (%u,%u,%u)", who->thread, who->group.x, who->group.y,
        who->group.z);
}

static void say_memory(Message *message, const Finding *finding) {
    say(message, "'%s'", finding->name);
    if (finding->space == SPACE_THREADGROUP && finding->index >= 0)
        say(message, " [[threadgroup(%d)]]", finding->index);
    else if (finding->space == SPACE_THREADGROUP)
        say(message, " (threadgroup memory)");
    else if (finding->space == SPACE_TEXTURE && finding->index >= 0)
        say(message, " [[texture(%d)]]", finding->index);
    else if (finding->index >= 0)
        say(message, " [[buffer(%d)]]", finding->index);
}

static void say_bytes(Message *message, const Finding *finding) {
    if (*finding->part)
        say(message, "%s", finding->part);
    else if (finding->bytes == 1)
        say(message, "byte %td", finding->offset);
    else
        say(message, "bytes %td-%td", finding->offset,
            finding->offset + (ptrdiff_t)finding->bytes - 1);
}

static bool same_group(const Witness *a, const Witness *b) {
    return a->group.x == b->group.x && a->group.y == b->group.y && a->group.z == b->group.z;
}

static const char *verb(const Witness *who) {
    return who->atomic   ? who->writes ? "atomically changes" : "atomically reads"
           : who->writes ? "writes"
                         : "reads";
}

static void say_race(Message *message, const Finding *finding) {
    const Witness *at = &finding->at, *other = &finding->other;
    say_thread(message, at);
    say(message, " %s ", verb(at));
    say_bytes(message, finding);
    say(message, " of ");
    say_memory(message, finding);
    say(message, ", which ");
    if (same_group(at, other) && at->thread == other->thread) {
        say(message, "it wrote in line %d itself; no fence() of the texture stands between the two",
            other->place.line);
        return;
    }
    if (same_group(at, other))
        say(message, "thread %u", other->thread);
    else
        say_thread(message, other);
    say(message, " %s in line %d; ", verb(other), other->place.line);
    if (!same_group(at, other))
        say(message, "nothing orders threadgroups");
    else if (finding->weak_barrier)
        say(message, "the barrier between the two does not name mem_flags::mem_%s",
            spaces[finding->space]);
    else
        say(message, "no barrier orders the two in %s memory", spaces[finding->space]);
    if (finding->same_value) say(message, "; both write the same value");
}

static void say_bounds(Message *message, const Finding *finding) {
    say_thread(message, &finding->at);
    ptrdiff_t behind = finding->offset - (ptrdiff_t)finding->size;
    say(message, " %s %zu byte%s of ", verb(&finding->at), finding->bytes,
        finding->bytes == 1 ? "" : "s");
    say_memory(message, finding);
    if (finding->offset < 0)
        say(message, ", %td bytes before its start", -finding->offset);
    else if (behind > 0)
        say(message, ", %td bytes past its end", behind);
    else if (behind == 0)
        say(message, ", just past its end");
    else
        say(message, ", across its end");
    say(message, " (it has %zu bytes)", finding->size);
}

static void say_unwritten(Message *message, const Finding *finding) {
    say_thread(message, &finding->at);
    if (finding->at.writes) {
        say(message, " writes to ");
        say_bytes(message, finding);
        say(message, " of ");
        say_memory(message, finding);
        say(message, " what it has from a lane in which nothing was written");
        return;
    }
    say(message, " reads ");
    if (finding->space == SPACE_PRIVATE) {
        if (!*finding->name)
            say(message, "a variable");
        else
            say(message, "'%s' (declared in line %d)", finding->name, finding->other.place.line);
        if (finding->bytes < finding->size) {
            say(message, ", ");
            say_bytes(message, finding);
        }
    } else {
        say_bytes(message, finding);
        say(message, " of ");
        say_memory(message, finding);
    }
    say(message, ", which nothing wrote before");
}

static void say_const(Message *message, const Finding *finding) {
    say_thread(message, &finding->at);
    say(message, " writes to ");
    say_memory(message, finding);
    say(message, ", which the kernel may only read (%s)",
        finding->space == SPACE_CONSTANT ? "constant" : "const");
}

static Message describe(const Finding *finding) {
    Message message = {.used = 0};
    if (*finding->detail) {
        if (finding->kind == FINDING_OUT_OF_BOUNDS || finding->kind == FINDING_CONST ||
            finding->kind == FINDING_INACTIVE_LANE || finding->kind == FINDING_MISALIGNED ||
            finding->at.code) {
            say_thread(&message, &finding->at);
            say(&message, ": ");
        }
        say(&message, "%s", finding->detail);
        return message;
    }
    switch (finding->kind) {
    case FINDING_RACE:
        say_race(&message, finding);
        break;
    case FINDING_OUT_OF_BOUNDS:
        say_bounds(&message, finding);
        break;
    case FINDING_UNWRITTEN:
        say_unwritten(&message, finding);
        break;
    case FINDING_CONST:
        say_const(&message, finding);
        break;
    default:
        say(&message, "%s", kinds[finding->kind]);
    }
    return message;
}

/* --- which to show --- */

static bool same_place(Place a, Place b) {
    return a.line == b.line && !strcmp(a.file ? a.file : "", b.file ? b.file : "");
}

static bool same_finding(const Finding *a, const Finding *b) {
    if (a->kind != b->kind) return false;
    /* The array's index was out of bounds, so the access is, too. */
    if (a->kind == FINDING_OUT_OF_BOUNDS && *a->detail && same_place(a->at.place, b->at.place) &&
        b->space == SPACE_THREADGROUP)
        return true;
    if (strcmp(a->name, b->name)) return false;
    if (a->kind == FINDING_ORDER) return true; /* once for each buffer */
    /* Of a vector its elements are misaligned, too. */
    if (a->kind != FINDING_MISALIGNED && strcmp(a->detail, b->detail)) return false;
    return (same_place(a->at.place, b->at.place) && same_place(a->other.place, b->other.place)) ||
           (same_place(a->at.place, b->other.place) && same_place(a->other.place, b->at.place));
}

static const char *file_of(const Report *report, Place place) {
    return place.file ? place.file : report->file;
}

static bool is_suppressed(const Report *report, const Finding *finding) {
    const Place *at = &finding->at.place, *other = &finding->other.place;
    return suppressed_by_rules(report->suppressed, finding) ||
           suppressed_by_comment(file_of(report, *at), at->line, finding) ||
           suppressed_by_comment(file_of(report, *other), other->line, finding);
}

static bool is_shown(const Report *report, size_t i) {
    if (is_suppressed(report, &report->findings[i])) return false;
    for (size_t j = 0; j < i; j++)
        if (same_finding(&report->findings[j], &report->findings[i])) return false;
    return true;
}

void report_line(FILE *out, const char *format, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    make_printable(line, strlen(line), "\t");
    fprintf(out, "%s\n", line);
}

size_t report_text(const Report *report, FILE *out) {
    size_t shown = 0;
    for (size_t i = 0; i < report->count; i++) {
        const Finding *finding = &report->findings[i];
        if (!is_shown(report, i)) continue;
        Message message = describe(finding);
        report_line(out, "%s:%d: %s: %s: %s: %s", file_of(report, finding->at.place),
                    finding->at.place.line, severities[finding->severity], kinds[finding->kind],
                    report->kernel, message.text);
        shown += finding->severity != SEVERITY_NOTE;
    }
    if (report->coverage) coverage_text(report->coverage, out);
    return shown;
}

/* --- JSON --- */

static cJSON *witness_json(const Report *report, const Witness *who) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "file", file_of(report, who->place));
    cJSON_AddNumberToObject(json, "line", who->place.line);
    cJSON_AddNumberToObject(json, "thread", who->thread);
    int group[] = {(int)who->group.x, (int)who->group.y, (int)who->group.z};
    cJSON_AddItemToObject(json, "threadgroup", cJSON_CreateIntArray(group, 3));
    cJSON_AddBoolToObject(json, "writes", who->writes);
    cJSON_AddBoolToObject(json, "atomic", who->atomic);
    return json;
}

static cJSON *memory_json(const Finding *finding) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", finding->name);
    cJSON_AddStringToObject(json, "space", spaces[finding->space]);
    if (finding->index >= 0) cJSON_AddNumberToObject(json, "index", finding->index);
    cJSON_AddNumberToObject(json, "size", (double)finding->size);
    cJSON_AddNumberToObject(json, "offset", (double)finding->offset);
    cJSON_AddNumberToObject(json, "bytes", (double)finding->bytes);
    if (*finding->part) cJSON_AddStringToObject(json, "part", finding->part);
    return json;
}

static cJSON *finding_json(const Report *report, const Finding *finding) {
    cJSON *json = cJSON_CreateObject();
    Message message = describe(finding);
    cJSON_AddStringToObject(json, "kind", kinds[finding->kind]);
    cJSON_AddStringToObject(json, "severity", severities[finding->severity]);
    cJSON_AddStringToObject(json, "message", message.text);
    cJSON_AddItemToObject(json, "at", witness_json(report, &finding->at));
    if (finding->kind == FINDING_RACE)
        cJSON_AddItemToObject(json, "other", witness_json(report, &finding->other));
    if (*finding->name) cJSON_AddItemToObject(json, "memory", memory_json(finding));
    return json;
}

size_t report_json(const Report *report, FILE *out) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "file", report->file);
    cJSON_AddStringToObject(json, "kernel", report->kernel);
    cJSON_AddNumberToObject(json, "seeds", report->seeds);
    cJSON_AddNumberToObject(json, "compile_seconds", report->compile_seconds);
    cJSON_AddNumberToObject(json, "run_seconds", report->run_seconds);
    cJSON *findings = cJSON_AddArrayToObject(json, "findings");
    size_t shown = 0;
    for (size_t i = 0; i < report->count; i++) {
        if (!is_shown(report, i)) continue;
        cJSON_AddItemToArray(findings, finding_json(report, &report->findings[i]));
        shown += report->findings[i].severity != SEVERITY_NOTE;
    }
    if (report->coverage) cJSON_AddItemToObject(json, "coverage", coverage_json(report->coverage));
    char *text = cJSON_Print(json);
    if (text) fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(json);
    return shown;
}

static char *failure_text;
static size_t failure_size;

void report_failures_to(char *text, size_t size) {
    failure_text = text;
    failure_size = size;
}

bool report_failure(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (failure_text) {
        vsnprintf(failure_text, failure_size, format, arguments);
        va_end(arguments);
        return false;
    }
    char message[LINE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    report_line(stderr, "metal-check: %s", message);
    return false;
}
