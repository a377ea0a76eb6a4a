/* utf8.h — UTF-8 text, one character at a time. */
#ifndef METAL_LLM_UTF8_H
#define METAL_LLM_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1 to 4) of the character that `text` begins with, its code point in *character; 0 where no
 * valid character begins (RFC 3629: no overlong forms, no surrogates) or where `size` cuts it off.
 */
size_t utf8_decode(const char *text, size_t size, uint32_t *character);

/* Every byte that is part of no valid character becomes '?'. */
void utf8_repair(char *text, size_t size);

/* Of `size` bytes of a text that goes on, those before a character that is not complete yet. */
size_t utf8_whole(const char *text, size_t size);

#endif
