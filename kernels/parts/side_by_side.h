// side_by_side.h — matrices whose products lie side by side in a row of what comes out
#pragma once

// Row n of three matrices that follow each other; what belongs to it in three vectors.
template <typename Pointer>
static Pointer row_of(Pointer a, Pointer b, Pointer c, uint n, uint A, uint B, uint size)
{
    if (n < A) return a + ulong(n) * size;
    return n < A + B ? b + ulong(n - A) * size : c + ulong(n - A - B) * size;
}
