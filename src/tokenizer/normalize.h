/* normalize.h — what is done to a text before it is split. */
#ifndef METAL_LLM_NORMALIZE_H
#define METAL_LLM_NORMALIZE_H

#include "error.h"

/* A space in front of the text. */
typedef enum PrefixSpace {
    PREFIX_NONE,
    PREFIX_ALWAYS,  /* unless the text is empty */
    PREFIX_MISSING, /* unless it begins with one */
} PrefixSpace;

typedef struct Normalizer {
    bool nfc;         /* Unicode's normalisation form C */
    bool mark_spaces; /* a SPACE_MARK for each space */
    PrefixSpace prefix;
} Normalizer;

/* A text that grows; release with free(data). */
typedef struct NormalizedText {
    char *data;
    size_t size, capacity;
} NormalizedText;

/* Whether it changes any text. */
bool normalizer_changes(const Normalizer *normalizer);
/* Put the normalised text into `out`, in place of what is there. Bytes that are not UTF-8 stay as
 * they are. */
bool normalize(const Normalizer *normalizer, const char *text, size_t size, NormalizedText *out,
               LLMError *error);

#endif
