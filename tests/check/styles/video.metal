// A block's cosine transform, quantised; the threshold that parts a histogram best.
#include <metal_stdlib>
using namespace metal;

constant float kCos[8][8] = {
    {0.35355339, 0.35355339, 0.35355339, 0.35355339, 0.35355339, 0.35355339, 0.35355339, 0.35355339},
    {0.49039264, 0.41573481, 0.27778512, 0.09754516, -0.09754516, -0.27778512, -0.41573481, -0.49039264},
    {0.46193977, 0.19134172, -0.19134172, -0.46193977, -0.46193977, -0.19134172, 0.19134172, 0.46193977},
    {0.41573481, -0.09754516, -0.49039264, -0.27778512, 0.27778512, 0.49039264, 0.09754516, -0.41573481},
    {0.35355339, -0.35355339, -0.35355339, 0.35355339, 0.35355339, -0.35355339, -0.35355339, 0.35355339},
    {0.27778512, -0.49039264, 0.09754516, 0.41573481, -0.41573481, -0.09754516, 0.49039264, -0.27778512},
    {0.19134172, -0.46193977, 0.46193977, -0.19134172, -0.19134172, 0.46193977, -0.46193977, 0.19134172},
    {0.09754516, -0.27778512, 0.41573481, -0.49039264, 0.49039264, -0.41573481, 0.27778512, -0.09754516},
};
constant uchar kZigZag[64] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

kernel void dct8x8(texture2d<float, access::read> luma [[texture(0)]], device short *coefficients [[buffer(0)]],
                   constant ushort *quant [[buffer(1)]], uint2 gid [[thread_position_in_grid]],
                   uint2 l [[thread_position_in_threadgroup]], uint2 block [[threadgroup_position_in_grid]], uint2 nblocks [[threadgroups_per_grid]])
{
    threadgroup float pixels[8][8], rows[8][8];
    threadgroup short levels[64];
    pixels[l.y][l.x] = luma.read(gid).x * 255.0f - 128.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = 0;
    for (int k = 0; k < 8; k++) sum += kCos[l.x][k] * pixels[l.y][k];
    rows[l.y][l.x] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = 0;
    for (int k = 0; k < 8; k++) sum += kCos[l.y][k] * rows[k][l.x];
    const uint at = l.y * 8 + l.x;
    levels[at] = short(rint(sum / quant[at]));
    threadgroup_barrier(mem_flags::mem_threadgroup);
    coefficients[(block.y * nblocks.x + block.x) * 64 + at] = levels[kZigZag[at]];
}

struct Candidate { float variance; uint threshold; };
METAL_FUNC Candidate better(Candidate a, Candidate b) { return a.variance >= b.variance ? a : b; }

kernel void otsu(device const uint *histogram [[buffer(0)]], device uint &threshold [[buffer(1)]],
                 uint t [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]], uint sg [[simdgroup_index_in_threadgroup]])
{
    threadgroup float weights[256], means[256];
    threadgroup Candidate candidates[8];
    weights[t] = histogram[t];
    means[t] = float(t) * histogram[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint d = 1; d < 256; d <<= 1) {
        const float w = t >= d ? weights[t - d] : 0, m = t >= d ? means[t - d] : 0;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        weights[t] += w; means[t] += m;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    const float total = weights[255], mean = means[255];
    const float wb = weights[t], wf = total - wb;
    Candidate c { -1, t };
    if (wb > 0 && wf > 0) { const float d = means[t] / wb - (mean - means[t]) / wf; c.variance = wb * wf * d * d; }
    for (ushort o = 16; o; o >>= 1) c = better(c, Candidate{simd_shuffle_xor(c.variance, o), simd_shuffle_xor(c.threshold, o)});
    if (lane == 0) candidates[sg] = c;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t == 0) {
        for (uint i = 1; i < 8; i++) candidates[0] = better(candidates[0], candidates[i]);
        threshold = candidates[0].threshold;
    }
}
