/* metal_matrix.h — matrix products by Metal Performance Shaders. */
#ifndef METAL_LLM_METAL_MATRIX_H
#define METAL_LLM_METAL_MATRIX_H

#include "device.h"
#include "metal_objc.h"

/* The objects that a product of one shape takes; they are made once. */
typedef struct MetalProduct {
    uint32_t M, N, K, stride;
    MatmulType type;
    id multiplication; /* MPSMatrixMultiplication */
    id x, weight, out; /* MPSMatrixDescriptor */
} MetalProduct;

/* Those used of late; zero-initialise. */
enum { METAL_PRODUCTS = 64 };
typedef struct MetalProducts {
    MetalProduct product[METAL_PRODUCTS];
    uint32_t count, next; /* next: to be replaced, once all are taken */
} MetalProducts;

/* Where a matrix lies: an MTLBuffer, and bytes into it. */
typedef struct MetalPlace {
    id buffer;
    size_t offset;
} MetalPlace;

/* Append out[M,N] = x[M,K] · weight[N,K]ᵀ to a command buffer that has no open encoder. False if
 * memory is out. */
bool metal_multiply(MetalProducts *products, id device, id commands, const DeviceMatmul *matmul,
                    MetalPlace x, MetalPlace weight, MetalPlace out);
void metal_products_free(MetalProducts *products);

#endif
