#include "strict.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct Place {
    const char *file;
    int line, column;
} Place;

typedef struct Function {
    const char *name;   /* mangled: the same for a declaration and its definition */
    const char *source; /* as written */
    Place place;
    bool visited, active; /* by the search for cycles */
} Function;

typedef struct Call {
    size_t caller;
    const char *id; /* of the declaration that is called */
} Call;

typedef struct Declaration {
    const char *id;
    size_t function;
} Declaration;

typedef struct Checker {
    Place place; /* of the last location read: clang leaves out what has not changed */
    const char *text_file; /* the file that it is in, which may not be what #line calls it */
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
            checker->place.file = checker->text_file = item->valuestring;
        else if (!strcmp(key, "presumedFile"))
            checker->place.file = item->valuestring;
        else if (!strcmp(key, "presumedLine") ||
                 (!strcmp(key, "line") && checker->place.file == checker->text_file))
            checker->place.line = item->valueint;
        else if (!strcmp(key, "col")) {
            checker->place.column = item->valueint;
            first = checker->place;
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
    const char *header = "metal_stdlib";
    size_t length = place.file ? strlen(place.file) : 0, tail = strlen(header);
    return length < tail || !strcmp(place.file + length - tail, header);
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

/* --- rules about one node --- */

static void check_words(Checker *checker, const char *kind, Place place) {
    static const char *const refused[][2] = {
        {"LambdaExpr", "lambda expressions are not part of Metal"},
        {"GotoStmt", "goto is not part of Metal"},
        {"IndirectGotoStmt", "goto is not part of Metal"},
        {"GCCAsmStmt", "asm is not part of Metal"},
        {"FileScopeAsmDecl", "asm is not part of Metal"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(kind, refused[i][0])) refuse(checker, place, "", refused[i][1]);
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
    static const char *const functions[] = {"FunctionDecl", "CXXMethodDecl", NULL};
    const char *type = text(cJSON_GetObjectItemCaseSensitive(node, "type"), "qualType");
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

static void note_call(Checker *checker, size_t caller, const char *id) {
    checker->calls = grow(checker->calls, checker->call_count, sizeof *checker->calls);
    checker->calls[checker->call_count++] = (Call){caller, id};
}

static void follow_calls(Checker *checker, size_t caller);

static void follow_call(Checker *checker, const Call *call) {
    for (size_t d = 0; d < checker->declaration_count; d++) {
        if (strcmp(checker->declarations[d].id, call->id)) continue;
        Function *called = &checker->functions[checker->declarations[d].function];
        if (called->active)
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

/* `function` is the one that the node is part of; `implicit`: clang itself added it. */
static void visit(Checker *checker, const cJSON *node, long function, bool implicit) {
    Place place = node_place(checker, node);
    const char *kind = text(node, "kind");
    static const char *const functions[] = {"FunctionDecl", "CXXMethodDecl", NULL};
    implicit = implicit || flag(node, "isImplicit");
    if (!implicit && !in_header(place)) {
        if (is_one_of(kind, functions)) function = (long)note_function(checker, node, place);
        check_words(checker, kind, place);
        check_address_space(checker, node, kind, place);
        const cJSON *called = cJSON_GetObjectItemCaseSensitive(node, "referencedDecl");
        if (function != NO_FUNCTION && called && is_one_of(text(called, "kind"), functions))
            note_call(checker, (size_t)function, text(called, "id"));
    }
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
    free(checker.functions);
    free(checker.declarations);
    free(checker.calls);
    free(checker.refused);
    cJSON_Delete(tree);
    free(input);
    return status;
}
