#include "metal_matrix.h"

static id new_descriptor(uint32_t rows, uint32_t columns, uint32_t stride, MatmulType type) {
    uint32_t size = type == MATMUL_F16 ? 2 : 4;
    id descriptor = send(matrix_descriptor, metal_class("MPSMatrixDescriptor"), rows, columns,
                         (NSUInteger)stride * size, type == MATMUL_F16 ? MPS_FLOAT16 : MPS_FLOAT32);
    return descriptor ? send(retain, descriptor) : NULL;
}

static void free_product(MetalProduct *product) {
    metal_release(&product->multiplication);
    metal_release(&product->x);
    metal_release(&product->weight);
    metal_release(&product->out);
}

static MetalProduct new_product(id device, const DeviceMatmul *m) {
    id multiplication = send(alloc, metal_class("MPSMatrixMultiplication"));
    return (MetalProduct){
        .M = m->M,
        .N = m->N,
        .K = m->K,
        .stride = m->stride,
        .type = m->type,
        .multiplication = send(init_multiplication, multiplication, device, false, true, m->M, m->N,
                               m->K, 1.0, 0.0),
        .x = new_descriptor(m->M, m->K, m->K, m->type),
        .weight = new_descriptor(m->N, m->K, m->K, m->type),
        .out = new_descriptor(m->M, m->N, m->stride, MATMUL_F32),
    };
}

/* Of this shape: one made before, or a new one in the place of the oldest. */
static const MetalProduct *find_product(MetalProducts *products, id device, const DeviceMatmul *m) {
    for (uint32_t i = 0; i < products->count; i++) {
        const MetalProduct *product = &products->product[i];
        if (product->M == m->M && product->N == m->N && product->K == m->K &&
            product->stride == m->stride && product->type == m->type)
            return product;
    }
    MetalProduct *place = &products->product[products->next];
    products->next = (products->next + 1) % METAL_PRODUCTS;
    if (products->count < METAL_PRODUCTS)
        products->count++;
    else
        free_product(place);
    *place = new_product(device, m);
    return place;
}

static id new_matrix(MetalPlace place, id descriptor) {
    id matrix = send(alloc, metal_class("MPSMatrix"));
    return send(init_matrix, matrix, place.buffer, place.offset, descriptor);
}

bool metal_multiply(MetalProducts *products, id device, id commands, const DeviceMatmul *matmul,
                    MetalPlace x, MetalPlace weight, MetalPlace out) {
    const MetalProduct *product = find_product(products, device, matmul);
    if (!product->multiplication || !product->x || !product->weight || !product->out) return false;
    id left = new_matrix(x, product->x), right = new_matrix(weight, product->weight);
    id result = new_matrix(out, product->out);
    bool complete = left && right && result;
    if (complete)
        send(encode_multiplication, product->multiplication, commands, left, right, result);
    metal_release(&left);
    metal_release(&right);
    metal_release(&result);
    return complete;
}

void metal_products_free(MetalProducts *products) {
    for (uint32_t i = 0; i < products->count; i++)
        free_product(&products->product[i]);
    products->count = 0;
}
