/* product.h — what a model multiplies and normalises rows by. */
#ifndef METAL_LLM_PRODUCT_H
#define METAL_LLM_PRODUCT_H

#include "checkpoint/tensor.h"
#include "device/device.h"

/* weight [rows, columns] = [out, in], of float32, float16 or blocks. */
typedef struct Matrix {
    DeviceBuffer *buffer;
    TensorType type;
    uint32_t rows, columns;
    DeviceBuffer *pieces;   /* the same as parts/pieces.h has it, in blocks; NULL: not kept */
    TensorType pieces_type; /* of these blocks */
} Matrix;

typedef enum NormKind { NORM_LAYER, NORM_RMS } NormKind;

/* What a row is normalised with: vectors [C] in f32, as all vectors are. Without a weight there is
 * no such norm in the model. */
typedef struct Norm {
    NormKind kind;
    DeviceBuffer *weight, *bias; /* RMSNorm has no bias */
    float epsilon;
} Norm;

/* Products of the same input, side by side: q, k and v, or gate and up. GPT-2 has all in one part.
 * The types of the parts may differ (a Q4_K_M file has v in Q6_K). */
enum { PRODUCT_PARTS = 3 };
typedef struct Product {
    const char *name; /* of the step, for those who watch */
    Matrix part[PRODUCT_PARTS];
    DeviceBuffer *bias[PRODUCT_PARTS]; /* [rows of the part] f32, NULL: none */
    uint32_t parts;
    bool stays_packed; /* a copy as floats would be larger than the model */
} Product;

/* Of all parts, which lie side by side in a row of what comes out. */
static inline uint32_t product_columns(const Product *product) {
    uint32_t columns = 0;
    for (uint32_t p = 0; p < product->parts; p++)
        columns += product->part[p].rows;
    return columns;
}

/* Which channels of a head are turned together: neighbours (0 and 1, 2 and 3, …), or those of the
 * first half with those of the second (0 and dims / 2, …). */
typedef enum RopeOrder { ROPE_ADJACENT, ROPE_HALVES } RopeOrder;

/* Rotary positions: pair i of a head's first `dims` channels is turned by position · frequency[i].
 * Scaling, of whatever kind, is part of the frequencies, and of the magnitude. */
typedef struct Rope {
    RopeOrder order;
    uint32_t dims;             /* even; 0: positions are not turned */
    DeviceBuffer *frequencies; /* [dims / 2] f32 */
    float magnitude;           /* cos and sin are multiplied by it: 1, but for YaRN */
} Rope;

/* Queue what writes a matrix, of any type but f32, to `floats` [rows, columns]. */
void matrix_unpack(Device *device, const Matrix *matrix, DeviceBuffer *floats);
/* The same for rows `first` to first + rows − 1, to `floats` from byte `offset` on; at most
 * matrix_slice rows at a time. */
void matrix_unpack_rows(Device *device, const Matrix *matrix, uint32_t first, uint32_t rows,
                        DeviceBuffer *floats, size_t offset);
uint32_t matrix_slice(const Matrix *matrix);

#endif
