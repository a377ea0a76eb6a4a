// A hash table with open addressing, and counters under locks.
#include <metal_stdlib>
using namespace metal;

constant uint kEmpty = 0;
constant uint kCapacity = 512;
struct KeyValue { uint key; uint value; };

inline uint murmur(uint k) { k ^= k >> 16; k *= 0x85ebca6b; k ^= k >> 13; k *= 0xc2b2ae35; k ^= k >> 16; return k & (kCapacity - 1); }

kernel void hash_insert(device const uint *keys [[buffer(0)]], device const uint *values [[buffer(1)]],
                        device KeyValue *table [[buffer(2)]], constant uint &n [[buffer(3)]],
                        uint tid [[thread_position_in_grid]])
{
    if (tid >= n) return;
    uint key = keys[tid] + 1, slot = murmur(key);
    while (true) {
        uint expected = kEmpty;
        device atomic_uint *p = (device atomic_uint *)&table[slot].key;
        bool done = atomic_compare_exchange_weak_explicit(p, &expected, key, memory_order_relaxed, memory_order_relaxed);
        if (done || expected == key) {
            atomic_store_explicit((device atomic_uint *)&table[slot].value, values[tid], memory_order_relaxed);
            return;
        }
        if (expected != kEmpty) slot = (slot + 1) & (kCapacity - 1);
    }
}

kernel void hash_lookup(device const uint *keys [[buffer(0)]], device const KeyValue *table [[buffer(1)]],
                        device uint *out [[buffer(2)]], constant uint &n [[buffer(3)]], uint tid [[thread_position_in_grid]])
{
    if (tid >= n) return;
    uint key = keys[tid] + 1;
    for (uint slot = murmur(key), probes = 0; probes < kCapacity; slot = (slot + 1) & (kCapacity - 1), ++probes) {
        const KeyValue kv = table[slot];
        if (kv.key == key) { out[tid] = kv.value; return; }
        if (kv.key == kEmpty) break;
    }
    out[tid] = 0xffffffff;
}

// a lock for each bucket, taken by one thread of a simdgroup after the other
kernel void spin_lock_insert(device atomic_int *locks [[buffer(0)]], device uint *counts [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    const uint b = i % 8;
    bool done = false;
    while (!done) {
        int free = 0;
        if (atomic_compare_exchange_weak_explicit(&locks[b], &free, 1, memory_order_relaxed, memory_order_relaxed)) {
            atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
            counts[b] += 1;
            atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
            atomic_store_explicit(&locks[b], 0, memory_order_relaxed);
            done = true;
        }
    }
}
