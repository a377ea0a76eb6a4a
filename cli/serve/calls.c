/* calls.c — the calls of tools in what a model has written. */
#include "digits.h"
#include "tools.h"

#include <stdio.h>
#include <string.h>

/* --- while it is written --- */

size_t tools_plain(const Tools *tools, const char *text, size_t size, bool begun) {
    if (!tools->list) return size;
    if (tools->forced) return 0;
    size_t length = strlen(tools->marker);
    if (!length) { /* an object from the first letter on */
        size_t space = 0;
        while (space < size && strchr(" \t\r\n", text[space]))
            space++;
        return begun || (space < size && text[space] != '{' && text[space] != '[') ? size : 0;
    }
    for (size_t at = 0; at < size; at++) {
        size_t rest = size - at < length ? size - at : length;
        if (!memcmp(text + at, tools->marker, rest)) return at;
    }
    return size;
}

/* --- when it is whole --- */

typedef struct Reader {
    const Tools *tools;
    const char *id;
    cJSON *calls;
    const char *at;
} Reader;

static bool is_tool(const Tools *tools, const char *name) {
    const cJSON *tool;
    if (tools->name) return !strcmp(tools->name, name);
    cJSON_ArrayForEach(tool, tools->list) {
        const cJSON *function = cJSON_GetObjectItemCaseSensitive(tool, "function");
        if (!strcmp(cJSON_GetObjectItemCaseSensitive(function, "name")->valuestring, name))
            return true;
    }
    return false;
}

/* Clients get the arguments as a text of JSON. */
static char *arguments_of(const cJSON *object) {
    const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(object, "arguments");
    if (!arguments) arguments = cJSON_GetObjectItemCaseSensitive(object, "parameters");
    return cJSON_IsObject(arguments) ? cJSON_PrintUnformatted(arguments) : NULL;
}

static bool add_call(Reader *reader, const cJSON *object) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "name"));
    int count = cJSON_GetArraySize(reader->calls);
    char id[80], *arguments = name && is_tool(reader->tools, name) ? arguments_of(object) : NULL;
    if (!arguments) return false;
    snprintf(id, sizeof id, "call-%s-%d", reader->id, count);
    if (!count || !reader->tools->single) {
        cJSON *call = cJSON_CreateObject();
        cJSON_AddStringToObject(call, "id", id);
        cJSON_AddStringToObject(call, "type", "function");
        cJSON *function = cJSON_AddObjectToObject(call, "function");
        cJSON_AddStringToObject(function, "name", name);
        cJSON_AddStringToObject(function, "arguments", arguments);
        cJSON_AddItemToArray(reader->calls, call);
    }
    cJSON_free(arguments);
    return true;
}

/* An object, or a list of such. */
static bool read_value(Reader *reader) {
    const cJSON *item;
    const char *start = reader->at;
    cJSON *value = cJSON_ParseWithOpts(start, &reader->at, false);
    bool done = value && digits_keep(value, start);
    if (cJSON_IsArray(value)) cJSON_ArrayForEach(item, value) {
            done = done && add_call(reader, item);
        }
    else
        done = done && add_call(reader, value);
    cJSON_Delete(value);
    return done;
}

static bool read_marked(Reader *reader) {
    const char *marker = reader->tools->marker;
    for (; reader->at; reader->at = strstr(reader->at, marker)) {
        reader->at += strlen(marker);
        if (!read_value(reader)) return false;
    }
    return true;
}

static bool read_alone(Reader *reader) {
    return read_value(reader) && !reader->at[strspn(reader->at, " \t\r\n")];
}

cJSON *tools_calls(const Tools *tools, const char *text, const char *id, size_t *before) {
    bool marked = tools->list && !tools->forced && *tools->marker;
    const char *start = marked ? strstr(text, tools->marker) : text;
    *before = strlen(text);
    if (!tools->list || !start) return NULL;
    Reader reader = {tools, id, cJSON_CreateArray(), start};
    bool done = marked ? read_marked(&reader) : read_alone(&reader);
    if (done && cJSON_GetArraySize(reader.calls)) {
        *before = (size_t)(start - text);
        return reader.calls;
    }
    cJSON_Delete(reader.calls);
    return NULL;
}
