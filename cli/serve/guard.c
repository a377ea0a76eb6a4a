/* guard.c — who may ask.
 *
 * A web page that somebody has open can send requests to a server on the same machine. It cannot
 * choose the Host under which it does so (it names the page's own site, even where that site's name
 * has been pointed at this machine), nor its Origin, nor a body of JSON without asking first. */
#include "server.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const char *header(const Exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* --- Host and Origin --- */

/* "[::1]:8080" → "::1", without its port. False if it is too long. */
static bool host_name(const char *host, char *name, size_t room) {
    bool bracket = *host == '[';
    if (bracket) host++;
    size_t size = strcspn(host, bracket ? "]" : ":");
    if (size >= room) return false;
    memcpy(name, host, size);
    name[size] = 0;
    return true;
}

static bool is_address(const char *name) {
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool is_among(const OptionTexts *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (!strcasecmp(list->texts[i], name)) return true;
    return false;
}

/* No name in the net can be pointed at us by others but one that is an address. */
static bool host_is_ours(const ServerOptions *options, const char *host) {
    char name[256];
    if (!host || !host_name(host, name, sizeof name)) return false;
    return is_address(name) || !strcasecmp(name, "localhost") || !strcasecmp(name, options->host) ||
           is_among(&options->hosts, name);
}

/* "http://HOST", of a page that came from here. */
static bool is_same_origin(const char *origin, const char *host) {
    const char *rest = strstr(origin, "://");
    return rest && host && !strcasecmp(rest + 3, host);
}

static bool origin_is_listed(const Exchange *exchange, const char *origin) {
    const OptionTexts *origins = &exchange->server->options.origins;
    return is_among(origins, origin) || is_among(origins, "*");
}

static bool check_origin(Exchange *exchange) {
    const char *host = header(exchange, "Host"), *origin = header(exchange, "Origin");
    if (!host_is_ours(&exchange->server->options, host))
        return problem_set(&exchange->problem, 403, "host_not_allowed", NULL,
                           "this server is not known under the name in Host: start it with "
                           "--allow-host NAME if it is");
    if (!origin || is_same_origin(origin, host) || origin_is_listed(exchange, origin)) return true;
    return problem_set(&exchange->problem, 403, "origin_not_allowed", NULL,
                       "web pages of this origin may not use the server: start it with --cors "
                       "ORIGIN if they may");
}

void guard_add_headers(Exchange *exchange) {
    struct MHD_Response *response = exchange->response;
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "Content-Security-Policy",
                            *exchange->policy ? exchange->policy : "default-src 'none'");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    const char *origin = header(exchange, "Origin");
    if (!origin || !origin_is_listed(exchange, origin)) return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
    MHD_add_response_header(response, "Vary", "Origin");
    MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST");
    MHD_add_response_header(response, "Access-Control-Allow-Headers",
                            "Authorization, Content-Type");
}

/* --- the key --- */

/* As long as the given text takes, whatever of it is right. */
static bool same_text(const char *given, const char *key) {
    size_t size = strlen(given), key_size = strlen(key);
    volatile unsigned char differ = size != key_size;
    for (size_t i = 0; i < size; i++)
        differ |= (unsigned char)(given[i] ^ key[key_size ? i % key_size : 0]);
    return !differ;
}

static bool check_key(Exchange *exchange) {
    const char *key = exchange->server->api_key, *given = header(exchange, "Authorization");
    if (!key || (exchange->route && exchange->route->flags & ROUTE_OPEN)) return true;
    if (given && !strncasecmp(given, "Bearer ", 7) && same_text(given + 7, key)) return true;
    return problem_set(&exchange->problem, 401, "invalid_api_key", NULL,
                       given ? "the API key is wrong"
                             : "an API key is wanted: Authorization: Bearer KEY");
}

/* --- the body --- */

static bool check_body(Exchange *exchange, const char *method) {
    const char *type = header(exchange, "Content-Type");
    if (strcmp(method, "POST") || !exchange->route) return true;
    size_t size = type ? strcspn(type, "; \t") : 0;
    if (size == strlen("application/json") && !strncasecmp(type, "application/json", size))
        return true;
    return problem_set(&exchange->problem, 415, "unsupported_media_type", NULL,
                       "the body must be JSON: Content-Type: application/json");
}

bool guard_check(Exchange *exchange, const char *method) {
    return check_origin(exchange) && (!strcmp(method, "OPTIONS") || check_key(exchange)) &&
           check_body(exchange, method);
}
