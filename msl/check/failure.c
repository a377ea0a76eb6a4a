#include "failure.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *kept;
static int console = -1;

bool failure_listen(void) {
    kept = tmpfile();
    console = kept ? dup(STDERR_FILENO) : -1;
    return console >= 0 && dup2(fileno(kept), STDERR_FILENO) >= 0;
}

/* "FILE:LINE: message", "FILE:LINE:COLUMN: error: message" or a message alone. */
static cJSON *error_json(const char *line) {
    static const char own[] = "metal-check: ", error[] = "error: ";
    cJSON *json = cJSON_CreateObject();
    const char *colon = strchr(line, ':');
    char *end = NULL;
    long number = colon ? strtol(colon + 1, &end, 10) : 0;
    if (number > 0 && *end == ':') {
        char *path = strndup(line, (size_t)(colon - line));
        if (path) cJSON_AddStringToObject(json, "file", path);
        free(path);
        cJSON_AddNumberToObject(json, "line", (double)number);
        strtol(end + 1, &end, 10);
        line = end + strspn(end, ": ");
    }
    if (!strncmp(line, own, strlen(own))) line += strlen(own);
    if (!strncmp(line, error, strlen(error))) line += strlen(error);
    cJSON_AddStringToObject(json, "message", line);
    return json;
}

/* Lines that are indented show the source. */
static void tell_lines(cJSON *errors) {
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, kept)) > 0;) {
        fputs(line, stderr);
        line[strcspn(line, "\n")] = 0;
        if (*line && *line != ' ') cJSON_AddItemToArray(errors, error_json(line));
    }
    free(line);
}

void failure_tell(const char *file, const char *kernel, FILE *out) {
    fflush(stderr);
    dup2(console, STDERR_FILENO);
    close(console);
    rewind(kept);
    cJSON *json = cJSON_CreateObject();
    if (file) cJSON_AddStringToObject(json, "file", file);
    if (kernel) cJSON_AddStringToObject(json, "kernel", kernel);
    tell_lines(cJSON_AddArrayToObject(json, "errors"));
    fclose(kept);
    char *text = out ? cJSON_Print(json) : NULL;
    if (text) fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(json);
}
