#include "types.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 8 };

void type_metal_name(const char *type, char *name, size_t size) {
    static const char *const elements[][2] = {
        {"_Float16", "half"},     {"unsigned char", "uchar"}, {"unsigned short", "ushort"},
        {"unsigned int", "uint"}, {"unsigned long", "ulong"}, {"signed char", "char"},
    };
    char element[TYPE_NAME];
    int count = 0, rows = 0;
    bool packed = false;
    if (!strncmp(type, "const ", 6)) type += 6;
    if (!strncmp(type, "metal::", 7)) type += 7;
    if (sscanf(type, "vec<%63[^,], %d>", element, &count) != 2 &&
        sscanf(type, "matrix<%63[^,], %d, %d>", element, &count, &rows) != 3 &&
        !(packed = sscanf(type, "packed_vec<%63[^,], %d>", element, &count) == 2))
        snprintf(element, sizeof element, "%s", type);
    const char *shown = element;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (!strcmp(element, elements[i][0])) shown = elements[i][1];
    const char *format = rows ? "%s%s%dx%d" : count ? "%s%s%d" : "%s%s";
    snprintf(name, size, format, packed ? "packed_" : "", shown, count, rows);
}

/* --- debug information --- */

static bool die_of(const Type *type, Dwarf_Die *die) {
    return type->die && dwarf_offdie(symbols_dwarf(type->symbols), type->die, die);
}

static bool type_die(Dwarf_Die *die, Dwarf_Die *type) {
    Dwarf_Attribute attribute;
    return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attribute), type);
}

/* Through names and qualifiers. */
static bool peel(Dwarf_Die *type, bool *is_const) {
    for (;;) {
        int tag = dwarf_tag(type);
        if (tag == DW_TAG_const_type) *is_const = true;
        if (tag != DW_TAG_const_type && tag != DW_TAG_typedef && tag != DW_TAG_volatile_type &&
            tag != DW_TAG_restrict_type)
            return true;
        Dwarf_Die next;
        if (!type_die(type, &next)) return false;
        *type = next;
    }
}

static bool next_of(Dwarf_Die *parent, Dwarf_Die *child, int tag, bool is_first) {
    if (is_first ? dwarf_child(parent, child) != 0 : dwarf_siblingof(child, child) != 0)
        return false;
    while (dwarf_tag(child) != tag)
        if (dwarf_siblingof(child, child) != 0) return false;
    return true;
}

static bool find_child(Dwarf_Die *parent, int tag, const char *name, Dwarf_Die *child) {
    for (bool found = next_of(parent, child, tag, true); found;
         found = next_of(parent, child, tag, false)) {
        const char *own = dwarf_diename(child);
        if (!name || (own && !strcmp(own, name))) return true;
    }
    return false;
}

static size_t array_count(Dwarf_Die *array) {
    Dwarf_Die range;
    Dwarf_Attribute attribute;
    Dwarf_Word count = 0;
    if (find_child(array, DW_TAG_subrange_type, NULL, &range))
        dwarf_formudata(dwarf_attr(&range, DW_AT_count, &attribute), &count);
    return count;
}

static void read_texture(Type *type, Dwarf_Die *die) {
    Dwarf_Die parameter, element;
    Dwarf_Attribute attribute;
    Dwarf_Word access = 0;
    type->kind = TYPE_TEXTURE;
    if (find_child(die, DW_TAG_template_type_parameter, NULL, &parameter) &&
        type_die(&parameter, &element) && dwarf_diename(&element))
        type_metal_name(dwarf_diename(&element), type->texel, sizeof type->texel);
    if (find_child(die, DW_TAG_template_value_parameter, "A", &parameter))
        dwarf_formudata(dwarf_attr(&parameter, DW_AT_const_value, &attribute), &access);
    type->access = (unsigned)access;
    type->name[strcspn(type->name, "<")] = 0;
}

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

/* metal::array<T, N> is an array. */
static bool read_array_class(Type *type, Dwarf_Die *die) {
    Dwarf_Die member, array;
    bool is_const = false;
    if (!begins(type->name, "array<") || !find_child(die, DW_TAG_member, "__elements", &member) ||
        !type_die(&member, &array) || !peel(&array, &is_const))
        return false;
    type->kind = TYPE_ARRAY;
    type->count = array_count(&array);
    type->die = dwarf_dieoffset(&array);
    return true;
}

static void read_class(Type *type, Dwarf_Die *die) {
    bool is_texture =
        (begins(type->name, "texture") || begins(type->name, "depth")) && strchr(type->name, '<');
    if (is_texture)
        read_texture(type, die);
    else if (!strcmp(type->name, "sampler"))
        type->kind = TYPE_SAMPLER;
    else if (!read_array_class(type, die) && !begins(type->name, "vec<") &&
             !begins(type->name, "packed_vec<") && !begins(type->name, "matrix<"))
        type->kind = TYPE_STRUCT;
    if (type->kind == TYPE_VALUE) {
        char name[TYPE_NAME];
        type_metal_name(type->name, name, sizeof name);
        memcpy(type->name, name, sizeof name);
    }
}

