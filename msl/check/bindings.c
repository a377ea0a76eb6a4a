#include "bindings.h"
#include "formats.h"
#include "report.h"
#include "types.h"
#include "values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool binding_is_given(const Binding *binding) {
    return binding->content || binding->is_made;
}

bool binding_has_memory(const Binding *binding) {
    return binding_is_given(binding) && binding->is_used && !binding->shares &&
           (binding->kind == BINDING_MEMORY || binding->kind == BINDING_TEXTURE);
}

size_t binding_unit(const Binding *binding, const char **word) {
    bool is_texture = binding->kind == BINDING_TEXTURE;
    *word = is_texture ? "texel" : "element";
    return element_size(binding->array.type) * (is_texture ? binding->texture.channels : 1);
}

static bool is_option(const Binding *binding, const char *option) {
    return !strcmp(binding->option, option);
}

/* Its name in findings; `attribute` is NULL of a member. */
static void name_binding(Binding *binding, const char *attribute, unsigned index,
                         const char *name) {
    binding->is_used = true;
    binding->index = attribute ? (int)index : -1;
    snprintf(binding->name, sizeof binding->name, "%s", name);
    if (attribute)
        snprintf(binding->label, sizeof binding->label, "'%s' [[%s(%u)]]", name, attribute, index);
    else
        snprintf(binding->label, sizeof binding->label, "'%s'", name);
}

static bool parameter_type(const Program *program, unsigned p, Type *type) {
    const BoundKernel *kernel = program->kernel;
    return type_of_parameter(program->symbols, kernel->function, kernel->line, p, type);
}

