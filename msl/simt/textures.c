/* textures.c — reads, writes and samples textures, on the CPU and one texel at a time. */
#include "textures.h"
#include "cubes.h"
#include "simt_parts.h"

#include <math.h>
#include <string.h>

#define CALLER __builtin_return_address(0)

/* --- texels --- */

static size_t texel_bytes(const SimtTexture *texture) {
    return (size_t)texture->channels * texture->channel_bytes;
}

static bool is_whole(const SimtTexture *texture) {
    return texture->channel == SIMT_UINT || texture->channel == SIMT_SINT;
}

static unsigned char *texel_at(const SimtTexture *texture, const SimtPosition *at) {
    size_t slice = (size_t)at->layer * texture->depth + at->z;
    size_t index = (slice * texture->height + at->y) * texture->width + at->x;
    return texture->texels + index * texel_bytes(texture);
}

/* What the channels that a format lacks are read as. */
static SimtTexel missing(const SimtTexture *texture) {
    SimtTexel texel = {.u = {0, 0, 0, 1}};
    if (!is_whole(texture)) texel.f[3] = 1;
    return texel;
}

static int sign_extend(unsigned bits, unsigned bytes) {
    return bytes == 1 ? (int8_t)bits : bytes == 2 ? (int16_t)bits : (int)bits;
}

static float decode_float(const SimtTexture *texture, unsigned bits) {
    unsigned bytes = texture->channel_bytes;
    unsigned most = bytes == 1 ? UINT8_MAX : UINT16_MAX;
    if (texture->channel == SIMT_UNORM) return (float)bits / (float)most;
    if (texture->channel == SIMT_SNORM)
        return fmaxf((float)sign_extend(bits, bytes) / (float)(most / 2), -1);
    float value;
    _Float16 half;
    memcpy(&half, &bits, sizeof half);
    memcpy(&value, &bits, sizeof value);
    return bytes == 2 ? (float)half : value;
}

static void decode(const SimtTexture *texture, const unsigned char *from, SimtTexel *texel) {
    *texel = missing(texture);
    for (unsigned c = 0; c < texture->channels; c++) {
        unsigned bits = 0;
        memcpy(&bits, from + c * texture->channel_bytes, texture->channel_bytes);
        if (texture->channel == SIMT_UINT)
            texel->u[c] = bits;
        else if (texture->channel == SIMT_SINT)
            texel->i[c] = sign_extend(bits, texture->channel_bytes);
        else
            texel->f[c] = decode_float(texture, bits);
    }
}

static float limit(float value, float low, float high) {
    return value >= low ? fminf(value, high) : isnan(value) ? 0 : low;
}

static unsigned encode_float(const SimtTexture *texture, float value) {
    unsigned bytes = texture->channel_bytes, bits = 0;
    unsigned most = bytes == 1 ? UINT8_MAX : UINT16_MAX;
    if (texture->channel == SIMT_UNORM) return (unsigned)rintf(limit(value, 0, 1) * (float)most);
    if (texture->channel == SIMT_SNORM)
        return (unsigned)(int)rintf(limit(value, -1, 1) * (float)(most / 2));
    _Float16 half = (_Float16)value;
    if (bytes == 2)
        memcpy(&bits, &half, sizeof half);
    else
        memcpy(&bits, &value, sizeof value);
    return bits;
}

/* Whole numbers that are too large become the largest. */
static unsigned encode_whole(const SimtTexture *texture, const SimtTexel *texel, unsigned c) {
    unsigned bits = 8 * texture->channel_bytes, most = UINT32_MAX >> (32 - bits);
    if (texture->channel == SIMT_UINT) return texel->u[c] < most ? texel->u[c] : most;
    int high = (int)(most / 2), low = -high - 1, value = texel->i[c];
    return (unsigned)(value < low ? low : value > high ? high : value);
}

static void encode(const SimtTexture *texture, const SimtTexel *texel, unsigned char *to) {
    for (unsigned c = 0; c < texture->channels; c++) {
        unsigned bits = is_whole(texture) ? encode_whole(texture, texel, c)
                                          : encode_float(texture, texel->f[c]);
        memcpy(to + c * texture->channel_bytes, &bits, texture->channel_bytes);
    }
}

