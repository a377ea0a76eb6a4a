/* cubes.h — which texel of a cube of six textures lies in a direction. */
#ifndef METAL_LLM_MSL_SIMT_CUBES_H
#define METAL_LLM_MSL_SIMT_CUBES_H

#include <stdbool.h>

/* The face that a direction meets, +x, −x, +y, −y, +z, −z in turn, and where on it, from 0 to 1. */
unsigned cube_face(const float direction[3], float at[2]);
/* A texel beyond one edge of a face becomes the one of another face that lies beside it. False, and
 * nothing is changed, for what is beyond two edges: at a corner only three texels meet. */
bool cube_cross(unsigned size, unsigned *face, int at[2]);

#endif
