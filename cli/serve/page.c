/* page.c — GET /: the page, which may run nothing but its own script, and ask nobody but us. */
#include "../page.h"
#include "server.h"
#include "sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of what stands between two tags, as a browser counts it. */
static void hash_of(const char *page, const char *open, const char *close,
                    char hash[SHA256_BASE64 + 1]) {
    const char *begin = strstr(page, open), *end = begin ? strstr(begin, close) : NULL;
    if (begin) begin += strlen(open);
    sha256_base64(end ? begin : "", end ? (size_t)(end - begin) : 0, hash);
}

void answer_page(Exchange *exchange) {
    LLMError error = {0};
    char script[SHA256_BASE64 + 1], style[SHA256_BASE64 + 1];
    char *page = page_with_data("page.html", NULL, &error);
    if (!problem_of_error(&exchange->problem, &error, NULL)) return;
    hash_of(page, "<script>", "</script>", script);
    hash_of(page, "<style>", "</style>", style);
    snprintf(exchange->policy, sizeof exchange->policy,
             "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src "
             "'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             script, style);
    reply_text(exchange, 200, "text/html; charset=utf-8", page);
    free(page);
}
