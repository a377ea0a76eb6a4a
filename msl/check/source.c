#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

char *source_line(const char *path, unsigned number) {
    FILE *file = fopen(path, "r");
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
