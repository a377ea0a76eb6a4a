/* keyed_hash.h — hashes under a secret key, so that no file can choose texts that collide.
 *
 * Each word goes through a 64 × 64 → 128 bit product folded in half, as in wyhash (Wang Yi).
 */
#ifndef METAL_LLM_KEYED_HASH_H
#define METAL_LLM_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

typedef struct HashKey {
    uint64_t seed, factor;
} HashKey;

/* A key of its own for each table. Where the system has no random bytes yet, addresses serve. */
static inline HashKey hash_key_new(const void *table) {
    HashKey key;
    if (getentropy(&key, sizeof key) != 0)
        key = (HashKey){(uintptr_t)table * 0x9E3779B97F4A7C15, (uintptr_t)&key};
    key.factor |= 1;
    return key;
}

static inline uint64_t hash_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_pair(HashKey key, uint32_t left, uint32_t right) {
    return hash_fold(((uint64_t)left << 32 | right) ^ key.seed, key.factor);
}

static inline uint64_t hash_text(HashKey key, const char *text, size_t size) {
    uint64_t hash = key.seed ^ size, word;
    for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = hash_fold(hash ^ word, key.factor) + key.seed;
    }
    word = 0;
    if (size > 0) memcpy(&word, text, size);
    return hash_fold(hash ^ word, key.factor);
}

#endif
