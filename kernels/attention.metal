// attention.metal — scores → softmax.metal → weighted sum, one kernel each (Vaswani et al. 2017)
//
//   att[t,s] = Q[t] · K[s] · scale,  −∞ for keys that query t may not see
//   att[t,:] = softmax(att[t,:])
//   out[t]   = Σ_s att[t,s] · V[s]
//
// for every row b of the batch and every head h. nh / nkv neighbouring heads share keys and values
// (Ainslie et al. 2023). Row b holds lengths[b] cached tokens and brings counts[b] ≤ T new ones, so query t
// sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]): itself and those before it.
// Queries t ≥ counts[b] are padding; they see what the last real query sees. The KV cache is of type KV,
// float or half.
#include <metal_stdlib>
using namespace metal;

// One thread per score, grid (S, T, B·nh).
template <typename KV>
kernel void attention_scores(
    device const float *q [[buffer(0)]],      // [B,nh,T,hs]
    device const KV *keys [[buffer(1)]],      // [B,nkv,capacity,hs]
    device const uint *lengths [[buffer(2)]], // [B]
    device const uint *counts [[buffer(3)]],  // [B]
    device float *att [[buffer(4)]],          // [B,nh,T,S]
    constant uint &T [[buffer(5)]],
    constant uint &S [[buffer(6)]],
    constant uint &nh [[buffer(7)]],
    constant uint &nkv [[buffer(8)]],
    constant uint &hs [[buffer(9)]],
    constant uint &capacity [[buffer(10)]],
    constant uint &window [[buffer(11)]],
    constant float &scale [[buffer(12)]],
    uint3 id [[thread_position_in_grid]])
{
    uint s = id.x, t = id.y, head = id.z, b = head / nh;
    if (s >= S || t >= T) return;
    uint end = lengths[b] + min(t + 1, counts[b]);
    ulong row = ulong(head) * T + t, kv_head = head / (nh / nkv);
    float score = -INFINITY;
    if (s < end && end - s <= window) {
        device const float *query = q + row * hs;
        device const KV *key = keys + (kv_head * capacity + s) * hs;
        score = 0.0f;
        for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);
        score *= scale;
    }
    att[row * S + s] = score;
}

template [[host_name("attention_scores_f32")]] kernel decltype(attention_scores<float>) attention_scores<float>;
template [[host_name("attention_scores_f16")]] kernel decltype(attention_scores<half>) attention_scores<half>;

// One thread per element of out, grid (hs, T, B·nh). Keys that the query may not see are left out
// rather than multiplied by 0: their cache entries may hold anything.
template <typename KV>
kernel void attention_mix(
    device const float *att [[buffer(0)]],    // [B,nh,T,S]
    device const KV *values [[buffer(1)]],    // [B,nkv,capacity,hs]
    device const uint *lengths [[buffer(2)]], // [B]
    device const uint *counts [[buffer(3)]],  // [B]
    device float *out [[buffer(4)]],          // [B,nh,T,hs]
    constant uint &T [[buffer(5)]],
    constant uint &S [[buffer(6)]],
    constant uint &nh [[buffer(7)]],
    constant uint &nkv [[buffer(8)]],
    constant uint &hs [[buffer(9)]],
    constant uint &capacity [[buffer(10)]],
    constant uint &window [[buffer(11)]],
    uint3 id [[thread_position_in_grid]])
{
    uint d = id.x, t = id.y, head = id.z, b = head / nh;
    if (d >= hs || t >= T) return;
    ulong row = ulong(head) * T + t, kv_head = head / (nh / nkv);
    uint end = min(S, lengths[b] + min(t + 1, counts[b]));
    float sum = 0.0f;
    for (uint s = end - min(end, window); s < end; s++)
        sum += att[row * S + s] * float(values[(kv_head * capacity + s) * hs + d]);
    out[row * hs + d] = sum;
}

template [[host_name("attention_mix_f32")]] kernel decltype(attention_mix<float>) attention_mix<float>;
template [[host_name("attention_mix_f16")]] kernel decltype(attention_mix<half>) attention_mix<half>;
