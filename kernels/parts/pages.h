// pages.h — where keys and values lie, see pages.metal
#pragma once

constant constexpr uint PAGE = 32; // tokens

// The pages of row b, of at most `capacity` tokens.
static device const uint *pages_of(device const uint *pages, uint b, uint capacity)
{
    return pages + ulong(b) * ((capacity + PAGE - 1) / PAGE);
}

// Where the PAGE tokens of a head in a page begin, in numbers or vectors of which a token has `size`.
static ulong page_start(uint page, uint nkv, uint kv_head, uint size)
{
    return (ulong(page) * nkv + kv_head) * PAGE * size;
}

// Where token s of a row begins, from where its head begins in page 0; pages are `stride` numbers or vectors apart.
template <uint SIZE> static ulong token_start(device const uint *pages, ulong stride, uint s)
{
    return pages[s / PAGE] * stride + s % PAGE * SIZE;
}
