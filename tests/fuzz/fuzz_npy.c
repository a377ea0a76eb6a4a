/* Input: a .npy file. It is an array of the size that it says, or refused with one line; what is
 * saved of it reads as the same. */
#include "fuzz_files.h"

#include "check/array.h"

static bool parse(Array *array, const char *path) {
    char error[256] = "";
    uint64_t state = 0;
    *array = (Array){0};
    bool read = array_parse(array, path, &state, error);
    fuzz_require(read == !*error && !strchr(error, '\n'), "a failure without one line");
    return read;
}

static void check_array(const Array *array) {
    size_t count = 1;
    for (unsigned i = 0; i < array->dimensions; i++)
        count *= array->shape[i];
    fuzz_require(count == array->count, "a shape of other elements");
    fuzz_require(array->size == count * element_size(array->type), "elements of another size");
    double sum = 0;
    for (size_t i = 0; i < array->count; i++)
        sum += element_value(array->type, array->data + i * element_size(array->type));
    (void)sum;
}

static void save_and_compare(const Array *array) {
    LLMError error = {0};
    const char *path = fuzz_path("saved.npy");
    OutputFile *file = output_file_open(path, &error);
    array_save(array, array->data, file, &error);
    fuzz_require(output_file_close(file, &error), error.message);
    Array again;
    fuzz_require(parse(&again, path), "what was saved is not read");
    fuzz_require(again.type == array->type && again.size == array->size &&
                     again.dimensions == array->dimensions,
                 "another array was saved");
    fuzz_require(!memcmp(again.shape, array->shape, sizeof again.shape), "another shape was saved");
    fuzz_require(!memcmp(again.data, array->data, array->size), "other elements were saved");
    free(again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Array array;
    if (parse(&array, fuzz_write("array.npy", data, size))) {
        check_array(&array);
        save_and_compare(&array);
    }
    free(array.data);
    return 0;
}
