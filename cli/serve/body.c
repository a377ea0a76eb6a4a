#include "body.h"

#include "utf8.h"

#include <string.h>

/* A look at the bytes before they are parsed. */
typedef struct Scan {
    const char *text, *end, *at;
    unsigned depth;
    bool wants_key; /* the next text is a name, of the object that all is in */
    char key[64];   /* the last of those names */
    Body *body;
    Problem *problem;
} Scan;

static void keep_key(Scan *scan, const char *start) {
    size_t size = (size_t)(scan->at - start);
    if (size >= sizeof scan->key) size = sizeof scan->key - 1;
    memcpy(scan->key, start, size);
    scan->key[size] = 0;
    scan->wants_key = false;
}

static bool refuse_nul(Scan *scan) {
    return problem_set(scan->problem, 400, "invalid_value", scan->wants_key ? NULL : scan->key,
                       "%s has a NUL (\\u0000) in it, which no text may have",
                       scan->wants_key || !*scan->key ? "the body" : scan->key);
}

/* From just past one quotation mark to the next. */
static bool skip_text(Scan *scan) {
    const char *start = scan->at;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        if (!*scan->at) return refuse_nul(scan);
        if (*scan->at != '\\') continue;
        if (++scan->at == scan->end) break;
        if (scan->end - scan->at >= 5 && !memcmp(scan->at, "u0000", 5)) return refuse_nul(scan);
    }
    if (scan->depth == 1 && scan->wants_key) keep_key(scan, start);
    return true;
}

static void keep_seed(Scan *scan) {
    const char *digits = scan->at + 1;
    digits += strspn(digits, " \t\r\n");
    size_t size = strspn(digits, "+-.0123456789eE");
    if (scan->body->seed[0] || size >= sizeof scan->body->seed) return;
    memcpy(scan->body->seed, digits, size);
}

static bool skip_sign(Scan *scan) {
    char c = *scan->at;
    if (!c) return refuse_nul(scan);
    if ((c == '{' || c == '[') && ++scan->depth > BODY_DEPTH_MOST)
        return problem_set(scan->problem, 400, "invalid_json", NULL,
                           "the body is nested more than %d deep", BODY_DEPTH_MOST);
    if ((c == '}' || c == ']') && scan->depth) scan->depth--;
    if (scan->depth == 1 && (c == '{' || c == ',')) scan->wants_key = true;
    if (scan->depth == 1 && c == ':' && !strcmp(scan->key, "seed")) keep_seed(scan);
    return true;
}

static bool look(Body *body, const char *text, size_t size, Problem *problem) {
    Scan scan = {.text = text, .end = text + size, .at = text, .body = body, .problem = problem};
    for (; scan.at < scan.end; scan.at++) {
        if (*scan.at != '"') {
            if (!skip_sign(&scan)) return false;
            continue;
        }
        scan.at++;
        if (!skip_text(&scan)) return false;
    }
    return true;
}

static bool is_utf8(const char *text, size_t size) {
    uint32_t character;
    for (size_t length; size; text += length, size -= length)
        if (!(length = utf8_decode(text, size, &character))) return false;
    return true;
}

bool body_read(Body *body, const char *text, size_t size, Problem *problem) {
    if (!is_utf8(text, size))
        return problem_set(problem, 400, "invalid_json", NULL, "the body is not UTF-8");
    if (!look(body, text, size, problem)) return false;
    const char *end = NULL;
    body->json = cJSON_ParseWithLengthOpts(text, size + 1, &end, true);
    if (!body->json)
        return problem_set(problem, 400, "invalid_json", NULL,
                           "the body is not JSON: look at byte %zu",
                           end ? (size_t)(end - text) : 0);
    if (cJSON_IsObject(body->json)) return true;
    return problem_set(problem, 400, "invalid_json", NULL, "the body is no JSON object");
}

void body_free(Body *body) {
    cJSON_Delete(body->json);
    *body = (Body){0};
}
