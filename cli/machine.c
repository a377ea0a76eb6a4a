#include "machine.h"
#include "device/device.h"
#include "device/thread_pool.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

enum { REPETITIONS = 5 };

/* --- memory --- */

enum { BUFFER_BYTES = 1 << 29, CHUNK_BYTES = 1 << 20, CHUNKS = BUFFER_BYTES / CHUNK_BYTES };

typedef uint64_t Lanes __attribute__((vector_size(64)));

typedef struct Reading {
    const Lanes *data; /* [BUFFER_BYTES / sizeof(Lanes)] */
    Lanes sums[CHUNKS];
} Reading;

/* Four places at once, since a core that reads from one leaves bandwidth unused. */
static void read_chunks(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    (void)job;
    Reading *reading = context;
    enum { LANES = CHUNK_BYTES / sizeof(Lanes), QUARTER = LANES / 4 };
    for (uint32_t chunk = begin; chunk < end; chunk++) {
        const Lanes *data = reading->data + (size_t)chunk * LANES;
        Lanes a = {0}, b = {0}, c = {0}, d = {0};
        for (size_t i = 0; i < QUARTER; i++) {
            a += data[i];
            b += data[QUARTER + i];
            c += data[2 * QUARTER + i];
            d += data[3 * QUARTER + i];
        }
        reading->sums[chunk] = a + b + c + d; /* kept, or the compiler would drop the loop */
    }
}

static double best_reading(ThreadPool *pool, Reading *reading, LLMError *error) {
    double best = 0;
    for (int i = 0; i < REPETITIONS; i++) {
        double start = clock_seconds();
        if (!thread_pool_run(pool, 1, (uint32_t[]){CHUNKS}, read_chunks, reading, error)) return 0;
        double speed = BUFFER_BYTES / (clock_seconds() - start);
        if (speed > best) best = speed;
    }
    return best;
}

double memory_bandwidth(uint32_t threads, LLMError *error) {
    double best = 0;
    ThreadPool *pool = thread_pool_new(threads, error);
    void *data = NULL, *reading = NULL;
    if (posix_memalign(&data, sizeof(Lanes), BUFFER_BYTES) ||
        posix_memalign(&reading, sizeof(Lanes), sizeof(Reading)))
        error_memory(error, BUFFER_BYTES);
    else if (pool) {
        memset(data, 1, BUFFER_BYTES); /* untouched pages would all be one page of zeros */
        ((Reading *)reading)->data = data;
        best = best_reading(pool, reading, error);
    }
    free(reading);
    free(data);
    thread_pool_free(pool);
    return best;
}

/* --- matrix product --- */

static DeviceBuffer *ones(Device *device, size_t count, LLMError *error) {
    DeviceBuffer *buffer = device_buffer_new(device, count * sizeof(float));
    float *values = malloc(count * sizeof *values);
    if (!values) error_memory(error, count * sizeof *values);
    for (size_t i = 0; values && i < count; i++)
        values[i] = 1;
    if (values) device_write(buffer, 0, values, count * sizeof *values);
    free(values);
    return buffer;
}

double matmul_speed(const char *name, uint32_t threads, LLMError *error) {
    enum { M = 512, N = 3072, K = 768, PRODUCTS = 8 };
    Device *device = device_open(name, &(DeviceOptions){.threads = threads}, error);
    if (!device) return 0;
    DeviceBuffer *x = ones(device, (size_t)M * K, error),
                 *weight = ones(device, (size_t)N * K, error);
    DeviceBuffer *out = device_buffer_new(device, (size_t)M * N * sizeof(float));
    DeviceMatmul matmul = {arg_buffer(x, 0), arg_buffer(weight, 0), arg_buffer(out, 0), M, N, K, N,
                           MATMUL_F32};
    double best = 0;
    for (int i = 0; i <= REPETITIONS && !device_failed(device, error); i++) {
        double start = clock_seconds();
        for (int product = 0; product < PRODUCTS; product++)
            device_matmul(device, &matmul);
        device_wait(device, device_submit(device));
        double speed = 2.0 * M * N * K * PRODUCTS / (clock_seconds() - start);
        if (i > 0 && speed > best) best = speed; /* the first round warms up */
    }
    device_buffer_free(x);
    device_buffer_free(weight);
    device_buffer_free(out);
    device_close(device);
    return best;
}
