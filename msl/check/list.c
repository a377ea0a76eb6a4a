#include "list.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 8 }; /* structures within each other */

static const char *const kinds[] = {
    [BOUND_BUFFER] = "buffer",   [BOUND_CONSTANT] = "value",  [BOUND_THREADGROUP] = "threadgroup",
    [BOUND_TEXTURE] = "texture", [BOUND_SAMPLER] = "sampler",
};

/* Of all but [[attributes]] that the dispatch sets. */
static void add_parameters(cJSON *json, const BoundKernel *kernel) {
    cJSON *list = cJSON_AddArrayToObject(json, "parameters");
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        if (parameter->kind == BOUND_BUILTIN) continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", parameter->name);
        cJSON_AddStringToObject(item, "type", parameter->type);
        cJSON_AddStringToObject(item, "kind", kinds[parameter->kind]);
        cJSON_AddNumberToObject(item, "index", parameter->index);
        cJSON_AddBoolToObject(item, "writable", parameter->writable);
        cJSON_AddItemToArray(list, item);
    }
}

/* What C++ calls it; of an instance its template. */
static const char *function_of(const BoundFile *file, const BoundKernel *kernel) {
    for (size_t i = 0; i < file->instance_count; i++)
        if (&file->kernels[file->instances[i].kernel] == kernel)
            return file->templates[file->instances[i].template].kernel.function;
    return kernel->function ? kernel->function : kernel->name;
}

static cJSON *kernel_json(const BoundFile *file, const BoundKernel *kernel) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", kernel->name);
    cJSON_AddStringToObject(json, "function", function_of(file, kernel));
    cJSON_AddNumberToObject(json, "line", kernel->line);
    if (kernel->refused)
        cJSON_AddStringToObject(json, "refused", kernel->refused);
    else
        add_parameters(json, kernel);
    return json;
}

/* A template without instances is no kernel that could be run. */
static void add_templates(cJSON *json, const BoundFile *file) {
    cJSON *list = cJSON_AddArrayToObject(json, "templates");
    for (size_t i = 0; i < file->template_count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(file->templates[i].kernel.name));
}

/* The last part of "image::Blur". */
static const char *base_name(const char *name) {
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

/* Is it a structure that leads to memory, textures or samplers? */
static bool has_handles(const BoundFile *file, const char *type, int depth) {
    for (size_t i = 0; i < file->member_count && depth < DEEPEST; i++) {
        const BoundMember *member = &file->members[i];
        if (strcmp(member->owner, base_name(type)) != 0) continue;
        if (member->kind != BOUND_CONSTANT || has_handles(file, member->type, depth + 1))
            return true;
    }
    return false;
}

/* {"Scene": [{"name": "out", "type": "float", "kind": "buffer", "count": 1}, …]} */
static void add_structs(cJSON *json, const BoundFile *file) {
    cJSON *structs = cJSON_AddObjectToObject(json, "structs");
    for (size_t i = 0; i < file->member_count; i++) {
        const BoundMember *member = &file->members[i];
        if (!has_handles(file, member->owner, 0)) continue;
        cJSON *list = cJSON_GetObjectItemCaseSensitive(structs, member->owner);
        if (!list) list = cJSON_AddArrayToObject(structs, member->owner);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", member->name);
        cJSON_AddStringToObject(item, "type", member->type);
        cJSON_AddStringToObject(item, "kind", kinds[member->kind]);
        cJSON_AddNumberToObject(item, "count", member->count);
        cJSON_AddItemToArray(list, item);
    }
}

bool list_json(const BoundFile *file, FILE *out) {
    cJSON *json = cJSON_CreateObject();
    cJSON *kernels = cJSON_AddArrayToObject(json, "kernels");
    for (size_t i = 0; i < file->kernel_count; i++)
        cJSON_AddItemToArray(kernels, kernel_json(file, &file->kernels[i]));
    add_templates(json, file);
    add_structs(json, file);
    cJSON *constants = cJSON_AddArrayToObject(json, "constants");
    for (size_t i = 0; i < file->constant_count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", file->constants[i].name);
        cJSON_AddStringToObject(item, "type", file->constants[i].type);
        cJSON_AddNumberToObject(item, "index", file->constants[i].index);
        cJSON_AddItemToArray(constants, item);
    }
    char *text = cJSON_Print(json);
    bool written = text && fprintf(out, "%s\n", text) > 0 && fflush(out) == 0;
    cJSON_free(text);
    cJSON_Delete(json);
    return written;
}
