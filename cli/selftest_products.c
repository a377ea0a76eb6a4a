/* selftest_products.c — the vendor's matrix products, against sums written down as they are
 * defined. */
#include "checkpoint/values.h"
#include "selftest.h"
#include "selftest_draw.h"

#include <math.h>
#include <stdlib.h>

/* Rows of the result are wider than the product, whose columns begin at `column`. */
typedef struct Shape {
    uint32_t M, N, K, stride, column;
} Shape;

static const Shape shapes[] = {
    {1, 1, 1, 1, 0},        {9, 300, 64, 300, 0}, {33, 48, 257, 48, 0},   {512, 31, 5, 31, 0},
    {64, 97, 33, 200, 103}, {7, 1, 9, 2, 1},      {40, 768, 256, 768, 0},
};

typedef struct Matrices {
    float *x, *weight, *out; /* as floats: [M,K], [N,K], [M,stride] */
    unsigned char *x_stored, *weight_stored;
} Matrices;

static TensorType stored_type(MatmulType type) {
    return type == MATMUL_F16 ? TENSOR_F16 : TENSOR_F32;
}

/* Numbers from 0.5 on, so that sums do not cancel out; the floats are those that are stored. */
static unsigned char *draw_matrix(uint64_t seed, float *floats, size_t count, TensorType type) {
    size_t size = tensor_row_bytes(type, 1);
    unsigned char *stored = malloc(count * size);
    if (!floats || !stored) return stored;
    draw_normal(seed, floats, count);
    for (size_t i = 0; i < count; i++)
        floats[i] = 0.5f + fabsf(floats[i]) / 4;
    values_store(type, floats, count, stored);
    for (size_t i = 0; i < count; i++)
        floats[i] = float_from(type, stored + i * size);
    return stored;
}

static bool draw(const Shape *shape, MatmulType type, uint64_t seed, Matrices *drawn) {
    size_t x = (size_t)shape->M * shape->K, weight = (size_t)shape->N * shape->K;
    size_t out = (size_t)shape->M * shape->stride;
    drawn->x = malloc(x * sizeof(float));
    drawn->weight = malloc(weight * sizeof(float));
    drawn->out = malloc(out * sizeof(float));
    drawn->x_stored = draw_matrix(seed, drawn->x, x, stored_type(type));
    drawn->weight_stored = draw_matrix(seed + 1, drawn->weight, weight, stored_type(type));
    if (drawn->out) draw_normal(seed + 2, drawn->out, out);
    return drawn->x && drawn->weight && drawn->out && drawn->x_stored && drawn->weight_stored;
}

static void matrices_free(Matrices *drawn) {
    free(drawn->x);
    free(drawn->weight);
    free(drawn->out);
    free(drawn->x_stored);
    free(drawn->weight_stored);
}

static DeviceBuffer *upload(Device *device, const void *data, size_t bytes) {
    DeviceBuffer *buffer = device_buffer_new(device, bytes);
    device_write(buffer, 0, data, bytes);
    return buffer;
}

/* `result` is what the device makes of drawn->out. */
static void multiply(Device *device, const Shape *shape, MatmulType type, const Matrices *drawn,
                     float *result) {
    size_t size = type == MATMUL_F16 ? 2 : 4, M = shape->M, K = shape->K;
    size_t out_bytes = M * shape->stride * sizeof(float);
    DeviceBuffer *x = upload(device, drawn->x_stored, M * K * size),
                 *weight = upload(device, drawn->weight_stored, shape->N * K * size),
                 *out = upload(device, drawn->out, out_bytes);
    if (x && weight && out)
        device_matmul(device, &(DeviceMatmul){arg_buffer(x, 0), arg_buffer(weight, 0),
                                              arg_buffer(out, shape->column * sizeof(float)),
                                              shape->M, shape->N, shape->K, shape->stride, type});
    device_read(out, 0, result, out_bytes);
    device_buffer_free(x);
    device_buffer_free(weight);
    device_buffer_free(out);
}

static double plain_product(const Shape *shape, const Matrices *drawn, size_t row, size_t column) {
    double sum = 0;
    for (size_t k = 0; k < shape->K; k++)
        sum += (double)drawn->x[row * shape->K + k] * drawn->weight[column * shape->K + k];
    return sum;
}

/* The largest relative error; infinite if a number beside the product has changed. */
static double largest_error(const Shape *shape, const Matrices *drawn, const float *result) {
    double largest = 0;
    for (size_t row = 0; row < shape->M; row++)
        for (size_t i = 0; i < shape->stride; i++) {
            size_t at = row * shape->stride + i, column = i - shape->column;
            bool inside = i >= shape->column && column < shape->N;
            double expected = inside ? plain_product(shape, drawn, row, column) : drawn->out[at];
            double error = fabs(result[at] - expected) / fabs(expected);
            if (!inside) error = result[at] == drawn->out[at] ? 0 : INFINITY;
            if (!(error <= largest)) largest = error;
        }
    return largest;
}

static void test_product(SelfTest *test, Device *device, const Shape *shape, MatmulType type) {
    enum { NAME = 64 };
    char name[NAME];
    snprintf(name, NAME, "%s [%u,%u] x [%u,%u]%s", type == MATMUL_F16 ? "f16" : "f32", shape->M,
             shape->K, shape->K, shape->N, shape->stride > shape->N ? ", wider rows" : "");
    LLMError error = {0};
    Matrices drawn = {0};
    bool has_memory = draw(shape, type, test->seed, &drawn);
    float *result = malloc((size_t)shape->M * shape->stride * sizeof *result);
    if (has_memory && result) multiply(device, shape, type, &drawn, result);
    if (!has_memory || !result)
        report_row(&test->report, false, name, "out of memory");
    else if (device_failed(device, &error))
        report_row(&test->report, false, name, "%s", error.message);
    else {
        double largest = largest_error(shape, &drawn, result);
        report_row(&test->report, largest <= 1e-5, name, "relative error %.1e, allowed 1e-05",
                   largest);
    }
    free(result);
    matrices_free(&drawn);
}

/* Each on a device of its own: one that has failed does nothing any more. */
void selftest_products(SelfTest *test) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int type = MATMUL_F32; type <= MATMUL_F16; type++) {
            Device *device = selftest_open(test, test->device);
            if (!device) return;
            bool takes_halves = device_facts(device)->simd_width > 1;
            if (type == MATMUL_F32 || takes_halves)
                test_product(test, device, &shapes[i], (MatmulType)type);
            device_close(device);
        }
}
