// products.h — a block of weights times 32 values of x, in integers
//
// A primitive: these are its plain definitions, which say what is meant. A target with wider instructions brings its
// own, see docs/kernels/targets.md. Weights stored with an offset stay as they are: `offset` makes up for it, four times as many
// values of x to each.
#pragma once

// What a lane has of a sum.
typedef float Parts;
static float sum_of(Parts parts) { return parts; }
// A scale that weights follow.
static Parts scale_before(device const half *weights) { return float(*weights); }

// A wish to have `bytes` of memory that come a little later than `row` in the cache.
template <typename Block> static void read_ahead(device const Block *, uint) {}

static Parts products_8(device const char *values, device const char *x, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < 32; i += lanes) sum += int(values[i]) * int(x[i]);
    return float(sum);
}

static Parts products_4(device const uchar *nibbles, device const char *x, device const int *offset, uint lane,
                        uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < 8; i += lanes) sum += offset[i];
    for (uint i = lane; i < 32; i += lanes) sum += int(nibbles[i % 16] >> i / 16 * 4 & 15) * int(x[i]);
    return float(sum);
}

// Four low bits and a fifth one; an offset of 16.
static Parts products_5(device const uchar *nibbles, device const ushort *fifth, device const char *x,
                        device const int *offset, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < 8; i += lanes) sum += 2 * offset[i];
    for (uint i = lane; i < 32; i += lanes)
        sum += int((nibbles[i % 16] >> i / 16 * 4 & 15) | (fifth[i / 16] >> i % 16 & 1) << 4) * int(x[i]);
    return float(sum);
}

// −8 Σ x
static Parts sum_of(device const int *offset, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < 8; i += lanes) sum += offset[i];
    return float(sum);
}

// `quarter` of half a block of 256: four low bits and two high ones, an offset of 32, a scale for each 16.
static Parts products_6(device const uchar *low, device const uchar *high, device const char *scale, half d,
                        uint quarter, device const char *x, device const int *offset, uint lane, uint lanes)
{
    int sum = 0;
    scale += 2 * quarter;
    for (uint i = lane; i < 8; i += lanes) sum += int(scale[i / 4]) * 4 * offset[i];
    for (uint i = lane; i < 32; i += lanes) {
        int bits = int(low[i + quarter % 2 * 32] >> quarter / 2 * 4 & 15) | int(high[i] >> quarter * 2 & 3) << 4;
        sum += int(scale[i / 16]) * bits * int(x[i]);
    }
    return float(d) * float(sum);
}
