// random.h — Philox4x32-10 (Salmon et al. 2011, “Parallel random numbers: as easy as 1, 2, 3”)
#pragma once

// The first of Philox's four words for this counter and key, as a float in [0, 1).
static float uniform_random(ulong key, uint counter)
{
    uint x0 = counter, x1 = 0, x2 = 0, x3 = 0, k0 = uint(key), k1 = uint(key >> 32);
    for (uint round = 0; round < 10; round++) {
        uint high0 = mulhi(0xD2511F53u, x0), low0 = 0xD2511F53u * x0;
        uint high1 = mulhi(0xCD9E8D57u, x2), low1 = 0xCD9E8D57u * x2;
        x0 = high1 ^ x1 ^ k0;
        x1 = low1;
        x2 = high0 ^ x3 ^ k1;
        x3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return float(x0 >> 8) * 0x1p-24f;
}
