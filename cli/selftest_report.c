#include "selftest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool report_open(Report *report, const char *path, LLMError *error) {
    report->kept = open_memstream(&report->text, &report->size);
    if (!report->kept) return error_memory(error, 1);
    if (path) report->file = output_file_open(path, error);
    return !path || report->file;
}

/* Of every absolute or relative path only the file's name stays. */
static void leave_out_folders(char *text) {
    char *to = text;
    for (const char *from = text; *from;) {
        size_t word = strcspn(from, " '\"()"), start = 0;
        if (*from == '/' || *from == '.')
            for (size_t i = 0; i < word; i++)
                if (from[i] == '/') start = i + 1;
        memmove(to, from + start, word - start);
        to += word - start;
        from += word;
        if (*from) *to++ = *from++;
    }
    *to = 0;
}

static void print(Report *report, const char *text) {
    puts(text);
    fflush(stdout);
    fprintf(report->kept, "%s\n", text);
}

void report_line(Report *report, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    print(report, line);
}

void report_row(Report *report, bool ok, const char *name, const char *format, ...) {
    char result[768], line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result, sizeof result, format, arguments);
    va_end(arguments);
    leave_out_folders(result);
    snprintf(line, sizeof line, "%-4s  %-36s  %s", ok ? "ok" : "FAIL", name, result);
    print(report, line);
    report->rows++;
    report->failed += !ok;
}

void report_skipped(Report *report, const char *name, const char *why) {
    report_line(report, "skip  %-36s  %s", name, why);
    report->skipped++;
}

void report_save(Report *report, LLMError *error) {
    if (!report->file) return;
    if (fflush(report->kept)) error_memory(error, report->size);
    output_file_write(report->file, report->text, report->size, error);
    output_file_close(report->file, error);
    report->file = NULL;
}

void report_free(Report *report) {
    if (report->kept) fclose(report->kept);
    free(report->text);
}
