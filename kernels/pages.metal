// pages.metal — the KV cache lies in pages, which a row of the batch gets as it grows
//
//   keys or values of token s of row b, head h:   cache[pages[b, s / PAGE], h, s % PAGE, :]
//
// So memory is taken as tokens come, whatever a row may grow to, and rows that begin alike can share pages. The tokens
// of a head in one page lie side by side: who walks over them looks a page up once for PAGE of them. The table `pages`
// has an entry for every page that a row could have; those that it does not have are not looked at.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint PAGE = 32; // host: tokens

// What the queries of a pass see of a row, the last `window` tokens before the first of them and the new ones, token
// beside token, as attention.metal reads it. One thread per number, grid (hs, capacity, B·nkv).
template <typename KV>
kernel void gather_pages(
    device const KV *cache [[buffer(0)]],     // [page,nkv,PAGE,hs]
    device const uint *pages [[buffer(1)]],   // [B,⌈capacity / PAGE⌉]
    device const uint *lengths [[buffer(2)]], // [B]
    device const uint *counts [[buffer(3)]],  // [B]
    device KV *out [[buffer(4)]],             // [B,nkv,capacity,hs]
    constant uint &nkv [[buffer(5)]],
    constant uint &hs [[buffer(6)]],
    constant uint &capacity [[buffer(7)]],
    constant uint &window [[buffer(8)]],
    uint3 id [[thread_position_in_grid]])
{
    uint d = id.x, s = id.y, b = id.z / nkv, head = id.z % nkv;
    if (d >= hs || s >= capacity) return;
    uint first = lengths[b] + min(1u, counts[b]); // of the queries, what it sees ends here
    if (s < first - min(first, window) || s >= lengths[b] + counts[b]) return;
    ulong page = pages[ulong(b) * ((capacity + PAGE - 1) / PAGE) + s / PAGE];
    out[(ulong(id.z) * capacity + s) * hs + d] = cache[((page * nkv + head) * PAGE + s % PAGE) * hs + d];
}

template [[host_name("gather_pages_f32")]] kernel decltype(gather_pages<float>) gather_pages<float>;
template [[host_name("gather_pages_f16")]] kernel decltype(gather_pages<half>) gather_pages<half>;

// To a larger cache: out[i] = in[i], whatever it is that has four bytes. One thread per word, grid N.
kernel void copy_pages(
    device const uint *in [[buffer(0)]], // [N]
    device uint *out [[buffer(1)]],      // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) out[i] = in[i];
}

// A page that rows share, and that one of them is about to write to, is copied first: to page `own`. One thread per
// word of a page, grid N.
kernel void copy_page(
    device uint *cache [[buffer(0)]], // [page,N]
    constant uint &shared [[buffer(1)]],
    constant uint &own [[buffer(2)]],
    constant uint &N [[buffer(3)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) cache[ulong(own) * N + i] = cache[ulong(shared) * N + i];
}
