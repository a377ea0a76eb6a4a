// cached_tiles.h — keys or values of a head on their way from pages to threadgroup memory, a tile of tokens at a time
#pragma once
#include "parts/pages.h"
#include "parts/simd_width.h"

// Of heads of HS channels: a token's vectors, what separates two tokens of a tile, so that they begin in different banks,
// the tokens of a tile, and how many of its vectors each of 256 threads fetches early.
template <uint HS> struct TileSizes {
    enum : uint { VECTORS = HS / 4,
                  STRIDE = VECTORS + 2,
                  KEYS = 4096 / HS,
                  AHEAD = KEYS * VECTORS / 256 };
};

// Those of a row from one token to before another: its pages, `stride` vectors apart.
template <typename Vector> struct Cached {
    device const Vector *vectors;
    device const uint *pages;
    ulong stride;
    uint begin, end;
};

// KEYS tokens from one on whose number is a multiple of KEYS or of PAGE: they are in one page, or in two of them.
template <typename Vector> struct Tile {
    device const Vector *near, *far; // its first token, and the one PAGE tokens later
    uint first, last;                // tokens of it that there are, counted from its beginning
};

template <uint HS, typename Vector> static Tile<Vector> tile_from(Cached<Vector> cached, uint begin)
{
    constexpr uint VECTORS = TileSizes<HS>::VECTORS;
    uint last = cached.end - 1;
    Tile<Vector> tile;
    tile.near = tile.far = cached.vectors + token_start<VECTORS>(cached.pages, cached.stride, begin);
    if (TileSizes<HS>::KEYS > PAGE)
        tile.far = cached.vectors + token_start<VECTORS>(cached.pages, cached.stride, min(begin + PAGE, last));
    tile.first = max(begin, cached.begin) - begin;
    tile.last = max(tile.first, min(last - begin, TileSizes<HS>::KEYS - 1)); // whatever the number of threads
    return tile;
}

// Vector n of a tile; of a token that is not there the next one's that is: nobody will see it.
template <uint HS, typename Vector> static Vector fetch(Tile<Vector> tile, uint n)
{
    constexpr uint VECTORS = TileSizes<HS>::VECTORS;
    uint token = clamp(n / VECTORS, tile.first, tile.last), c = n % VECTORS;
    if (TileSizes<HS>::KEYS > PAGE && token >= PAGE) return tile.far[(token - PAGE) * VECTORS + c];
    return tile.near[token * VECTORS + c];
}

template <uint HS> static void place(float4 vector, threadgroup half4 *to, uint n)
{
    to[n / TileSizes<HS>::VECTORS * TileSizes<HS>::STRIDE + n % TileSizes<HS>::VECTORS] = half4(vector);
}

// The first vectors that this thread is to move of the tile from `begin` on.
template <uint HS, uint AHEAD, typename Vector>
static void fetch_ahead(Cached<Vector> cached, uint begin, thread Vector (&ahead)[AHEAD], uint thread_index, uint threads)
{
    Tile<Vector> tile = tile_from<HS>(cached, begin);
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++) ahead[i] = fetch<HS>(tile, thread_index + i * threads);
}

// They and all others to threadgroup memory.
template <uint HS, uint AHEAD, typename Vector>
static void place_all(Cached<Vector> cached, uint begin, thread const Vector (&ahead)[AHEAD], threadgroup half4 *to,
                      uint thread_index, uint threads)
{
    constexpr uint ALL = TileSizes<HS>::KEYS * TileSizes<HS>::VECTORS;
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++) {
        uint n = thread_index + i * threads;
        if (n < ALL) place<HS>(float4(ahead[i]), to, n);
    }
    if (AHEAD * threads >= ALL) return;
    Tile<Vector> tile = tile_from<HS>(cached, begin);
    for (uint n = thread_index + AHEAD * threads; n < ALL; n += threads)
        place<HS>(float4(fetch<HS>(tile, n)), to, n);
}
