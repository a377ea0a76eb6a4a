/* hash.h — FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv). */
#ifndef METAL_LLM_HASH_H
#define METAL_LLM_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_bytes(const void *data, size_t size) {
    const unsigned char *byte = data;
    uint64_t hash = 0xCBF29CE484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001B3;
    return hash;
}

#endif