/* --- one texel --- */

static void tell(const SimtTexture *texture, const SimtPosition *at, unsigned use,
                 const void *caller) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    if (watcher)
        watcher->texel(watcher->self, texture, texel_at(texture, at), texel_bytes(texture), use,
                       caller);
}

/* A texture that is not there ends the launch. */
static void check_texture(const SimtTexture *texture) {
    if (!texture) simt_stop("uses a texture that is not bound");
}

/* False, after the watcher was told, for what is outside. */
static bool find_texel(const SimtTexture *texture, const SimtPosition *at, unsigned use,
                       const void *caller) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    check_texture(texture);
    if (at->x < texture->width && at->y < texture->height && at->z < texture->depth &&
        at->layer < texture->layers && !at->level) {
        tell(texture, at, use, caller);
        return true;
    }
    if (watcher) watcher->outside(watcher->self, texture, at, use, caller);
    return false;
}

void simt_texture_read(const SimtTexture *texture, const SimtPosition *at, SimtTexel *texel) {
    *texel = (SimtTexel){.u = {0}};
    if (find_texel(texture, at, SIMT_READS, CALLER)) decode(texture, texel_at(texture, at), texel);
}

void simt_texture_write(const SimtTexture *texture, const SimtPosition *at,
                        const SimtTexel *texel) {
    if (find_texel(texture, at, SIMT_WRITES, CALLER)) encode(texture, texel, texel_at(texture, at));
}

void simt_texture_fence(const SimtTexture *texture) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    check_texture(texture);
    if (watcher) watcher->fence(watcher->self, texture);
}

void simt_texture_size(const SimtTexture *texture, unsigned level, unsigned size[4]) {
    check_texture(texture);
    size[0] = level ? 0 : texture->width;
    size[1] = level ? 0 : texture->height;
    size[2] = level ? 0 : texture->depth;
    size[3] = level ? 0 : texture->layers;
}

static unsigned combine(SimtAtomic operation, bool is_signed, unsigned old, unsigned operand) {
    bool below = is_signed ? (int)operand < (int)old : operand < old;
    switch (operation) {
    case SIMT_ATOMIC_ADD:
        return old + operand;
    case SIMT_ATOMIC_SUB:
        return old - operand;
    case SIMT_ATOMIC_AND:
        return old & operand;
    case SIMT_ATOMIC_OR:
        return old | operand;
    case SIMT_ATOMIC_XOR:
        return old ^ operand;
    case SIMT_ATOMIC_MIN:
        return below ? operand : old;
    case SIMT_ATOMIC_MAX:
        return below ? old : operand;
    default:
        return operand;
    }
}

bool simt_texture_atomic(const SimtTexture *texture, const SimtPosition *at, SimtAtomic operation,
                         const SimtTexel *expected, SimtTexel *texel) {
    unsigned use = (operation == SIMT_ATOMIC_STORE ? 0u : SIMT_READS) |
                   (operation == SIMT_ATOMIC_LOAD ? 0u : SIMT_WRITES);
    SimtTexel operand = *texel, old, new;
    *texel = (SimtTexel){.u = {0}};
    if (!find_texel(texture, at, use | SIMT_ATOMICALLY, CALLER)) return false;
    decode(texture, texel_at(texture, at), &old);
    *texel = old;
    if (operation == SIMT_ATOMIC_LOAD) return true;
    for (unsigned c = 0; c < texture->channels; c++) {
        if (operation == SIMT_ATOMIC_COMPARE_EXCHANGE && expected->u[c] != old.u[c]) return false;
        new.u[c] = combine(operation, texture->channel == SIMT_SINT, old.u[c], operand.u[c]);
    }
    encode(texture, &new, texel_at(texture, at));
    return true;
}

/* --- samplers --- */

