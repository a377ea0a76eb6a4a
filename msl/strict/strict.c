#include "strict.h"

#include "bind/bind.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct Place {
    const char *file;
    const char *text_file; /* where its text is, at `offset`: #line may call that otherwise */
    int line, column, offset;
} Place;

typedef struct Function {
    const char *name;   /* mangled: the same for a declaration and its definition */
    const char *source; /* as written */
    Place place;
    bool is_kernel;
    bool visited, active; /* by the search for cycles */
} Function;

typedef struct Call {
    size_t caller;
    const char *id; /* of the declaration that is called */
    Place place;
} Call;

typedef struct Declaration {
    const char *id;
    size_t function;
} Declaration;

typedef struct Checker {
    Place place;             /* of the last location read: clang leaves out what has not changed */
    Place token;             /* the last one as it is spelled, not where its macro is expanded */
    const char *source_file; /* whose text is loaded */
    char *source;
    size_t source_size;
    Function *functions;
    Declaration *declarations;
    Call *calls;
    size_t function_count, declaration_count, call_count;
    Place *refused;
    size_t refused_count;
} Checker;

static void *grow(void *array, size_t count, size_t size) {
    if (count & (count - 1)) return array; /* room is doubled at each power of two */
    void *larger = realloc(array, (count ? 2 * count : 1) * size);
    if (!larger) {
        fputs("strict: out of memory\n", stderr);
        abort();
    }
    return larger;
}

static const char *text(const cJSON *node, const char *key) {
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(node, key));
    return value ? value : "";
}

static bool flag(const cJSON *node, const char *key) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(node, key));
}

static bool is_one_of(const char *kind, const char *const *kinds) {
    while (*kinds && strcmp(kind, *kinds))
        kinds++;
    return *kinds != NULL;
}

/* --- where a node is --- */

/* Follow a "loc" or "range" object; the place that counts is the first of the last object in it:
 * where a macro is expanded rather than where it is spelled, where a range begins rather than ends.
 */
static Place read_place(Checker *checker, const cJSON *location) {
    Place first = {0};
    for (const cJSON *item = location->child; item; item = item->next) {
        const char *key = item->string;
        if (!strcmp(key, "file"))
            checker->place.file = checker->place.text_file = item->valuestring;
        else if (!strcmp(key, "presumedFile"))
            checker->place.file = item->valuestring;
        else if (!strcmp(key, "offset"))
            checker->place.offset = item->valueint;
        else if (!strcmp(key, "presumedLine") ||
                 (!strcmp(key, "line") && checker->place.file == checker->place.text_file))
            checker->place.line = item->valueint;
        else if (!strcmp(key, "col")) {
            checker->place.column = item->valueint;
            first = checker->place;
            if (strcmp(location->string, "expansionLoc")) checker->token = first;
        } else if (cJSON_IsObject(item) && strcmp(key, "includedFrom")) {
            Place place = read_place(checker, item);
            if (!first.line || !strcmp(key, "expansionLoc")) first = place;
        }
    }
    return first;
}

static Place node_place(Checker *checker, const cJSON *node) {
    const cJSON *location = cJSON_GetObjectItemCaseSensitive(node, "loc");
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(node, "range");
    Place at = {0}, begin = {0};
    if (location) at = read_place(checker, location);
    if (range) begin = read_place(checker, range);
    return at.line ? at : begin;
}

static bool in_header(Place place) {
    static const char *const headers[] = {"metal_stdlib", "metal_matrix", "metal_type_traits",
                                          NULL};
    const char *slash = place.file ? strrchr(place.file, '/') : NULL;
    return !place.file || is_one_of(slash ? slash + 1 : place.file, headers);
}

static void refuse(Checker *checker, Place place, const char *name, const char *reason) {
    for (size_t i = 0; i < checker->refused_count; i++) {
        const Place *other = &checker->refused[i];
        if (other->line == place.line && other->column == place.column) return;
    }
    checker->refused = grow(checker->refused, checker->refused_count, sizeof place);
    checker->refused[checker->refused_count++] = place;
    fprintf(stderr, "%s:%d:%d: error: %s%s\n", place.file, place.line, place.column, name, reason);
}

/* --- what a node says --- */

