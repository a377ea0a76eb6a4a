/* siphash.h — SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that nobody can make without the
 * key. */
#ifndef METAL_LLM_MSL_CHECK_SIPHASH_H
#define METAL_LLM_MSL_CHECK_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t sip_rotate(uint64_t x, unsigned bits) {
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = sip_rotate(v[1], 13) ^ v[0], v[0] = sip_rotate(v[0], 32);
    v[2] += v[3], v[3] = sip_rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = sip_rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = sip_rotate(v[1], 17) ^ v[2], v[2] = sip_rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static inline uint64_t siphash(const uint64_t key[2], const void *data, size_t size) {
    uint64_t v[4] = {key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D,
                     key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573};
    const unsigned char *byte = data;
    uint64_t word, last = (uint64_t)size << 56;
    for (; size >= sizeof word; byte += sizeof word, size -= sizeof word) {
        memcpy(&word, byte, sizeof word);
        sip_word(v, word);
    }
    for (size_t i = 0; i < size; i++)
        last |= (uint64_t)byte[i] << 8 * i;
    sip_word(v, last);
    v[2] ^= 0xFF;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