/* The texel for index i of `count`, −1 for the border. */
static int wrap(SimtAddress address, int i, int count) {
    if (i >= 0 && i < count) return i;
    int turn = i % (2 * count);
    if (turn < 0) turn += 2 * count;
    switch (address) {
    case SIMT_REPEAT:
        return turn % count;
    case SIMT_MIRRORED_REPEAT:
        return turn < count ? turn : 2 * count - 1 - turn;
    case SIMT_CLAMP_TO_EDGE:
        return i < 0 ? 0 : count - 1;
    default:
        return -1;
    }
}

static SimtTexel border_of(const SimtTexture *texture, SimtSampler sampler, unsigned axis) {
    bool is_zero = sampler.address[axis] == SIMT_CLAMP_TO_ZERO;
    SimtTexel texel = missing(texture), one = texel;
    if (!is_zero && sampler.border == SIMT_OPAQUE_WHITE)
        for (unsigned c = 0; c < texture->channels; c++)
            texel.u[c] = one.u[3];
    bool is_opaque = !is_zero && sampler.border != SIMT_TRANSPARENT_BLACK;
    if (texture->channels == 4 && !is_opaque) texel.u[3] = 0;
    return texel;
}

/* The texels round a spot: index `first` and the next one on each axis, and the share of the next.
 */
typedef struct Footprint {
    int first[3], count[3];
    float share[3];
    unsigned layer;
} Footprint;

static float level_of(const SimtTexture *texture, const SimtSpot *spot) {
    float size[3] = {(float)texture->width, (float)texture->height, (float)texture->depth};
    float dx = 0, dy = 0;
    for (int axis = 0; axis < 3; axis++) {
        dx += spot->dx[axis] * size[axis] * spot->dx[axis] * size[axis];
        dy += spot->dy[axis] * size[axis] * spot->dy[axis] * size[axis];
    }
    float larger = fmaxf(dx, dy);
    return spot->level + (larger > 0 ? 0.5f * log2f(larger) : 0);
}

static bool is_linear(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot) {
    if (is_whole(texture)) return false;
    return level_of(texture, spot) > 0 ? sampler.minifies : sampler.magnifies;
}

/* Far outside all indices are alike; no NaN becomes one. */
static int index_of(float value) {
    return (int)limit(floorf(value), -0x1p24f, 0x1p24f);
}

/* On the face that a direction meets. */
static SimtSpot spot_on_cube(const SimtTexture *texture, const SimtSpot *spot) {
    unsigned cubes = texture->layers / 6, cube = spot->layer < cubes ? spot->layer : cubes - 1;
    SimtSpot flat = *spot;
    flat.at[2] = 0;
    flat.layer = 6 * cube + cube_face(spot->at, flat.at);
    return flat;
}

static Footprint find_footprint(const SimtTexture *texture, SimtSampler sampler,
                                const SimtSpot *given, bool linear) {
    SimtSpot flat = texture->is_cube ? spot_on_cube(texture, given) : *given, *spot = &flat;
    Footprint print = {.count = {(int)texture->width, (int)texture->height, (int)texture->depth},
                       .layer = spot->layer < texture->layers ? spot->layer : texture->layers - 1};
    for (int axis = 0; axis < 3; axis++) {
        float at = spot->at[axis], count = (float)print.count[axis];
        if (!sampler.is_pixel) {
            bool repeats = sampler.address[axis] == SIMT_REPEAT && !texture->is_cube;
            at = (repeats ? at - floorf(at) : at) * count;
        }
        at += (float)spot->offset[axis];
        bool mixes = linear && axis < (int)texture->axes;
        if (mixes) at -= 0.5f;
        print.first[axis] = index_of(at);
        print.share[axis] = mixes ? limit(at - floorf(at), 0, 1) : 0;
    }
    return print;
}

static SimtTexel fetch(const SimtTexture *texture, const SimtPosition *position,
                       const void *caller) {
    SimtTexel texel;
    tell(texture, position, SIMT_READS, caller);
    decode(texture, texel_at(texture, position), &texel);
    return texel;
}

static int nearest_inside(int i, int count) {
    return i < 0 ? 0 : i < count ? i : count - 1;
}

static SimtTexel fetch_from_face(const SimtTexture *texture, unsigned layer, int x, int y,
                                 const void *caller) {
    int at[2] = {x, y};
    unsigned face = layer % 6;
    cube_cross(texture->width, &face, at);
    return fetch(texture,
                 &(SimtPosition){(unsigned)at[0], (unsigned)at[1], 0, layer - layer % 6 + face, 0},
                 caller);
}

