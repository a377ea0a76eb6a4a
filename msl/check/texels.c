/* texels.c — what a kernel does to textures, which it reaches through the SIMT runtime alone. */
#include "checker_parts.h"

#include <stdio.h>

_Static_assert((int)SIMT_READS == READ && (int)SIMT_WRITES == WRITE &&
                   (int)SIMT_ATOMICALLY == ATOMIC,
               "both count alike");

void texel_used(void *self, const SimtTexture *texture, const void *texel, size_t bytes,
                unsigned use, const void *caller) {
    Checker *c = self;
    (void)texture;
    c->atomic = NULL;
    watch_access(texel, bytes, use, caller, NULL);
}

/* "8 × 6 texels" */
static void name_size(const SimtTexture *texture, char *name, size_t size) {
    int used = snprintf(name, size, "%u", texture->width);
    if (texture->axes > 1)
        used += snprintf(name + used, size - (size_t)used, " × %u", texture->height);
    if (texture->axes > 2)
        used += snprintf(name + used, size - (size_t)used, " × %u", texture->depth);
    used += snprintf(name + used, size - (size_t)used, " texels");
    if (texture->layers > 1)
        snprintf(name + used, size - (size_t)used, " in %u layers", texture->layers);
}

/* "texel (8,3) of layer 1, level 2" */
static void name_position(const SimtTexture *texture, const SimtPosition *at, char *name,
                          size_t size) {
    int used = snprintf(name, size, "texel (%u", at->x);
    if (texture->axes > 1) used += snprintf(name + used, size - (size_t)used, ",%u", at->y);
    if (texture->axes > 2) used += snprintf(name + used, size - (size_t)used, ",%u", at->z);
    used += snprintf(name + used, size - (size_t)used, ")");
    if (texture->layers > 1 || at->layer)
        used += snprintf(name + used, size - (size_t)used, " of layer %u", at->layer);
    if (at->level) snprintf(name + used, size - (size_t)used, " of level %u", at->level);
}

void texel_outside(void *self, const SimtTexture *texture, const SimtPosition *at, unsigned use,
                   const void *caller) {
    Checker *c = self;
    const Block *block = block_find(c, (const char *)texture->texels);
    uint32_t code = (uint32_t)((const char *)caller - c->library) - 1;
    race_finish_overwrite(c);
    if (checker_out_of_time) checker_stop(c, code, "has not come to an end in time");
    Witness who = witness_here(code, use & SIMT_WRITES, use & SIMT_ATOMICALLY);
    Finding *finding = finding_of_access(c, FINDING_OUT_OF_BOUNDS, block, &who, NULL);
    if (!finding) return;
    char position[64], size[64], attribute[32] = "";
    if (block->index >= 0) snprintf(attribute, sizeof attribute, " [[texture(%d)]]", block->index);
    name_position(texture, at, position, sizeof position);
    name_size(texture, size, sizeof size);
    snprintf(finding->detail, sizeof finding->detail, "%s %s of '%s'%s, which has %s%s",
             use & SIMT_WRITES ? "writes" : "reads", position, block->name, attribute, size,
             at->level ? " in one level" : "");
}
