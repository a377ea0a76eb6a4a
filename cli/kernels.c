/* kernels.c — the kernels that are built into the program. */
#include "device/kernel.h"
#include "options.h"
#include "suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As Metal writes it: address space, type, and how the argument is passed. */
static void print_parameter(const KernelParameter *parameter) {
    static const struct {
        const char *slot, *space, *passed;
    } kinds[] = {
        [PARAMETER_READ] = {"buffer", "device const ", "*"},
        [PARAMETER_WRITE] = {"buffer", "device ", "*"},
        [PARAMETER_CONSTANT] = {"buffer", "constant ", "&"},
        [PARAMETER_THREADGROUP] = {"threadgroup", "threadgroup ", "*"},
    };
    printf("    %-11s %2u  %s%s %s%s\n", kinds[parameter->kind].slot, parameter->index,
           kinds[parameter->kind].space, parameter->type, kinds[parameter->kind].passed,
           parameter->name);
}

static int list_kernels(void) {
    for (size_t i = 0; i < kernel_count; i++) {
        const Kernel *kernel = &kernel_table[i];
        printf("%s%s  kernels/%s:%d\n", i ? "\n" : "", kernel->name, kernel->file, kernel->line);
        for (uint32_t p = 0; p < kernel->parameter_count; p++)
            print_parameter(&kernel->parameters[p]);
    }
    return EXIT_SUCCESS;
}

/* The file of a kernel, or `name` itself. */
static const char *file_of(const char *name) {
    for (size_t i = 0; i < kernel_count; i++)
        if (!strcmp(kernel_table[i].name, name)) return kernel_table[i].file;
    return name;
}

/* "fast/linear_tile.metal" is also called linear_tile.metal, fast/linear_tile and linear_tile. */
static bool is_file(const char *file, const char *name) {
    const char *slash = strrchr(file, '/');
    if (slash && !strchr(name, '/')) file = slash + 1;
    size_t size = strlen(name);
    return !strncmp(file, name, size) && (!file[size] || !strcmp(file + size, ".metal"));
}

/* Where what stood in a file is now, or NULL; others have only moved to a folder. */
static const char *moved_to(const char *name) {
    static const struct {
        const char *before, *now;
    } moved[] = {{"flash_attention_hs64.metal", "fast/flash_attention_shared.metal"},
                 {"linear_f16.metal", "linear.metal and dequantise.metal"},
                 {"linear_q4_0.metal", "linear_blocks.metal and formats/q4_0.h"},
                 {"linear_q4_1.metal", "linear_blocks.metal and formats/q4_1.h"},
                 {"linear_q5_0.metal", "linear_blocks.metal and formats/q5_0.h"},
                 {"linear_q5_1.metal", "linear_blocks.metal and formats/q5_1.h"},
                 {"linear_q6_K.metal", "linear_blocks.metal and formats/q6_K.h"},
                 {"linear_q8_0.metal", "linear_blocks.metal and formats/q8_0.h"}};
    for (size_t i = 0; i < COUNT(moved); i++)
        if (!strcmp(moved[i].before, name)) return moved[i].now;
    return NULL;
}

static int unknown_kernel(const Verb *verb, const char *name) {
    const char *now = moved_to(name);
    if (now) return usage_error(verb, "what was in %s is now in %s", name, now);
    const char *names[256];
    size_t count = kernel_count < COUNT(names) ? kernel_count : COUNT(names);
    for (size_t i = 0; i < count; i++)
        names[i] = kernel_table[i].name;
    const char *close = suggest(name, names, count);
    if (close) return usage_error(verb, "there is no kernel '%s'; did you mean %s?", name, close);
    return usage_error(verb, "there is no kernel '%s'", name);
}

int verb_kernels(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    const char *name = arguments->values[0];
    if (!name) return list_kernels();
    for (size_t i = 0; i < kernel_source_count; i++)
        if (is_file(kernel_sources[i].file, file_of(name)))
            return fputs(kernel_sources[i].text, stdout) < 0;
    return unknown_kernel(arguments->verb, name);
}