/* Filters go on across a cube's edges. Where three faces meet, their mean is the fourth texel. */
static SimtTexel cube_texel(const SimtTexture *texture, const Footprint *print, unsigned corner,
                            const void *caller) {
    int x = print->first[0] + (int)(corner & 1), y = print->first[1] + (int)(corner >> 1 & 1);
    int inside[2] = {nearest_inside(x, print->count[0]), nearest_inside(y, print->count[1])};
    if (x == inside[0] || y == inside[1])
        return fetch_from_face(texture, print->layer, x, y, caller);
    SimtTexel mean = fetch_from_face(texture, print->layer, inside[0], inside[1], caller);
    if (is_whole(texture)) return mean;
    SimtTexel beside = fetch_from_face(texture, print->layer, x, inside[1], caller);
    SimtTexel above = fetch_from_face(texture, print->layer, inside[0], y, caller);
    for (int c = 0; c < 4; c++)
        mean.f[c] = (mean.f[c] + beside.f[c] + above.f[c]) / 3;
    return mean;
}

/* Corner bits: 1 is the next texel in x, 2 in y, 4 in z. */
static SimtTexel corner_texel(const SimtTexture *texture, SimtSampler sampler,
                              const Footprint *print, unsigned corner, const void *caller) {
    unsigned at[3];
    if (texture->is_cube) return cube_texel(texture, print, corner, caller);
    for (unsigned axis = 0; axis < 3; axis++) {
        int i = print->first[axis] + (int)(corner >> axis & 1);
        i = wrap(sampler.address[axis], i, print->count[axis]);
        if (i < 0) return border_of(texture, sampler, axis);
        at[axis] = (unsigned)i;
    }
    return fetch(texture, &(SimtPosition){at[0], at[1], at[2], print->layer, 0}, caller);
}

static float corner_weight(const Footprint *print, unsigned corner) {
    float weight = 1;
    for (unsigned axis = 0; axis < 3; axis++)
        weight *= corner >> axis & 1 ? print->share[axis] : 1 - print->share[axis];
    return weight;
}

void simt_texture_sample(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                         SimtTexel *texel) {
    check_texture(texture);
    bool linear = is_linear(texture, sampler, spot);
    Footprint print = find_footprint(texture, sampler, spot, linear);
    if (!linear) {
        *texel = corner_texel(texture, sampler, &print, 0, CALLER);
        return;
    }
    *texel = (SimtTexel){.u = {0}};
    for (unsigned corner = 0; corner < 8; corner++) {
        float weight = corner_weight(&print, corner);
        if (weight == 0) continue;
        SimtTexel one = corner_texel(texture, sampler, &print, corner, CALLER);
        for (int c = 0; c < 4; c++)
            texel->f[c] += weight * one.f[c];
    }
}

void simt_texture_gather(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                         unsigned channel, SimtTexel *texel) {
    static const unsigned corners[4] = {2, 3, 1, 0};
    check_texture(texture);
    Footprint print = find_footprint(texture, sampler, spot, true);
    for (int i = 0; i < 4; i++)
        texel->u[i] = corner_texel(texture, sampler, &print, corners[i], CALLER).u[channel & 3];
}

static bool compares(SimtSampler sampler, float value, float texel) {
    return (sampler.compare & 1 && value < texel) || (sampler.compare & 2 && value == texel) ||
           (sampler.compare & 4 && value > texel);
}

float simt_texture_compare(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                           float value) {
    check_texture(texture);
    bool linear = is_linear(texture, sampler, spot);
    Footprint print = find_footprint(texture, sampler, spot, linear);
    float share = 0;
    for (unsigned corner = 0; corner < (linear ? 8u : 1u); corner++) {
        float weight = corner_weight(&print, corner);
        if (weight == 0) continue;
        SimtTexel one = corner_texel(texture, sampler, &print, corner, CALLER);
        share += compares(sampler, value, one.f[0]) ? weight : 0;
    }
    return share;
}