static const char *const functions[] = {"FunctionDecl",       "CXXMethodDecl",
                                        "CXXConstructorDecl", "CXXDestructorDecl",
                                        "CXXConversionDecl",  NULL};

/* The text of the token read last, as far as the file goes; "" if it cannot be read. */
static const char *token_text(Checker *checker) {
    const Place *token = &checker->token;
    if (!token->text_file) return "";
    if (!checker->source_file || strcmp(checker->source_file, token->text_file)) {
        free(checker->source);
        checker->source_file = token->text_file;
        checker->source = bind_load(token->text_file, &checker->source_size);
    }
    bool inside = checker->source && (size_t)token->offset < checker->source_size;
    return inside ? checker->source + token->offset : "";
}

/* The type as written, or below its typedefs. */
static const char *type_text(const cJSON *node, const char *form) {
    return text(cJSON_GetObjectItemCaseSensitive(node, "type"), form);
}

static const cJSON *first_child(const cJSON *node) {
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(node, "inner");
    return inner ? inner->child : NULL;
}

static bool is_vector(const cJSON *node) {
    return strstr(type_text(node, "qualType"), "ext_vector_type") ||
           strstr(type_text(node, "desugaredQualType"), "ext_vector_type");
}

/* --- rules about one node --- */

static void check_words(Checker *checker, const char *kind, Place place) {
    static const char *const refused[][2] = {
        {"LambdaExpr", "lambda expressions are not part of Metal"},
        {"GotoStmt", "goto is not part of Metal"},
        {"IndirectGotoStmt", "goto is not part of Metal"},
        {"GCCAsmStmt", "asm is not part of Metal"},
        {"FileScopeAsmDecl", "asm is not part of Metal"},
        {"AddrLabelExpr", "goto is not part of Metal"},
        {"CXXNoexceptExpr", "the noexcept operator is not part of Metal"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(kind, refused[i][0])) refuse(checker, place, "", refused[i][1]);
}

static bool is_word_character(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static void check_types(Checker *checker, const cJSON *node, Place place) {
    static const char *const refused[] = {"double", "long long", NULL};
    const char *argument = text(cJSON_GetObjectItemCaseSensitive(node, "argType"), "qualType");
    const char *type = *argument ? argument : type_text(node, "qualType");
    for (size_t i = 0; refused[i]; i++) {
        const char *found = strstr(type, refused[i]);
        if (!found || (found > type && is_word_character(found[-1])) ||
            is_word_character(found[strlen(refused[i])]))
            continue;
        char reason[64];
        snprintf(reason, sizeof reason, "the type %s is not part of Metal", refused[i]);
        refuse(checker, place, "", reason);
    }
}

/* A literal is a float in Metal, but for 1.0L; where it is not to be one, clang warns. */
static bool is_float_literal(Checker *checker, const char *kind) {
    if (strcmp(kind, "FloatingLiteral")) return false;
    const char *literal = token_text(checker);
    size_t length = 0;
    while (is_word_character(literal[length]) || literal[length] == '.')
        length++;
    return !length || (literal[length - 1] != 'L' && literal[length - 1] != 'l');
}

/* OpenCL's names of a vector's parts; the node's last token is the name. */
static void check_swizzle(Checker *checker, const char *kind, Place place) {
    static const char *const refused[] = {"lo", "hi", "even", "odd", NULL};
    if (strcmp(kind, "ExtVectorElementExpr")) return;
    const char *name = token_text(checker);
    size_t length = 0;
    while (is_word_character(name[length]))
        length++;
    bool numbered = length > 1 && (*name == 's' || *name == 'S');
    for (size_t i = 0; refused[i]; i++)
        numbered |= length == strlen(refused[i]) && !strncmp(name, refused[i], length);
    if (numbered)
        refuse(checker, place, "", "a vector's elements are x, y, z, w or r, g, b, a in Metal");
}

static void check_vectors(Checker *checker, const cJSON *node, const char *kind, Place place) {
    const cJSON *child = first_child(node);
    if (!strcmp(kind, "ConditionalOperator") && child && is_vector(child))
        refuse(checker, place, "", "the condition of ?: must be a scalar; see select");
    if (!strcmp(kind, "InitListExpr") && is_vector(node) && *token_text(checker) == ')')
        refuse(checker, place, "",
               "(float4)(a, b, c, d) is d alone in Metal; write float4(a, b, c, d)");
}

/* `threadgroup` ones are clang's to check. */
static void check_local_variable(Checker *checker, const cJSON *node, const char *kind,
                                 Place place) {
    if (strcmp(kind, "VarDecl")) return;
    const char *type = type_text(node, "qualType");
    if (!strcmp(text(node, "storageClass"), "static"))
        refuse(checker, place, text(node, "name"), ": a variable in a function cannot be static");
    else if (strstr(type, "__constant") && !strpbrk(type, "*&"))
        refuse(checker, place, text(node, "name"),
               ": constant variables belong outside of functions");
}

static void check_name(Checker *checker, const cJSON *node, const char *kind, Place place) {
    if (!strcmp(kind, "FunctionDecl") && !strcmp(text(node, "name"), "main"))
        refuse(checker, place, "main", ": no function of Metal has this name");
}

static void check_class(Checker *checker, const cJSON *node, Place place) {
    const cJSON *base, *bases = cJSON_GetObjectItemCaseSensitive(node, "bases");
    cJSON_ArrayForEach(base, bases) if (flag(base, "isVirtual"))
        refuse(checker, place, text(node, "name"), ": virtual base classes are not part of Metal");
}

static void check_template(Checker *checker, const cJSON *node, const char *kind, Place place) {
    if (!strcmp(kind, "NonTypeTemplateParmDecl") && !strcmp(type_text(node, "qualType"), "auto"))
        refuse(checker, place, text(node, "name"),
               ": auto as a template's parameter needs C++17, Metal 3.0 is C++14");
}

/* A member function works on objects in thread memory, unless it says otherwise after its
 * parameters. */
static void check_member_call(Checker *checker, const cJSON *node, Place place) {
    const cJSON *object = first_child(node);
    if (strcmp(type_text(node, "qualType"), "<bound member function type>") || !object ||
        strcmp(text(object, "castKind"), "AddressSpaceConversion"))
        return;
    const char *type = type_text(first_child(object), "qualType");
    if (strstr(type, "__global") || strstr(type, "__local"))
        refuse(checker, place, text(node, "name"),
               ": called on an object outside of thread memory; declare it `device` or "
               "`threadgroup` after its parameters, or copy the object");
}

/* A pointer or reference without an address space points into OpenCL's generic one. Of a function's
 * type only the result counts: its parameters are nodes of their own. */
static void check_address_space(Checker *checker, const cJSON *node, const char *kind,
                                Place place) {
    static const char *const objects[] = {"VarDecl",
                                          "ParmVarDecl",
                                          "FieldDecl",
                                          "TypedefDecl",
                                          "TypeAliasDecl",
                                          "CStyleCastExpr",
                                          "CXXStaticCastExpr",
                                          "CXXReinterpretCastExpr",
                                          "CXXFunctionalCastExpr",
                                          NULL};
    const char *type = type_text(node, "qualType");
    const char *generic = strstr(type, "__generic");
    if (!generic) return;
    const char *parameters = strchr(type, '(');
    bool missing = is_one_of(kind, objects) ||
                   (is_one_of(kind, functions) && parameters && generic < parameters);
    if (!missing) return;
    char name[160];
    snprintf(name, sizeof name, "%s%s", text(node, "name"), *text(node, "name") ? ": " : "");
    refuse(
        checker, place, name,
        "a pointer or reference needs an address space: device, constant, threadgroup or thread");
}

/* --- recursion --- */

static size_t note_function(Checker *checker, const cJSON *node, Place place) {
    const char *name = text(node, "mangledName");
    if (!*name) name = text(node, "id"); /* a constructor has none */
    size_t i = 0;
    while (i < checker->function_count && strcmp(checker->functions[i].name, name))
        i++;
    if (i == checker->function_count) {
        checker->functions = grow(checker->functions, i, sizeof *checker->functions);
        checker->functions[checker->function_count++] =
            (Function){.name = name, .source = text(node, "name"), .place = place};
    }
    checker->declarations =
        grow(checker->declarations, checker->declaration_count, sizeof *checker->declarations);
    checker->declarations[checker->declaration_count++] = (Declaration){text(node, "id"), i};
    return i;
}

static void note_call(Checker *checker, size_t caller, const char *id, Place place) {
    checker->calls = grow(checker->calls, checker->call_count, sizeof *checker->calls);
    checker->calls[checker->call_count++] = (Call){caller, id, place};
}

static void follow_calls(Checker *checker, size_t caller);

static void follow_call(Checker *checker, const Call *call) {
    for (size_t d = 0; d < checker->declaration_count; d++) {
        if (strcmp(checker->declarations[d].id, call->id)) continue;
        Function *called = &checker->functions[checker->declarations[d].function];
        if (called->is_kernel)
            refuse(checker, call->place, called->source, ": a kernel cannot be called");
        else if (called->active)
            refuse(checker, called->place, called->source, ": recursion is not part of Metal");
        else if (!called->visited)
            follow_calls(checker, checker->declarations[d].function);
    }
}

static void follow_calls(Checker *checker, size_t caller) {
    Function *function = &checker->functions[caller];
    function->visited = function->active = true;
    for (size_t i = 0; i < checker->call_count; i++)
        if (checker->calls[i].caller == caller) follow_call(checker, &checker->calls[i]);
    function->active = false;
}

/* --- the tree --- */

enum { NO_FUNCTION = -1 };

static void check_node(Checker *checker, const cJSON *node, const char *kind, Place place,
                       bool in_function) {
    check_swizzle(checker, kind, place);
    check_vectors(checker, node, kind, place);
    check_words(checker, kind, place);
    if (!is_float_literal(checker, kind)) check_types(checker, node, place);
    check_name(checker, node, kind, place);
    check_class(checker, node, place);
    check_template(checker, node, kind, place);
    check_member_call(checker, node, place);
    check_address_space(checker, node, kind, place);
    if (in_function) check_local_variable(checker, node, kind, place);
}

/* The function that a node names, NULL if it names none: f, or object.f. */
static const char *called_function(const cJSON *node) {
    const cJSON *called = cJSON_GetObjectItemCaseSensitive(node, "referencedDecl");
    if (called) return is_one_of(text(called, "kind"), functions) ? text(called, "id") : NULL;
    const char *member = text(node, "referencedMemberDecl");
    return *member ? member : NULL;
}

/* `function` is the one that the node is part of; `implicit`: clang itself added it. */
static void visit(Checker *checker, const cJSON *node, long function, bool implicit) {
    Place place = node_place(checker, node);
    const char *kind = text(node, "kind");
    implicit = implicit || flag(node, "isImplicit");
    if (!implicit && !in_header(place)) {
        if (is_one_of(kind, functions)) function = (long)note_function(checker, node, place);
        check_node(checker, node, kind, place, function != NO_FUNCTION);
        const char *called = called_function(node);
        if (function != NO_FUNCTION && called) note_call(checker, (size_t)function, called, place);
    }
    if (function != NO_FUNCTION && !strcmp(kind, "OpenCLKernelAttr"))
        checker->functions[function].is_kernel = true;
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(node, "inner"), *child;
    cJSON_ArrayForEach(child, inner) visit(checker, child, function, implicit);
}

static char *read_all(FILE *file) {
    size_t used = 0, read, capacity = 1 << 20;
    char *all = malloc(capacity + 1);
    while (all && (read = fread(all + used, 1, capacity - used, file)) > 0) {
        used += read;
        if (used < capacity) continue;
        char *larger = realloc(all, 2 * capacity + 1);
        if (!larger) free(all);
        all = larger;
        capacity *= 2;
    }
    if (all) all[used] = 0;
    return all;
}

int strict_check(FILE *file) {
    char *input = read_all(file);
    cJSON *tree = input ? cJSON_Parse(input) : NULL;
    if (!tree) {
        fputs("strict: the input is no syntax tree; see msl/strict/strict.c for its use\n", stderr);
        return 2;
    }
    Checker checker = {0};
    visit(&checker, tree, NO_FUNCTION, false);
    for (size_t i = 0; i < checker.function_count; i++)
        if (!checker.functions[i].visited) follow_calls(&checker, i);
    int status = checker.refused_count ? 1 : 0;
    free(checker.source);
    free(checker.functions);
    free(checker.declarations);
    free(checker.calls);
    free(checker.refused);
    cJSON_Delete(tree);
    free(input);
    return status;
}
