#include "tools.h"

#include "grammar/grammar.h"
#include "messages.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *get(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *function_of(const cJSON *tool) {
    return get(tool, "function");
}

static const char *name_of(const cJSON *tool) {
    return cJSON_GetStringValue(get(function_of(tool), "name"));
}

static const cJSON *find_tool(const cJSON *list, const char *name) {
    const cJSON *tool;
    cJSON_ArrayForEach(tool, list) {
        if (!strcmp(name_of(tool), name)) return tool;
    }
    return NULL;
}

/* --- what a request says --- */

static bool wrong(const Fields *fields, const char *name, const char *what) {
    return problem_set(fields->problem, 400, "invalid_value", name, "%s: %s", name, what);
}

static bool is_name(const char *name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t size = name ? strlen(name) : 0;
    return size >= 1 && size <= 64 && strspn(name, letters) == size;
}

static bool check_tool(const Fields *fields, const cJSON *tool) {
    const char *type = cJSON_GetStringValue(get(tool, "type"));
    const cJSON *parameters = get(function_of(tool), "parameters");
    if (!type || strcmp(type, "function") || !cJSON_IsObject(function_of(tool)))
        return wrong(fields, "tools", "each has the type \"function\", and a function");
    if (!is_name(name_of(tool)))
        return wrong(fields, "tools", "a function's name has up to 64 letters, digits, _ and -");
    if (parameters && !cJSON_IsObject(parameters))
        return wrong(fields, "tools", "a function's parameters are a JSON Schema, an object");
    return true;
}

static bool check_list(const Fields *fields, const cJSON *list) {
    const cJSON *tool;
    if (list && !cJSON_IsArray(list)) return wrong(fields, "tools", "it must be a list");
    cJSON_ArrayForEach(tool, list) {
        if (!check_tool(fields, tool)) return false;
    }
    return true;
}

/* Templates go through the parameters of each. */
static bool add_parameters(const Fields *fields, cJSON *list) {
    cJSON *tool;
    cJSON_ArrayForEach(tool, list) {
        cJSON *function = cJSON_GetObjectItemCaseSensitive(tool, "function");
        if (get(function, "parameters")) continue;
        cJSON *none = cJSON_AddObjectToObject(function, "parameters");
        if (!cJSON_AddStringToObject(none, "type", "object") ||
            !cJSON_AddObjectToObject(none, "properties"))
            return problem_memory(fields->problem);
    }
    return true;
}

/* "none", "auto", "required", or {"type": "function", "function": {"name": …}}. */
static bool read_choice(Tools *tools, const Fields *fields) {
    const cJSON *choice = field_find(fields, "tool_choice");
    const char *word = cJSON_GetStringValue(choice);
    if (!choice || (word && !strcmp(word, "auto"))) return true;
    if (word && !strcmp(word, "none")) {
        tools->list = NULL;
        return true;
    }
    tools->forced = true;
    tools->single = true;
    if (!word) tools->name = name_of(choice);
    if (!tools->name && (!word || strcmp(word, "required")))
        return wrong(fields, "tool_choice",
                     "it is \"none\", \"auto\", \"required\", or a function by its name");
    if (!tools->list || (tools->name && !find_tool(tools->list, tools->name)))
        return wrong(fields, "tool_choice", "there is no such tool");
    return true;
}

bool tools_read(Tools *tools, const Fields *fields) {
    cJSON *list = (cJSON *)(uintptr_t)field_find(fields, "tools");
    bool several = true;
    field_bool(fields, "parallel_tool_calls", &several);
    tools->single = !several;
    if (fields->problem->status || !check_list(fields, list)) return false;
    tools->list = cJSON_GetArraySize(list) ? list : NULL;
    return add_parameters(fields, list) && read_choice(tools, fields);
}

void tools_free(Tools *tools) {
    free(tools->opener);
    free(tools->marker);
    *tools = (Tools){0};
}

/* --- how a model calls --- */

#define PROBE "probe_of_a_call"

static const char probe[] = "[{\"role\":\"user\",\"content\":\"?\"},{\"role\":\"assistant\","
                            "\"content\":\"\",\"tool_calls\":"
                            "[{\"id\":\"a12345678\",\"type\":\"function\",\"function\":"
                            "{\"name\":\"" PROBE "\",\"arguments\":{\"a\":1}}}]}]";
static const char question[] = "[{\"role\":\"user\",\"content\":\"?\"}]";

static size_t common(const char *a, const char *b) {
    size_t size = 0;
    while (a[size] && a[size] == b[size])
        size++;
    return size;
}

/* Of "[TOOL_CALLS] [" the mark itself. */
static char *marker_of(const char *opener) {
    static const char around[] = " \t\r\n[{";
    size_t first = strspn(opener, " \t\r\n"), end = strlen(opener);
    while (end > first && strchr(around, opener[end - 1]))
        end--;
    return strndup(opener + first, end - first);
}

/* Where two texts part, or the word or mark that they both begin there: <think>, <tool_call>. */
static size_t parting(const char *called, const char *asked) {
    size_t at = common(called, asked);
    if (!asked[at]) return at;
    while (at && !isspace((unsigned char)called[at - 1]) && !strchr(">]", called[at - 1]))
        at--;
    return at;
}

