/* selftest_launches.h — what `selftest` gives to the kernels, and what the bundled model must
 * write.
 *
 * The table is written by tests/support/selftest_launches.py from the tests' own description, so
 * that a machine without Python knows it, too. It has shapes and small integers; what else the
 * buffers hold is drawn when they are filled, see Fill.
 */
#ifndef METAL_LLM_SELFTEST_LAUNCHES_H
#define METAL_LLM_SELFTEST_LAUNCHES_H

#include "checkpoint/tensor.h"
#include "device/device.h"

typedef enum Number { NUMBER_F32, NUMBER_F16, NUMBER_I8, NUMBER_I32, NUMBER_U32 } Number;

typedef enum Fill {
    FILL_VALUE,         /* no buffer: a value */
    FILL_EMPTY,         /* NaN: memory that nothing wrote */
    FILL_NORMAL,        /* floats or halves of mean 0.5 and deviation 1 */
    FILL_WEIGHTS,       /* a matrix of a TensorType */
    FILL_PLANES,        /* the same with the scales of its blocks after all blocks */
    FILL_BYTES,         /* activations of 8 bits, −127 … 127 */
    FILL_OFFSETS,       /* −8 · the sums of four neighbours of the bytes that stand before */
    FILL_BLOCK_OFFSETS, /* −128 · the sums of 32 of them */
    FILL_WORDS,         /* the numbers of `words` */
} Fill;

typedef struct LaunchArgument {
    Fill fill;
    Number number;
    size_t count;    /* of numbers; of a matrix, see `weights` */
    float tolerance; /* of what is written, to the largest number of the buffer */
    Tensor weights;
    const uint32_t *words;
    DeviceArgument value;
} LaunchArgument;

/* One dispatch. */
typedef struct Launch {
    const char *kernel;
    DeviceGrid grid;
    size_t count;
    const LaunchArgument *arguments; /* in the order of the kernel's parameters */
} Launch;

/* The likeliest continuation of a prompt by the bundled model. */
typedef struct KnownText {
    const char *prompt, *text;
} KnownText;

extern const Launch selftest_launches[]; /* those of one kernel after one another */
extern const size_t selftest_launch_count;
extern const KnownText selftest_texts[];
extern const size_t selftest_text_count;

/* --- for the table --- */

#define LAUNCH_GRID(...) {__VA_ARGS__}
#define LAUNCH(name, size, sizes, ...)                                                             \
    {                                                                                              \
        .kernel = #name, .grid = LAUNCH_GRID sizes, .count = size,                                 \
        .arguments = (const LaunchArgument[size]) {                                                \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define EMPTY(kind, size, error)                                                                   \
    {.fill = FILL_EMPTY, .number = kind, .count = size, .tolerance = error}
#define NORMAL(kind, size, error)                                                                  \
    {.fill = FILL_NORMAL, .number = kind, .count = size, .tolerance = error}
#define WEIGHTS(kind, height, width)                                                               \
    {                                                                                              \
        .fill = FILL_WEIGHTS, .weights = {.type = kind, .rows = height, .columns = width }         \
    }
#define PLANES(kind, height, width)                                                                \
    {                                                                                              \
        .fill = FILL_PLANES, .weights = {.type = kind, .rows = height, .columns = width }          \
    }
#define BYTES(size)         {.fill = FILL_BYTES, .number = NUMBER_I8, .count = size}
#define OFFSETS(size)       {.fill = FILL_OFFSETS, .number = NUMBER_I32, .count = size}
#define BLOCK_OFFSETS(size) {.fill = FILL_BLOCK_OFFSETS, .number = NUMBER_I32, .count = size}
#define WORDS(size, ...)                                                                           \
    {                                                                                              \
        .fill = FILL_WORDS, .number = NUMBER_U32, .count = size, .words = (const uint32_t[]) {     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define UINT(number)  {.value = {.value.u32 = number, .size = 4}}
#define FLOAT(number) {.value = {.value.f32 = number, .size = 4}}
#define LONG(number)  {.value = {.value.u64 = number, .size = 8}}

#endif
