#include "source.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 64 << 20 };

/* A kernel's #line may name anything: a pipe would wait, /dev/zero has no end. */
static FILE *open_source(const char *path) {
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool usable = descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                  status.st_size <= MOST_BYTES;
    FILE *file = usable ? fdopen(descriptor, "r") : NULL;
    if (!file && descriptor >= 0) close(descriptor);
    return file;
}

char *source_line(const char *path, unsigned number) {
    FILE *file = open_source(path);
    char *line = NULL;
    size_t size = 0;
    ssize_t length = -1;
    for (unsigned i = 0; file && i < number; i++)
        length = getline(&line, &size, file);
    if (file) fclose(file);
    if (length >= 0) {
        line[strcspn(line, "\r\n")] = 0;
        return line;
    }
    free(line);
    return NULL;
}

bool source_declares(const char *text, const char *number) {
    size_t length = strlen(number);
    for (const char *at = text; (at = strstr(at, number)); at += length) {
        const char *behind = at + length + strspn(at + length, " ");
        if (at - text > 1 && at[-1] == ' ' && isalnum((unsigned char)at[-2]) && *behind == '=' &&
            behind[1] != '=')
            return true;
    }
    return false;
}

bool source_packs(const char *text) {
    return strstr(text, "((packed") || strstr(text, "((__packed__") ||
           strstr(text, "gnu::packed") || strstr(text, "#pragma pack");
}

void source_leave_out_advice(char *text) {
    static const char *const pragmas[] = {"#pragma unroll", "#pragma clang loop", "#pragma METAL"};
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++)
            if (!strncmp(line, pragmas[i], strlen(pragmas[i])))
                memset(line, ' ', strcspn(line, "\n"));
    }
}