/* `called` is the text of the probe, `asked` that of the question: what the call begins with is
 * where they part. */
static bool read_form(Tools *tools, const char *called, const char *asked) {
    const char *start = called + parting(called, asked), *name = strstr(start, "\"" PROBE "\"");
    if (!name) return false;
    const char *object = name;
    while (object > start && *object != '{')
        object--;
    if (*object != '{' || strncmp(object + 1 + strspn(object + 1, " \n"), "\"name\"", 6))
        return false;
    tools->arguments = strstr(name, "\"parameters\"") ? "parameters" : "arguments";
    tools->opener = strndup(start, (size_t)(object - start));
    tools->marker = tools->opener ? marker_of(tools->opener) : NULL;
    return strstr(name, tools->arguments);
}

bool tools_learn_form(Tools *tools, LLMPipeline *llm, Problem *problem) {
    ChatText called = {0}, asked = {0};
    Problem ignored = {0};
    char *list = cJSON_PrintUnformatted(tools->list);
    ChatInput call = {.messages = probe, .tools = list};
    ChatInput ask = {.messages = question, .tools = list, .add_generation_prompt = true};
    bool known = list && messages_write(llm, &call, &called, &ignored) &&
                 messages_write(llm, &ask, &asked, &ignored) &&
                 read_form(tools, called.text, asked.text);
    cJSON_free(list);
    chat_text_free(&called);
    chat_text_free(&asked);
    if (known && tools->marker) return true;
    return problem_set(problem, 400, "unsupported_by_model", "tools",
                       "the model's chat template writes no calls, or none that are known here");
}

/* --- a call that must come --- */

/* In time that grows with their size: cJSON_Compare takes twice as long for each level. */
static bool same(const cJSON *a, const cJSON *b) {
    char *one = cJSON_PrintUnformatted(a), *other = cJSON_PrintUnformatted(b);
    bool result = one && other && !strcmp(one, other);
    cJSON_free(one);
    cJSON_free(other);
    return result;
}

/* What "$ref" points at is found from the root on, so it goes there. */
static bool lift(cJSON *root, cJSON *schema, const char *name, Problem *problem) {
    cJSON *from = cJSON_DetachItemFromObjectCaseSensitive(schema, name), *item;
    if (!from) return true;
    cJSON *to = cJSON_GetObjectItemCaseSensitive(root, name);
    if (!to) to = cJSON_AddObjectToObject(root, name);
    if (cJSON_GetArraySize(from) + cJSON_GetArraySize(to) > GRAMMAR_NODES_MOST)
        problem_set(problem, 400, "unsupported_value", "tools", "more than %d %s",
                    GRAMMAR_NODES_MOST, name);
    while (to && !problem->status && (item = from->child)) {
        const cJSON *before = get(to, item->string);
        if (before && !same(before, item))
            problem_set(problem, 400, "unsupported_value", "tools",
                        "two functions have different %s by one name", name);
        cJSON_DetachItemViaPointer(from, item);
        if (before)
            cJSON_Delete(item);
        else
            cJSON_AddItemToObject(to, item->string, item);
    }
    cJSON_Delete(from);
    return (to || problem_memory(problem)) && !problem->status;
}

/* {"name": …, "arguments": …} */
static bool add_call(const Tools *tools, const cJSON *tool, cJSON *call, cJSON *root,
                     Problem *problem) {
    cJSON_AddStringToObject(call, "type", "object");
    cJSON *properties = cJSON_AddObjectToObject(call, "properties");
    cJSON *name = cJSON_AddObjectToObject(properties, "name");
    cJSON *parameters = cJSON_Duplicate(get(function_of(tool), "parameters"), true);
    if (!cJSON_AddStringToObject(name, "const", name_of(tool)) ||
        !cJSON_AddItemToObject(properties, tools->arguments, parameters)) {
        cJSON_Delete(parameters);
        return problem_memory(problem);
    }
    const char *keys[] = {"name", tools->arguments};
    return cJSON_AddItemToObject(call, "required", cJSON_CreateStringArray(keys, 2)) &&
           cJSON_AddFalseToObject(call, "additionalProperties") &&
           lift(root, parameters, "$defs", problem) &&
           lift(root, parameters, "definitions", problem);
}

static bool add_calls(const Tools *tools, cJSON *root, Problem *problem) {
    const cJSON *tool;
    if (tools->name)
        return add_call(tools, find_tool(tools->list, tools->name), root, root, problem);
    cJSON *choices = cJSON_AddArrayToObject(root, "anyOf");
    cJSON_ArrayForEach(tool, tools->list) {
        cJSON *call = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(choices, call)) return problem_memory(problem);
        if (!add_call(tools, tool, call, root, problem)) return false;
    }
    return true;
}

char *tools_schema(const Tools *tools, Problem *problem) {
    cJSON *root = cJSON_CreateObject();
    char *schema = add_calls(tools, root, problem) ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    if (!schema) problem_memory(problem);
    return schema;
}
