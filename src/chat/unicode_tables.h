/* unicode_tables.h — what letters.c has to know of Unicode; sorted, each ends with UINT32_MAX. */
#ifndef METAL_LLM_UNICODE_TABLES_H
#define METAL_LLM_UNICODE_TABLES_H

#include <stdint.h>

/* The characters first, first + stride, … last; each becomes itself + delta. */
typedef struct UnicodeRun {
    uint32_t first, last;
    uint8_t stride;
    int32_t delta;
} UnicodeRun;

/* A character that becomes two or three; 0 ends them. */
typedef struct UnicodeExpansion {
    uint32_t character, to[3];
} UnicodeExpansion;

extern const char unicode_version[];
extern const UnicodeRun unicode_upper[], unicode_lower[], unicode_title[];
extern const UnicodeExpansion unicode_upper_long[], unicode_lower_long[], unicode_title_long[];
/* Letters by their case; those that a final sigma looks past; those that repr() escapes. */
extern const UnicodeRun unicode_is_upper[], unicode_is_lower[], unicode_is_cased[];
extern const UnicodeRun unicode_is_alpha[], unicode_is_decimal[], unicode_is_digit[];
extern const UnicodeRun unicode_is_numeric[];
extern const UnicodeRun unicode_is_ignored[], unicode_is_hidden[];

#endif
