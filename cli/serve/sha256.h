/* sha256.h — a hash of a text, as a content security policy names a script by. */
#ifndef METAL_LLM_SERVE_SHA256_H
#define METAL_LLM_SERVE_SHA256_H

#include <stddef.h>

enum { SHA256_BASE64 = 44 };

/* FIPS 180-4, in base64. */
void sha256_base64(const char *text, size_t size, char hash[SHA256_BASE64 + 1]);

#endif
