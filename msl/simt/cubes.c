/* cubes.c — which texel of a cube of six textures lies in a direction. */
#include "cubes.h"

#include <math.h>

/* The axis through a face and the axes along it, each with its sign: Metal's table of cubes. */
typedef struct Face {
    int axis, s, t;
    float sign, s_sign, t_sign;
} Face;

static const Face faces[6] = {
    {0, 2, 1, 1, -1, -1}, {0, 2, 1, -1, 1, -1}, {1, 0, 2, 1, 1, 1},
    {1, 0, 2, -1, 1, -1}, {2, 0, 1, 1, 1, -1},  {2, 0, 1, -1, -1, -1},
};

/* Of equal ones z is before y, y before x. */
static int longest_axis(const float direction[3]) {
    float x = fabsf(direction[0]), y = fabsf(direction[1]), z = fabsf(direction[2]);
    if (z >= x && z >= y) return 2;
    return y >= x ? 1 : 0;
}

unsigned cube_face(const float direction[3], float at[2]) {
    int axis = longest_axis(direction);
    unsigned face = 2 * (unsigned)axis + (direction[axis] < 0);
    float length = fabsf(direction[axis]);
    at[0] = (faces[face].s_sign * direction[faces[face].s] / length + 1) / 2;
    at[1] = (faces[face].t_sign * direction[faces[face].t] / length + 1) / 2;
    return face;
}

static float centre(int i, unsigned size) {
    return (2 * (float)i + 1) / (float)size - 1;
}

static bool is_inside(int i, unsigned size) {
    return i >= 0 && i < (int)size;
}

bool cube_cross(unsigned size, unsigned *face, int at[2]) {
    if (is_inside(at[0], size) && is_inside(at[1], size)) return true;
    if (!is_inside(at[0], size) && !is_inside(at[1], size)) return false;
    const Face *from = &faces[*face];
    float direction[3], on[2];
    direction[from->axis] = from->sign;
    direction[from->s] = from->s_sign * centre(at[0], size);
    direction[from->t] = from->t_sign * centre(at[1], size);
    *face = cube_face(direction, on);
    at[0] = (int)(on[0] * (float)size);
    at[1] = (int)(on[1] * (float)size);
    return true;
}