static bool read_type(const Symbols *symbols, Dwarf_Die die, Type *type) {
    *type = (Type){.symbols = symbols};
    Dwarf_Word size = 0;
    if (!peel(&die, &type->is_const)) return false;
    int tag = dwarf_tag(&die);
    const char *name = dwarf_diename(&die);
    dwarf_aggregate_size(&die, &size);
    type->size = size;
    type->die = dwarf_dieoffset(&die);
    snprintf(type->name, sizeof type->name, "%s", name ? name : "");
    if (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type) {
        type->kind = TYPE_POINTER;
        type->size = sizeof(void *);
    } else if (tag == DW_TAG_array_type) {
        type->kind = TYPE_ARRAY;
        type->count = array_count(&die);
    } else if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
               tag == DW_TAG_union_type) {
        read_class(type, &die);
    } else {
        type_metal_name(name ? name : "", type->name, sizeof type->name);
    }
    return true;
}

/* --- from outside in --- */

typedef struct Search {
    const char *name; /* length bytes */
    size_t length;
    int line;
    Dwarf_Die found;
    bool is_found;
} Search;

/* Of "image::blur<float>" and of "((void (*)(device float *))blur)" the name. */
static void name_function(Search *search, const char *function) {
    size_t length = strlen(function), begin = 0;
    if (*function == '(')
        length--;
    else
        length = strcspn(function, "<");
    for (size_t i = 0; i < length; i++)
        if (strchr(":)", function[i])) begin = i + 1;
    search->name = function + begin;
    search->length = length - begin;
}

static int find_function(Dwarf_Die *die, void *argument) {
    Search *search = argument;
    Dwarf_Addr begin;
    int line = 0;
    const char *name = dwarf_diename(die);
    bool is_named =
        name && strcspn(name, "<") == search->length && !memcmp(name, search->name, search->length);
    if (!is_named || dwarf_lowpc(die, &begin) != 0) return DWARF_CB_OK;
    if (dwarf_decl_line(die, &line) != 0 || line != search->line) return DWARF_CB_OK;
    search->found = *die;
    search->is_found = true;
    return DWARF_CB_ABORT;
}

bool type_of_parameter(const Symbols *symbols, const char *function, int line, unsigned n,
                       Type *type) {
    Dwarf *dwarf = symbols_dwarf(symbols);
    Dwarf_Off unit = 0, next;
    size_t header;
    Search search = {.line = line};
    name_function(&search, function);
    while (!search.is_found && dwarf_nextcu(dwarf, unit, &next, &header, NULL, NULL, NULL) == 0) {
        Dwarf_Die file;
        if (dwarf_offdie(dwarf, unit + header, &file))
            dwarf_getfuncs(&file, find_function, &search, 0);
        unit = next;
    }
    Dwarf_Die parameter, own;
    bool found =
        search.is_found && next_of(&search.found, &parameter, DW_TAG_formal_parameter, true);
    for (; found && n; n--)
        found = next_of(&search.found, &parameter, DW_TAG_formal_parameter, false);
    return found && type_die(&parameter, &own) && read_type(symbols, own, type);
}

bool type_inside(const Type *type, Type *inside) {
    Dwarf_Die die, own;
    if (type->kind != TYPE_POINTER && type->kind != TYPE_ARRAY) return false;
    return die_of(type, &die) && type_die(&die, &own) && read_type(type->symbols, own, inside);
}

static size_t member_offset(Dwarf_Die *member) {
    Dwarf_Attribute attribute;
    Dwarf_Word offset = 0;
    dwarf_formudata(dwarf_attr(member, DW_AT_data_member_location, &attribute), &offset);
    return offset;
}

const char *type_member_at(const Type *type, unsigned n, Type *member, size_t *offset) {
    Dwarf_Die die, child, own;
    if (type->kind != TYPE_STRUCT || !die_of(type, &die)) return NULL;
    bool found = next_of(&die, &child, DW_TAG_member, true);
    for (; found && n; n--)
        found = next_of(&die, &child, DW_TAG_member, false);
    if (!found || !type_die(&child, &own) || !read_type(type->symbols, own, member)) return NULL;
    *offset = member_offset(&child);
    const char *name = dwarf_diename(&child);
    return name ? name : "";
}

bool type_member(const Type *type, const char *name, size_t length, Type *member, size_t *offset) {
    Dwarf_Die die, base, own;
    const char *own_name;
    for (unsigned n = 0; (own_name = type_member_at(type, n, member, offset)); n++) {
        if (strlen(own_name) == length && !memcmp(own_name, name, length)) return true;
        Type unnamed = *member;
        size_t start = *offset;
        if (*own_name || !type_member(&unnamed, name, length, member, offset)) continue;
        *offset += start;
        return true;
    }
    if (type->kind != TYPE_STRUCT || !die_of(type, &die) ||
        !find_child(&die, DW_TAG_inheritance, NULL, &base) || !type_die(&base, &own))
        return false;
    Type whole;
    size_t start = member_offset(&base);
    if (!read_type(type->symbols, own, &whole) ||
        !type_member(&whole, name, length, member, offset))
        return false;
    *offset += start;
    return true;
}

static bool has_handles(const Type *type, int depth) {
    Type inside;
    size_t offset;
    if (type->kind == TYPE_ARRAY) return type_inside(type, &inside) && has_handles(&inside, depth);
    if (type->kind != TYPE_STRUCT) return type->kind != TYPE_VALUE;
    for (unsigned n = 0; depth < DEEPEST && type_member_at(type, n, &inside, &offset); n++)
        if (has_handles(&inside, depth + 1)) return true;
    return false;
}

bool type_has_handles(const Type *type) {
    return has_handles(type, 0);
}