/* "FILE:LINE: 'x' needs …", the line of the parameter. Always returns false. */
__attribute__((format(printf, 3, 4))) static bool
lacks(const Program *program, const BoundParameter *parameter, const char *format, ...) {
    char what[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    report_line(stderr, "%s:%d: '%s' needs %s", program->file.path, parameter->line,
                parameter->name, what);
    return false;
}

/* --- textures and samplers --- */

static bool bind_texture(Binding *binding, const Type *type) {
    char error[256];
    binding->kind = BINDING_TEXTURE;
    binding->space = SPACE_TEXTURE;
    binding->writable = texture_is_writable(type);
    if (!is_option(binding, "--texture"))
        return report_failure("%s %s: '%s' is a %s<%s>; give it as --texture", binding->option,
                              binding->given, binding->name, type->name, type->texel);
    return texture_describe(&binding->texture, &binding->array, type, error) ||
           report_failure("%s %s: '%s': %s", binding->option, binding->given, binding->name, error);
}

static bool bind_sampler(Binding *binding) {
    binding->kind = BINDING_SAMPLER;
    return is_option(binding, "--sampler") ||
           report_failure("%s %s: '%s' is a sampler; give it as --sampler", binding->option,
                          binding->given, binding->name);
}

/* One of an array, or the only one. */
static bool bind_handle(Options *options, const Program *program, const BoundParameter *parameter,
                        const Type *type, unsigned n, bool may_lack) {
    char target[32], name[TARGET_BYTES];
    unsigned index = parameter->index + n;
    int used = snprintf(target, sizeof target, "%s:%u", parameter->attribute, index);
    snprintf(name, sizeof name, may_lack ? "%s[%u]" : "%s", parameter->name, n);
    Binding *binding = options_binding(options, target, (size_t)used);
    if (!binding) return false;
    name_binding(binding, parameter->attribute, index, name);
    if (!binding->content && (may_lack || parameter->optional)) return true;
    bool is_texture = parameter->kind == BOUND_TEXTURE;
    if (!binding->content)
        return lacks(program, parameter, "a %s: --%s %u=%s (it is a %s)", parameter->attribute,
                     parameter->attribute, index, is_texture ? "CONTENT" : "WORDS",
                     parameter->type);
    return is_texture ? bind_texture(binding, type) : bind_sampler(binding);
}

static bool bind_handles(Options *options, const Program *program, unsigned p) {
    const BoundParameter *parameter = &program->kernel->parameter[p];
    Type type, inside;
    if (!parameter_type(program, p, &type))
        return report_failure("the type of '%s' is not known", parameter->name);
    bool is_array = type.kind == TYPE_ARRAY && type_inside(&type, &inside);
    size_t count = is_array ? type.count : 1;
    if (is_array) type = inside;
    for (unsigned n = 0; n < count; n++)
        if (!bind_handle(options, program, parameter, &type, n, is_array)) return false;
    return true;
}

/* --- members of argument buffers --- */

/* On the way to a member. */
typedef struct Cursor {
    Options *options;
    const Binding *wanted;
    const char *at; /* in its target */
    char name[TARGET_BYTES];
    Type type;
    size_t binding, offset; /* where that type is */
} Cursor;

static bool refuse(const Cursor *cursor, const char *what) {
    const char *option = cursor->wanted->option ? cursor->wanted->option : "-o";
    const char *type = cursor->type.name, *target = cursor->wanted->target;
    if (!*type) return report_failure("%s %s: '%s' %s", option, target, cursor->name, what);
    return report_failure("%s %s: '%s' (%s) %s", option, target, cursor->name, type, what);
}

static void lengthen_name(Cursor *cursor, const char *end) {
    size_t used = strlen(cursor->name);
    snprintf(cursor->name + used, sizeof cursor->name - used, "%.*s", (int)(end - cursor->at),
             cursor->at);
    cursor->at = end;
}

/* After "[3]". */
static bool read_index(Cursor *cursor, size_t *index) {
    char *end;
    unsigned long number = strtoul(cursor->at + 1, &end, 10);
    if (end == cursor->at + 1 || *end != ']' || number > UINT16_MAX)
        return refuse(cursor, "needs an index in []");
    *index = number;
    lengthen_name(cursor, end + 1);
    return true;
}

/* "n=3": the members are known by now. */
static bool read_members(Binding *binding, const Type *type) {
    char error[256];
    return !binding->by_name || binding->array.data ||
           values_parse(&binding->array, binding->content, type, error) ||
           report_failure("%s %s: %s", binding->option, binding->given, error);
}

/* Into what the pointer there leads to, which is the memory of a binding. */
static bool enter(Cursor *cursor, size_t binding) {
    Type inside;
    size_t index = 0;
    Binding *memory = &cursor->options->bindings[binding];
    if (!type_inside(&cursor->type, &inside) || !inside.size)
        return refuse(cursor, "leads to nothing that is known");
    bool is_array = inside.kind == TYPE_ARRAY; /* whose elements the index counts */
    if (*cursor->at == '[' && !is_array && !read_index(cursor, &index)) return false;
    size_t begin = index * inside.size, end = begin + inside.size;
    if (!read_members(memory, &inside)) return false;
    if (memory->content && end > memory->array.size)
        return refuse(cursor, "is past the end of its buffer");
    if (!memory->content) {
        memory->is_made = true;
        if (end > memory->array.size)
            memory->array = (Array){.type = ELEMENT_U8, .count = end, .size = end};
    }
    cursor->type = inside;
    cursor->binding = binding;
    cursor->offset = begin;
    return true;
}

/* The memory that the pointer under the cursor leads to. */
static bool follow(Cursor *cursor) {
    Options *options = cursor->options;
    for (size_t i = 0; i < options->binding_count; i++) {
        const Binding *binding = &options->bindings[i];
        if (binding->is_member && binding->parent == cursor->binding &&
            binding->offset == cursor->offset && binding->kind == BINDING_MEMORY)
            return enter(cursor, i);
    }
    Binding *made = options_binding(options, cursor->wanted->target,
                                    (size_t)(cursor->at - cursor->wanted->target));
    if (!made) return false;
    name_binding(made, NULL, 0, cursor->name);
    made->is_member = true;
    made->parent = cursor->binding;
    made->offset = cursor->offset;
    made->writable = true;
    return enter(cursor, (size_t)(made - options->bindings));
}

static bool step(Cursor *cursor) {
    Type inside;
    size_t offset, index;
    if (cursor->type.kind == TYPE_POINTER) return follow(cursor);
    if (*cursor->at == '[' && cursor->type.kind == TYPE_ARRAY) {
        if (!read_index(cursor, &index) || !type_inside(&cursor->type, &inside)) return false;
        if (index >= cursor->type.count) return refuse(cursor, "is past the end of its array");
        cursor->offset += index * inside.size;
    } else if (*cursor->at == '.' && cursor->type.kind == TYPE_STRUCT) {
        size_t length = strcspn(cursor->at + 1, ".[");
        if (!type_member(&cursor->type, cursor->at + 1, length, &inside, &offset))
            return refuse(cursor, "has no such member");
        lengthen_name(cursor, cursor->at + 1 + length);
        cursor->offset += offset;
    } else {
        return refuse(cursor, "has no such part");
    }
    cursor->type = inside;
    return true;
}

static bool suits(const Binding *binding, const Type *type) {
    if (!is_option(binding, "--buffer") && !is_option(binding, "--bytes"))
        return report_failure("%s %s: '%s' is a %s; give it as --buffer or --bytes",
                              binding->option, binding->given, binding->name, type->name);
    return binding->shares || binding->by_name || element_suits(binding->array.type, type->name) ||
           report_failure("%s %s: these are elements of type %s, but '%s' is a %s", binding->option,
                          binding->given, element_name(binding->array.type), binding->name,
                          type->name);
}

static bool bind_pointer(Binding *binding, const Type *pointer) {
    Type inside = {.name = "void"};
    binding->kind = BINDING_MEMORY;
    type_inside(pointer, &inside);
    binding->writable = !inside.is_const;
    binding->space = SPACE_DEVICE;
    return read_members(binding, &inside) && suits(binding, &inside);
}

static bool bind_value(Binding *binding, const Type *type) {
    binding->kind = BINDING_VALUE;
    if (binding->shares)
        return report_failure("%s %s: '%s' is no buffer", binding->option, binding->given,
                              binding->name);
    return read_members(binding, type) && suits(binding, type) &&
           (binding->array.size <= type->size ||
            report_failure("%s %s: %zu bytes are too many for '%s', a %s", binding->option,
                           binding->given, binding->array.size, binding->name, type->name));
}

/* The parameter that a member's target begins with. */
static bool start(Cursor *cursor, const Program *program) {
    char *end;
    unsigned long index = strtoul(cursor->wanted->target, &end, 10);
    const BoundKernel *kernel = program->kernel;
    cursor->at = end;
    for (unsigned p = 0; p < kernel->count; p++) {
        const BoundParameter *parameter = &kernel->parameter[p];
        bool is_buffer = parameter->kind == BOUND_BUFFER || parameter->kind == BOUND_CONSTANT;
        if (!is_buffer || parameter->index != index) continue;
        snprintf(cursor->name, sizeof cursor->name, "%s", parameter->name);
        if (!parameter_type(program, p, &cursor->type))
            return report_failure("'%s' has no members that are known", parameter->name);
        return enter(cursor, index);
    }
    return report_failure("the kernel has no [[buffer(%lu)]]", index);
}

static bool bind_member(Options *options, const Program *program, size_t i) {
    Binding *binding = &options->bindings[i];
    Cursor cursor = {.options = options, .wanted = binding};
    if (!binding->content) return report_failure("-o: nothing is given for %s", binding->target);
    if (!start(&cursor, program)) return false;
    while (*cursor.at)
        if (!step(&cursor)) return false;
    name_binding(binding, NULL, 0, cursor.name);
    binding->is_member = true;
    binding->parent = cursor.binding;
    binding->offset = cursor.offset;
    switch (cursor.type.kind) {
    case TYPE_POINTER:
        return bind_pointer(binding, &cursor.type);
    case TYPE_TEXTURE:
        return bind_texture(binding, &cursor.type);
    case TYPE_SAMPLER:
        return bind_sampler(binding);
    default:
        return bind_value(binding, &cursor.type);
    }
}

/* --- buffers --- */

/* What an argument buffer lacks: "--buffer 0.p=CONTENT (a float *)" and so on. */
static void list_members(unsigned index, const Type *type, char *text, size_t size) {
    Type member, inside;
    size_t offset, used = 0;
    const char *name;
    *text = 0;
    for (unsigned n = 0; used < size && (name = type_member_at(type, n, &member, &offset)); n++) {
        const char *option = member.kind == TYPE_POINTER   ? "buffer"
                             : member.kind == TYPE_TEXTURE ? "texture"
                             : member.kind == TYPE_SAMPLER ? "sampler"
                                                           : "bytes";
        bool is_pointer = member.kind == TYPE_POINTER && type_inside(&member, &inside);
        used += (size_t)snprintf(text + used, size - used, "%s--%s %u.%s=… (a %s%s)", n ? ", " : "",
                                 option, index, name, is_pointer ? inside.name : member.name,
                                 is_pointer ? " *" : "");
    }
}

static bool report_missing(const Program *program, unsigned p) {
    const BoundParameter *parameter = &program->kernel->parameter[p];
    Type type, inside;
    if (parameter_type(program, p, &type) && type_inside(&type, &inside) &&
        type_has_handles(&inside)) {
        char members[512];
        list_members(parameter->index, &inside, members, sizeof members);
        return lacks(program, parameter, "its members: %s", members);
    }
    if (parameter->kind == BOUND_CONSTANT)
        return lacks(program, parameter, "a value: --bytes %u=TYPE:VALUE (it is a constant %s &)",
                     parameter->index, parameter->type);
    return lacks(program, parameter, "a buffer: --buffer %u=CONTENT (it is a %s *)",
                 parameter->index, parameter->type);
}

static bool check_buffer(Options *options, const Program *program, unsigned p) {
    const BoundParameter *parameter = &program->kernel->parameter[p];
    Binding *binding = &options->bindings[parameter->index];
    Type type, inside;
    if (!binding_is_given(binding)) return parameter->optional || report_missing(program, p);
    if (binding->by_name)
        return (parameter_type(program, p, &type) && type_inside(&type, &inside))
                   ? read_members(binding, &inside)
                   : report_failure("the members of '%s' are not known", parameter->name);
    return binding->is_made || binding->shares ||
           element_suits(binding->array.type, parameter->type) ||
           report_failure("%s %s: these are elements of type %s, but '%s' is a %s %c",
                          binding->option, binding->given, element_name(binding->array.type),
                          parameter->name, parameter->type,
                          parameter->kind == BOUND_CONSTANT ? '&' : '*');
}

static bool is_buffer(const BoundParameter *parameter) {
    return parameter->kind == BOUND_BUFFER || parameter->kind == BOUND_CONSTANT;
}

static void name_buffers(Options *options, const BoundKernel *kernel) {
    for (unsigned p = 0; p < kernel->count; p++) {
        const BoundParameter *parameter = &kernel->parameter[p];
        if (!is_buffer(parameter)) continue;
        Binding *binding = &options->bindings[parameter->index];
        name_binding(binding, "buffer", parameter->index, parameter->name);
        binding->space = parameter->constant ? SPACE_CONSTANT : SPACE_DEVICE;
        binding->writable = parameter->kind == BOUND_BUFFER && parameter->writable;
    }
}

static bool check_parameter(Options *options, const Program *program, unsigned p) {
    const BoundParameter *parameter = &program->kernel->parameter[p];
    switch (parameter->kind) {
    case BOUND_BUFFER:
    case BOUND_CONSTANT:
        return check_buffer(options, program, p);
    case BOUND_THREADGROUP:
        return options->scratch[parameter->index] ||
               lacks(program, parameter, "memory: --threadgroup-memory %u=BYTES", parameter->index);
    case BOUND_TEXTURE:
    case BOUND_SAMPLER:
        return bind_handles(options, program, p);
    default:
        return true;
    }
}

static bool check_use(const Binding *binding) {
    const char *colon = strchr(binding->target, ':');
    const char *number = colon ? colon + 1 : binding->target;
    int length = colon ? (int)(colon - binding->target) : 6;
    const char *attribute = colon ? binding->target : "buffer";
    if (binding->is_used && binding->output && !binding_has_memory(binding))
        return report_failure("-o: nothing is given for %s", binding->label);
    if (binding->is_used || (!binding->content && !binding->output && !binding->unordered))
        return true;
    return report_failure("%sthe kernel has no [[%.*s(%s)]]",
                          binding->content  ? ""
                          : binding->output ? "-o: "
                                            : "--unordered: ",
                          length, attribute, number);
}

/* --- several buffers in one memory --- */

static Binding *owner_of(const Options *options, const Binding *binding) {
    for (size_t i = 0; i < options->binding_count; i++)
        if (!strcmp(options->bindings[i].target, binding->shares))
            return (Binding *)(uintptr_t)&options->bindings[i];
    return NULL;
}

/* What one of them may do to the memory, the memory allows. */
static bool share_memory(Options *options, Binding *binding) {
    Binding *owner = owner_of(options, binding);
    if (!owner || !binding_has_memory(owner) || owner->kind != BINDING_MEMORY)
        return report_failure("%s %s: no memory of its own is given for %s", binding->option,
                              binding->given, binding->shares);
    if (binding->shared_offset > owner->array.size)
        return report_failure("%s %s: %s has only %zu bytes", binding->option, binding->given,
                              owner->label, owner->array.size);
    owner->writable = owner->writable || binding->writable;
    if (binding->space == SPACE_DEVICE) owner->space = SPACE_DEVICE;
    return true;
}

bool bindings_find(Options *options, const Program *program) {
    bool found = options_sizes_are_given(options);
    name_buffers(options, program->kernel);
    for (size_t i = SIMT_BUFFERS; i < options->binding_count; i++)
        if (strpbrk(options->bindings[i].target, ".[") && !options->bindings[i].is_made &&
            !bind_member(options, program, i))
            return false;
    for (unsigned p = 0; p < program->kernel->count; p++)
        found = check_parameter(options, program, p) && found;
    for (size_t i = 0; i < options->binding_count; i++)
        found = check_use(&options->bindings[i]) && found;
    for (size_t i = 0; found && i < options->binding_count; i++)
        if (options->bindings[i].shares) found = share_memory(options, &options->bindings[i]);
    return found;
}

/* --- in the kernel's process --- */

bool bindings_place(Options *options, Checker *checker) {
    for (unsigned i = 0; i < options->binding_count; i++) {
        Binding *binding = &options->bindings[i];
        if (!binding_has_memory(binding)) continue;
        binding->memory =
            binding->kind == BINDING_TEXTURE
                ? checker_texture(checker, i, binding->index, binding->name, &binding->texture,
                                  binding->writable)
                : checker_buffer(checker, i, binding->index, binding->name, binding->array.size,
                                 binding->space, binding->writable);
        if (!binding->memory)
            return report_failure("no memory for '%s', %zu bytes", binding->name,
                                  binding->array.size);
    }
    return true;
}

/* Where the kernel finds a buffer. */
static unsigned char *memory_of(const Options *options, const Binding *binding) {
    if (!binding->shares) return binding->memory;
    return owner_of(options, binding)->memory + binding->shared_offset;
}

static void fill_member(const Options *options, const Binding *binding, Checker *checker) {
    const void *texture = &binding->texture, *memory = memory_of(options, binding);
    unsigned parent = (unsigned)binding->parent;
    if (binding->kind == BINDING_TEXTURE)
        checker_put(checker, parent, binding->offset, &texture, sizeof texture);
    else if (binding->kind == BINDING_SAMPLER)
        checker_put(checker, parent, binding->offset, &binding->sampler, sizeof binding->sampler);
    else if (binding->kind == BINDING_MEMORY)
        checker_put(checker, parent, binding->offset, &memory, sizeof memory);
    else if (binding->array.data)
        checker_put(checker, parent, binding->offset, binding->array.data, binding->array.size);
}

void bindings_fill(const Options *options, Checker *checker) {
    for (unsigned i = 0; i < options->binding_count; i++)
        if (options->bindings[i].memory) checker_fill(checker, i, options->bindings[i].array.data);
    for (size_t i = 0; i < options->binding_count; i++)
        if (options->bindings[i].is_member) fill_member(options, &options->bindings[i], checker);
}

_Static_assert(sizeof(SimtSampler) == sizeof(void *), "a sampler stands where a pointer would");

void bindings_arguments(const Options *options, void *arguments[SIMT_ARGUMENTS]) {
    memset(arguments, 0, SIMT_ARGUMENTS * sizeof *arguments);
    for (size_t i = 0; i < options->binding_count; i++) {
        const Binding *binding = &options->bindings[i];
        if (binding->is_member || !binding->is_used || !binding_is_given(binding)) continue;
        if (binding->kind == BINDING_MEMORY)
            arguments[binding->index] = memory_of(options, binding);
        else if (binding->kind == BINDING_TEXTURE)
            arguments[SIMT_BUFFERS + binding->index] = (void *)(uintptr_t)&binding->texture;
        else if (binding->kind == BINDING_SAMPLER)
            memcpy(&arguments[SIMT_BUFFERS + SIMT_TEXTURES + binding->index], &binding->sampler,
                   sizeof binding->sampler);
    }
}
