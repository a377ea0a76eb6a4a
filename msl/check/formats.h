/* formats.h — arrays as textures, and words as samplers. */
#ifndef METAL_LLM_MSL_CHECK_FORMATS_H
#define METAL_LLM_MSL_CHECK_FORMATS_H

#include "array.h"
#include "textures.h"
#include "types.h"

/* An array of height × width (× channels) and the like as the texture that a kernel asks for.
 * False, with one line in `error`, if it is none. */
bool texture_describe(SimtTexture *texture, const Array *array, const Type *type, char error[256]);
/* May a kernel write to it? */
bool texture_is_writable(const Type *type);

/* "linear,repeat,pixel", words as in Metal; empty: what Metal starts with. */
bool sampler_parse(SimtSampler *sampler, const char *text, char error[256]);

#endif
