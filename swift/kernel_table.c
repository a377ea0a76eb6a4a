#include "kernel.h"

static const KernelParameter gelu_forward_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { gelu_forward_count = 3 };

static const KernelParameter argmax_sample_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"ids", "uint", PARAMETER_WRITE, 1, 4},
    {"V", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { argmax_sample_count = 3 };

static const KernelParameter attention_scores_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"att", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { attention_scores_f32_count = 11 };

static const KernelParameter attention_scores_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"att", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { attention_scores_f16_count = 11 };

static const KernelParameter softmax_inplace_parameters[] = {
    {"att", "float", PARAMETER_WRITE, 0, 4},
    {"S", "uint", PARAMETER_CONSTANT, 1, 4},
};
enum { softmax_inplace_count = 2 };

static const KernelParameter attention_mix_f32_parameters[] = {
    {"att", "float", PARAMETER_READ, 0, 4},
    {"values", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { attention_mix_f32_count = 10 };

static const KernelParameter attention_mix_f16_parameters[] = {
    {"att", "float", PARAMETER_READ, 0, 4},
    {"values", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { attention_mix_f16_count = 10 };

static const KernelParameter cross_entropy_forward_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"targets", "uint", PARAMETER_READ, 1, 4},
    {"nats", "float", PARAMETER_WRITE, 2, 4},
    {"V", "uint", PARAMETER_CONSTANT, 3, 4},
};
enum { cross_entropy_forward_count = 4 };

static const KernelParameter embedding_forward_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "float", PARAMETER_READ, 2, 4},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_count = 9 };

static const KernelParameter embedding_forward_f16_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "half", PARAMETER_READ, 2, 2},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_f16_count = 9 };

static const KernelParameter flash_attention_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_f32_count = 9 };

static const KernelParameter flash_attention_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_f16_count = 9 };

static const KernelParameter flash_attention_hs64_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_hs64_f32_count = 9 };

static const KernelParameter flash_attention_hs64_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_hs64_f16_count = 9 };

static const KernelParameter flash_attention_tiles_f32_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_tiles_f32_count = 9 };

static const KernelParameter flash_attention_tiles_f16_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"counts", "uint", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"scale", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { flash_attention_tiles_f16_count = 9 };

static const KernelParameter bias_gelu_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"bias", "float", PARAMETER_READ, 1, 4},
    {"out", "Out", PARAMETER_WRITE, 2, 0},
    {"T", "uint", PARAMETER_CONSTANT, 3, 4},
    {"N", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { bias_gelu_count = 5 };

static const KernelParameter bias_gelu_f16_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"bias", "float", PARAMETER_READ, 1, 4},
    {"out", "Out", PARAMETER_WRITE, 2, 0},
    {"T", "uint", PARAMETER_CONSTANT, 3, 4},
    {"N", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { bias_gelu_f16_count = 5 };

static const KernelParameter decode_attention_hs64_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"out", "float4", PARAMETER_WRITE, 5, 0},
    {"capacity", "uint", PARAMETER_CONSTANT, 6, 4},
    {"scale", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { decode_attention_hs64_f32_count = 8 };

static const KernelParameter decode_attention_hs64_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"out", "float4", PARAMETER_WRITE, 5, 0},
    {"capacity", "uint", PARAMETER_CONSTANT, 6, 4},
    {"scale", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { decode_attention_hs64_f16_count = 8 };

static const KernelParameter linear_residual_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "float4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_f32_count = 7 };

static const KernelParameter linear_residual_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "half4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_f16_count = 7 };

static const KernelParameter norm_linear_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "float4", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_f32_count = 11 };

static const KernelParameter norm_linear_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "half4", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_f16_count = 11 };

static const KernelParameter split_heads_f32_parameters[] = {
    {"qkv", "float", PARAMETER_READ, 0, 4},
    {"bias", "float", PARAMETER_READ, 1, 4},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"q", "float", PARAMETER_WRITE, 4, 4},
    {"keys", "KV", PARAMETER_WRITE, 5, 0},
    {"values", "KV", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { split_heads_f32_count = 11 };

static const KernelParameter split_heads_f16_parameters[] = {
    {"qkv", "float", PARAMETER_READ, 0, 4},
    {"bias", "float", PARAMETER_READ, 1, 4},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"q", "float", PARAMETER_WRITE, 4, 4},
    {"keys", "KV", PARAMETER_WRITE, 5, 0},
    {"values", "KV", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { split_heads_f16_count = 11 };

static const KernelParameter merge_heads_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"T", "uint", PARAMETER_CONSTANT, 2, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 3, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { merge_heads_count = 5 };

static const KernelParameter integer_linear_q8_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_scale", "float", PARAMETER_READ, 2, 4},
    {"weight", "block_q8_0", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { integer_linear_q8_0_count = 9 };

static const KernelParameter integer_linear_q4_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_scale", "float", PARAMETER_READ, 2, 4},
    {"weight", "block_q4_0", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { integer_linear_q4_0_count = 9 };

static const KernelParameter integer_linear_q6_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_scale", "float", PARAMETER_READ, 2, 4},
    {"weight", "block_q6_K", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { integer_linear_q6_K_count = 9 };

static const KernelParameter layernorm_forward_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"C", "uint", PARAMETER_CONSTANT, 4, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 5, 4},
};
enum { layernorm_forward_count = 6 };

static const KernelParameter layernorm_forward_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"C", "uint", PARAMETER_CONSTANT, 4, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 5, 4},
};
enum { layernorm_forward_f16_count = 6 };

static const KernelParameter linear_f32_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_f32_count = 7 };

static const KernelParameter linear_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_f16_count = 7 };

static const KernelParameter dequantise_f16_parameters[] = {
    {"in", "half", PARAMETER_READ, 0, 2},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_f16_count = 3 };

static const KernelParameter convert_f16_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "half", PARAMETER_WRITE, 1, 2},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { convert_f16_count = 3 };

static const KernelParameter linear_q4_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q4_0", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q4_0_count = 7 };

static const KernelParameter dequantise_q4_0_parameters[] = {
    {"in", "block_q4_0", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q4_0_count = 3 };

static const KernelParameter embedding_forward_q4_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q4_0", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q4_0_count = 9 };

static const KernelParameter linear_q4_1_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q4_1", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q4_1_count = 7 };

static const KernelParameter dequantise_q4_1_parameters[] = {
    {"in", "block_q4_1", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q4_1_count = 3 };

static const KernelParameter embedding_forward_q4_1_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q4_1", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q4_1_count = 9 };

static const KernelParameter linear_q5_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q5_0", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q5_0_count = 7 };

static const KernelParameter dequantise_q5_0_parameters[] = {
    {"in", "block_q5_0", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q5_0_count = 3 };

static const KernelParameter embedding_forward_q5_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q5_0", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q5_0_count = 9 };

static const KernelParameter linear_q5_1_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q5_1", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q5_1_count = 7 };

static const KernelParameter dequantise_q5_1_parameters[] = {
    {"in", "block_q5_1", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q5_1_count = 3 };

static const KernelParameter embedding_forward_q5_1_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q5_1", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q5_1_count = 9 };

static const KernelParameter linear_q6_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q6_K", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q6_K_count = 7 };

static const KernelParameter dequantise_q6_K_parameters[] = {
    {"in", "block_q6_K", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q6_K_count = 3 };

static const KernelParameter embedding_forward_q6_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q6_K", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q6_K_count = 9 };

static const KernelParameter linear_q8_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "block_q8_0", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_q8_0_count = 7 };

static const KernelParameter dequantise_q8_0_parameters[] = {
    {"in", "block_q8_0", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q8_0_count = 3 };

static const KernelParameter embedding_forward_q8_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "block_q8_0", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { embedding_forward_q8_0_count = 9 };

static const KernelParameter linear_tile_f32_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_tile_f32_count = 7 };

static const KernelParameter linear_tile_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_tile_f16_count = 7 };

static const KernelParameter quantise_activations_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"values", "char", PARAMETER_WRITE, 1, 1},
    {"offset", "int", PARAMETER_WRITE, 2, 4},
    {"scale", "float", PARAMETER_WRITE, 3, 4},
    {"N", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { quantise_activations_count = 5 };

static const KernelParameter residual_layernorm_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"y_bias", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"res", "float", PARAMETER_WRITE, 5, 4},
    {"out", "Out", PARAMETER_WRITE, 6, 0},
    {"C", "uint", PARAMETER_CONSTANT, 7, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { residual_layernorm_count = 9 };

static const KernelParameter residual_layernorm_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"y_bias", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"res", "float", PARAMETER_WRITE, 5, 4},
    {"out", "Out", PARAMETER_WRITE, 6, 0},
    {"C", "uint", PARAMETER_CONSTANT, 7, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 8, 4},
};
enum { residual_layernorm_f16_count = 9 };

static const KernelParameter top_k_top_p_sample_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"p", "float", PARAMETER_WRITE, 3, 4},
    {"ids", "uint", PARAMETER_WRITE, 4, 4},
    {"V", "uint", PARAMETER_CONSTANT, 5, 4},
    {"temperature", "float", PARAMETER_CONSTANT, 6, 4},
    {"top_k", "uint", PARAMETER_CONSTANT, 7, 4},
    {"top_p", "float", PARAMETER_CONSTANT, 8, 4},
    {"seed", "ulong", PARAMETER_CONSTANT, 9, 8},
};
enum { top_k_top_p_sample_count = 10 };

static const KernelParameter last_token_rows_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"counts", "uint", PARAMETER_READ, 1, 4},
    {"out", "float", PARAMETER_WRITE, 2, 4},
    {"B", "uint", PARAMETER_CONSTANT, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"C", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { last_token_rows_count = 6 };

static const KernelParameter advance_step_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_WRITE, 1, 4},
    {"counts", "uint", PARAMETER_WRITE, 2, 4},
    {"history", "uint", PARAMETER_WRITE, 3, 4},
    {"B", "uint", PARAMETER_CONSTANT, 4, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { advance_step_count = 6 };

const Kernel kernel_table[] = {
    {"gelu_forward", "activation.metal", 10, gelu_forward_count, gelu_forward_parameters},
    {"argmax_sample", "argmax.metal", 15, argmax_sample_count, argmax_sample_parameters},
    {"attention_scores_f32", "attention.metal", 16, attention_scores_f32_count, attention_scores_f32_parameters},
    {"attention_scores_f16", "attention.metal", 16, attention_scores_f16_count, attention_scores_f16_parameters},
    {"softmax_inplace", "attention.metal", 49, softmax_inplace_count, softmax_inplace_parameters},
    {"attention_mix_f32", "attention.metal", 88, attention_mix_f32_count, attention_mix_f32_parameters},
    {"attention_mix_f16", "attention.metal", 88, attention_mix_f16_count, attention_mix_f16_parameters},
    {"cross_entropy_forward", "cross_entropy.metal", 10, cross_entropy_forward_count, cross_entropy_forward_parameters},
    {"embedding_forward", "embedding.metal", 12, embedding_forward_count, embedding_forward_parameters},
    {"embedding_forward_f16", "embedding.metal", 33, embedding_forward_f16_count, embedding_forward_f16_parameters},
    {"flash_attention_f32", "flash_attention.metal", 22, flash_attention_f32_count, flash_attention_f32_parameters},
    {"flash_attention_f16", "flash_attention.metal", 22, flash_attention_f16_count, flash_attention_f16_parameters},
    {"flash_attention_hs64_f32", "flash_attention_hs64.metal", 60, flash_attention_hs64_f32_count, flash_attention_hs64_f32_parameters},
    {"flash_attention_hs64_f16", "flash_attention_hs64.metal", 60, flash_attention_hs64_f16_count, flash_attention_hs64_f16_parameters},
    {"flash_attention_tiles_f32", "flash_attention_tiles.metal", 124, flash_attention_tiles_f32_count, flash_attention_tiles_f32_parameters},
    {"flash_attention_tiles_f16", "flash_attention_tiles.metal", 124, flash_attention_tiles_f16_count, flash_attention_tiles_f16_parameters},
    {"bias_gelu", "fused_bias_gelu.metal", 12, bias_gelu_count, bias_gelu_parameters},
    {"bias_gelu_f16", "fused_bias_gelu.metal", 12, bias_gelu_f16_count, bias_gelu_f16_parameters},
    {"decode_attention_hs64_f32", "fused_decode_attention.metal", 125, decode_attention_hs64_f32_count, decode_attention_hs64_f32_parameters},
    {"decode_attention_hs64_f16", "fused_decode_attention.metal", 125, decode_attention_hs64_f16_count, decode_attention_hs64_f16_parameters},
    {"linear_residual_f32", "fused_linear_residual.metal", 58, linear_residual_f32_count, linear_residual_f32_parameters},
    {"linear_residual_f16", "fused_linear_residual.metal", 88, linear_residual_f16_count, linear_residual_f16_parameters},
    {"norm_linear_f32", "fused_norm_linear.metal", 123, norm_linear_f32_count, norm_linear_f32_parameters},
    {"norm_linear_f16", "fused_norm_linear.metal", 166, norm_linear_f16_count, norm_linear_f16_parameters},
    {"split_heads_f32", "heads.metal", 16, split_heads_f32_count, split_heads_f32_parameters},
    {"split_heads_f16", "heads.metal", 16, split_heads_f16_count, split_heads_f16_parameters},
    {"merge_heads", "heads.metal", 46, merge_heads_count, merge_heads_parameters},
    {"integer_linear_q8_0", "integer_linear.metal", 142, integer_linear_q8_0_count, integer_linear_q8_0_parameters},
    {"integer_linear_q4_0", "integer_linear.metal", 165, integer_linear_q4_0_count, integer_linear_q4_0_parameters},
    {"integer_linear_q6_K", "integer_linear.metal", 188, integer_linear_q6_K_count, integer_linear_q6_K_parameters},
    {"layernorm_forward", "layernorm.metal", 27, layernorm_forward_count, layernorm_forward_parameters},
    {"layernorm_forward_f16", "layernorm.metal", 27, layernorm_forward_f16_count, layernorm_forward_f16_parameters},
    {"linear_f32", "linear.metal", 26, linear_f32_count, linear_f32_parameters},
    {"linear_f16", "linear_f16.metal", 24, linear_f16_count, linear_f16_parameters},
    {"dequantise_f16", "linear_f16.metal", 56, dequantise_f16_count, dequantise_f16_parameters},
    {"convert_f16", "linear_f16.metal", 66, convert_f16_count, convert_f16_parameters},
    {"linear_q4_0", "linear_q4_0.metal", 76, linear_q4_0_count, linear_q4_0_parameters},
    {"dequantise_q4_0", "linear_q4_0.metal", 106, dequantise_q4_0_count, dequantise_q4_0_parameters},
    {"embedding_forward_q4_0", "linear_q4_0.metal", 129, embedding_forward_q4_0_count, embedding_forward_q4_0_parameters},
    {"linear_q4_1", "linear_q4_1.metal", 76, linear_q4_1_count, linear_q4_1_parameters},
    {"dequantise_q4_1", "linear_q4_1.metal", 106, dequantise_q4_1_count, dequantise_q4_1_parameters},
    {"embedding_forward_q4_1", "linear_q4_1.metal", 129, embedding_forward_q4_1_count, embedding_forward_q4_1_parameters},
    {"linear_q5_0", "linear_q5_0.metal", 80, linear_q5_0_count, linear_q5_0_parameters},
    {"dequantise_q5_0", "linear_q5_0.metal", 110, dequantise_q5_0_count, dequantise_q5_0_parameters},
    {"embedding_forward_q5_0", "linear_q5_0.metal", 133, embedding_forward_q5_0_count, embedding_forward_q5_0_parameters},
    {"linear_q5_1", "linear_q5_1.metal", 80, linear_q5_1_count, linear_q5_1_parameters},
    {"dequantise_q5_1", "linear_q5_1.metal", 110, dequantise_q5_1_count, dequantise_q5_1_parameters},
    {"embedding_forward_q5_1", "linear_q5_1.metal", 133, embedding_forward_q5_1_count, embedding_forward_q5_1_parameters},
    {"linear_q6_K", "linear_q6_K.metal", 71, linear_q6_K_count, linear_q6_K_parameters},
    {"dequantise_q6_K", "linear_q6_K.metal", 101, dequantise_q6_K_count, dequantise_q6_K_parameters},
    {"embedding_forward_q6_K", "linear_q6_K.metal", 128, embedding_forward_q6_K_count, embedding_forward_q6_K_parameters},
    {"linear_q8_0", "linear_q8_0.metal", 61, linear_q8_0_count, linear_q8_0_parameters},
    {"dequantise_q8_0", "linear_q8_0.metal", 91, dequantise_q8_0_count, dequantise_q8_0_parameters},
    {"embedding_forward_q8_0", "linear_q8_0.metal", 110, embedding_forward_q8_0_count, embedding_forward_q8_0_parameters},
    {"linear_tile_f32", "linear_tile.metal", 51, linear_tile_f32_count, linear_tile_f32_parameters},
    {"linear_tile_f16", "linear_tile.metal", 72, linear_tile_f16_count, linear_tile_f16_parameters},
    {"quantise_activations", "quantise.metal", 13, quantise_activations_count, quantise_activations_parameters},
    {"residual_layernorm", "residual.metal", 27, residual_layernorm_count, residual_layernorm_parameters},
    {"residual_layernorm_f16", "residual.metal", 27, residual_layernorm_f16_count, residual_layernorm_f16_parameters},
    {"top_k_top_p_sample", "sampling.metal", 47, top_k_top_p_sample_count, top_k_top_p_sample_parameters},
    {"last_token_rows", "step.metal", 9, last_token_rows_count, last_token_rows_parameters},
    {"advance_step", "step.metal", 26, advance_step_count, advance_step_parameters},
};
const size_t kernel_count = 62;

#include "kernel.h"

const KernelSource kernel_sources[] = {
    {"activation.metal",
    "// activation.metal — GELU, the tanh approximation (Hendrycks & Gimpel 2016; GPT-2's \"gelu_new\")\n"
    "//\n"
    "//   out[i] = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))      x = in[i]\n"
    "//\n"
    "// One thread per element, grid N. precise::tanh, because the fast one computes (e²ˣ − 1) / (e²ˣ + 1),\n"
    "// which is NaN as soon as e²ˣ overflows: at |x| > 10 already.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "kernel void gelu_forward(\n"
    "    device const float *in [[buffer(0)]], // [N]\n"
    "    device float *out [[buffer(1)]],      // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i >= N) return;\n"
    "    float x = in[i];\n"
    "    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);\n"
    "    out[i] = 0.5f * x * (1.0f + precise::tanh(inner));\n"
    "}\n"},
    {"argmax.metal",
    "// argmax.metal — the likeliest token: id[b] = the lowest index among the largest logits of row b\n"
    "//\n"
    "// One threadgroup per row of logits[B,V]. Two passes: the largest value, then the lowest index that\n"
    "// holds it, so ties are decided the same way for every number of threads. A row with a NaN gives the\n"
    "// sentinel NO_TOKEN, which the host reports as an error.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;\n"
    "constant constexpr uint AHEAD = SIMD_WIDTH == 1 ? 1 : 8; // reads that are on their way at once\n"
    "\n"
    "kernel void argmax_sample(\n"
    "    device const float *logits [[buffer(0)]], // [B,V]\n"
    "    device uint *ids [[buffer(1)]],           // [B]\n"
    "    constant uint &V [[buffer(2)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float maxima[32];\n"
    "    threadgroup uint nans[32];\n"
    "    threadgroup uint indices[32];\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    uint nan = 0;\n"
    "    for (uint first = thread_index; first < V; first += AHEAD * threads)\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            float value = row[min(first + i * threads, V - 1)];\n"
    "            largest = max(largest, value);\n"
    "            nan |= uint(isnan(value));\n"
    "        }\n"
    "    largest = simd_max(largest);\n"
    "    nan = simd_max(nan);\n"
    "    if (lane == 0) {\n"
    "        maxima[simdgroup] = largest;\n"
    "        nans[simdgroup] = nan;\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, nans: the writes above → the reads below\n"
    "    for (uint i = 0; i < simdgroups; i++) {\n"
    "        largest = max(largest, maxima[i]);\n"
    "        nan |= nans[i];\n"
    "    }\n"
    "\n"
    "    uint index = NO_TOKEN;\n"
    "    for (uint first = thread_index; first < V; first += AHEAD * threads)\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            uint v = min(first + i * threads, V - 1); // behind the end the last one again\n"
    "            index = min(index, row[v] == largest ? v : NO_TOKEN);\n"
    "        }\n"
    "    index = simd_min(index);\n"
    "    if (lane == 0) indices[simdgroup] = index;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // indices: the write above → the reads below\n"
    "    if (thread_index != 0) return;\n"
    "    for (uint i = 0; i < simdgroups; i++) index = min(index, indices[i]);\n"
    "    ids[b] = nan ? NO_TOKEN : index;\n"
    "}\n"},
    {"attention.metal",
    "// attention.metal — scores → softmax → weighted sum, one kernel each (Vaswani et al. 2017)\n"
    "//\n"
    "//   att[t,s] = Q[t] · K[s] · scale,  −∞ for keys that query t may not see\n"
    "//   att[t,:] = softmax(att[t,:])\n"
    "//   out[t]   = Σ_s att[t,s] · V[s]\n"
    "//\n"
    "// for every row b of the batch and every head h. Row b holds lengths[b] cached tokens and brings\n"
    "// counts[b] ≤ T new ones, so query t sees the keys s < lengths[b] + min(t + 1, counts[b]): itself and\n"
    "// all before it. Queries t ≥ counts[b] are padding; they see what the last real query sees. The KV cache\n"
    "// is of type KV, float or half.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// One thread per score, grid (S, T, B·nh).\n"
    "template <typename KV>\n"
    "kernel void attention_scores(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,hs]\n"
    "    device const KV *keys [[buffer(1)]],      // [B,nh,capacity,hs]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device float *att [[buffer(4)]],          // [B,nh,T,S]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &S [[buffer(6)]],\n"
    "    constant uint &nh [[buffer(7)]],\n"
    "    constant uint &hs [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    constant float &scale [[buffer(10)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint s = id.x, t = id.y, head = id.z, b = head / nh;\n"
    "    if (s >= S || t >= T) return;\n"
    "    ulong row = ulong(head) * T + t;\n"
    "    float score = -INFINITY;\n"
    "    if (s < lengths[b] + min(t + 1, counts[b])) {\n"
    "        device const float *query = q + row * hs;\n"
    "        device const KV *key = keys + (ulong(head) * capacity + s) * hs;\n"
    "        score = 0.0f;\n"
    "        for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);\n"
    "        score *= scale;\n"
    "    }\n"
    "    att[row * S + s] = score;\n"
    "}\n"
    "\n"
    "template [[host_name(\"attention_scores_f32\")]] kernel decltype(attention_scores<float>) attention_scores<float>;\n"
    "template [[host_name(\"attention_scores_f16\")]] kernel decltype(attention_scores<half>) attention_scores<half>;\n"
    "\n"
    "// Safe softmax: the row's maximum is subtracted before exp, so nothing overflows. One threadgroup per\n"
    "// row of att[N,S], its threads stride over S. An element −∞ becomes 0.\n"
    "kernel void softmax_inplace(\n"
    "    device float *att [[buffer(0)]], // [N,S]\n"
    "    constant uint &S [[buffer(1)]],\n"
    "    uint n [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float maxima[32];\n"
    "    threadgroup float sums[32]; // an array of its own: no barrier between the last read of maxima and its writes\n"
    "    device float *row = att + ulong(n) * S;\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    for (uint s = thread_index; s < S; s += threads) largest = max(largest, row[s]);\n"
    "    largest = simd_max(largest);\n"
    "    if (lane == 0) maxima[simdgroup] = largest;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima: the write above → the reads below\n"
    "    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);\n"
    "\n"
    "    float sum = 0.0f;\n"
    "    for (uint s = thread_index; s < S; s += threads) {\n"
    "        float e = exp(row[s] - largest);\n"
    "        row[s] = e;\n"
    "        sum += e;\n"
    "    }\n"
    "    sum = simd_sum(sum);\n"
    "    if (lane == 0) sums[simdgroup] = sum;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the write above → the reads below\n"
    "    sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += sums[i];\n"
    "\n"
    "    for (uint s = thread_index; s < S; s += threads) row[s] /= sum;\n"
    "}\n"
    "\n"
    "// One thread per element of out, grid (hs, T, B·nh). Keys that the query may not see are left out\n"
    "// rather than multiplied by 0: their cache entries may hold anything.\n"
    "template <typename KV>\n"
    "kernel void attention_mix(\n"
    "    device const float *att [[buffer(0)]],    // [B,nh,T,S]\n"
    "    device const KV *values [[buffer(1)]],    // [B,nh,capacity,hs]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device float *out [[buffer(4)]],          // [B,nh,T,hs]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &S [[buffer(6)]],\n"
    "    constant uint &nh [[buffer(7)]],\n"
    "    constant uint &hs [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, t = id.y, head = id.z, b = head / nh;\n"
    "    if (d >= hs || t >= T) return;\n"
    "    ulong row = ulong(head) * T + t;\n"
    "    uint visible = min(S, lengths[b] + min(t + 1, counts[b]));\n"
    "    float sum = 0.0f;\n"
    "    for (uint s = 0; s < visible; s++)\n"
    "        sum += att[row * S + s] * float(values[(ulong(head) * capacity + s) * hs + d]);\n"
    "    out[row * hs + d] = sum;\n"
    "}\n"
    "\n"
    "template [[host_name(\"attention_mix_f32\")]] kernel decltype(attention_mix<float>) attention_mix<float>;\n"
    "template [[host_name(\"attention_mix_f16\")]] kernel decltype(attention_mix<half>) attention_mix<half>;\n"},
    {"cross_entropy.metal",
    "// cross_entropy.metal — how surprised the model is by the token that came\n"
    "//\n"
    "//   nats[n] = −ln softmax(logits[n])[target] = max + ln Σ_v exp(logits[n,v] − max) − logits[n,target]\n"
    "//\n"
    "// with target = targets[n]. One threadgroup per row of logits[N,V]; its threads stride over V. The mean\n"
    "// over a text is the model's loss, its exponential the perplexity.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "kernel void cross_entropy_forward(\n"
    "    device const float *logits [[buffer(0)]], // [N,V]\n"
    "    device const uint *targets [[buffer(1)]], // [N]\n"
    "    device float *nats [[buffer(2)]],         // [N]\n"
    "    constant uint &V [[buffer(3)]],\n"
    "    uint n [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float maxima[32];\n"
    "    threadgroup float sums[32];\n"
    "    device const float *row = logits + ulong(n) * V;\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    for (uint v = thread_index; v < V; v += threads) largest = max(largest, row[v]);\n"
    "    largest = simd_max(largest);\n"
    "    if (lane == 0) maxima[simdgroup] = largest;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima: the write above → the reads below\n"
    "    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);\n"
    "\n"
    "    float sum = 0.0f;\n"
    "    for (uint v = thread_index; v < V; v += threads) sum += exp(row[v] - largest);\n"
    "    sum = simd_sum(sum);\n"
    "    if (lane == 0) sums[simdgroup] = sum;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the write above → the reads below\n"
    "    if (thread_index != 0) return;\n"
    "    sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += sums[i];\n"
    "    nats[n] = largest - row[min(targets[n], V - 1)] + log(sum);\n"
    "}\n"},
    {"embedding.metal",
    "// embedding.metal — token id + position → vector\n"
    "//\n"
    "//   out[b,t,c] = token_table[ids[b,t], c] + position_table[lengths[b] + t, c]\n"
    "//\n"
    "// One thread per element, grid (C, T, B). While decoding T is 1 and lengths[b] counts the tokens that\n"
    "// the KV cache already holds. Ids and positions outside the tables (padding, or the sentinel of a\n"
    "// failed sample) read the last row: the result is never used. The block formats have theirs beside\n"
    "// linear_q8_0 and its siblings.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "kernel void embedding_forward(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const float *token_table [[buffer(2)]],    // [V,C]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]],\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    out[row * C + c] = token_table[token * C + c] + position_table[position * C + c];\n"
    "}\n"
    "\n"
    "// The same for a token table in half precision.\n"
    "kernel void embedding_forward_f16(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const half *token_table [[buffer(2)]],     // [V,C]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]],\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    out[row * C + c] = float(token_table[token * C + c]) + position_table[position * C + c];\n"
    "}\n"},
    {"flash_attention.metal",
    "// flash_attention.metal — attention in one kernel, no T×S matrix (Dao et al. 2022)\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per query, grid (T, nh, B). Its simdgroups stride over tiles of keys. Each keeps a\n"
    "// running maximum m, the sum l of exp(score − m), and the weighted sum of V so far; when a tile raises\n"
    "// the maximum, what was summed before is scaled down by exp(old m − new m). At the end the simdgroups'\n"
    "// results are merged the same way. Query t sees the keys s < lengths[b] + min(t + 1, counts[b]). The heads'\n"
    "// results lie side by side. The KV cache is of type KV, float or half.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint TILE = 32;           // keys per tile\n"
    "constant constexpr uint MAX_HS = 128;        // largest head size\n"
    "constant constexpr uint MAX_SIMDGROUPS = 32; // of a threadgroup\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint DIMS = MAX_HS / SIMD_WIDTH; // of the sum, per lane, in registers\n"
    "\n"
    "template <typename KV>\n"
    "kernel void flash_attention(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,hs]\n"
    "    device const KV *keys [[buffer(1)]],      // [B,nh,capacity,hs]\n"
    "    device const KV *values [[buffer(2)]],    // [B,nh,capacity,hs]\n"
    "    device const uint *lengths [[buffer(3)]], // [B]\n"
    "    device const uint *counts [[buffer(4)]],  // [B]\n"
    "    device float *out [[buffer(5)]],          // [B,T,nh,hs]\n"
    "    constant uint &hs [[buffer(6)]],          // ≤ MAX_HS\n"
    "    constant uint &capacity [[buffer(7)]],\n"
    "    constant float &scale [[buffer(8)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float weights[MAX_SIMDGROUPS][TILE];\n"
    "    threadgroup float sums[MAX_SIMDGROUPS][MAX_HS];\n"
    "    threadgroup float maxima[MAX_SIMDGROUPS];\n"
    "    threadgroup float totals[MAX_SIMDGROUPS];\n"
    "    uint threads = group_size.x, t = group.x, b = group.z;\n"
    "    ulong head = ulong(b) * groups.y + group.y;\n"
    "    device const float *query = q + (head * groups.x + t) * hs;\n"
    "    device const KV *head_keys = keys + head * capacity * hs;\n"
    "    device const KV *head_values = values + head * capacity * hs;\n"
    "    uint visible = lengths[b] + min(t + 1, counts[b]);\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "\n"
    "    for (uint d = lane; d < hs; d += lanes) sums[simdgroup][d] = 0.0f;\n"
    "    float m = -INFINITY, l = 0.0f;\n"
    "    for (uint first = simdgroup * TILE; first < visible; first += simdgroups * TILE) {\n"
    "        uint tile = min(TILE, visible - first);\n"
    "        float tile_max = -INFINITY;\n"
    "        for (uint s = lane; s < tile; s += lanes) {\n"
    "            device const KV *key = head_keys + ulong(first + s) * hs;\n"
    "            float score = 0.0f;\n"
    "            for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);\n"
    "            score *= scale;\n"
    "            weights[simdgroup][s] = score;\n"
    "            tile_max = max(tile_max, score);\n"
    "        }\n"
    "        float new_m = max(m, simd_max(tile_max));\n"
    "        float correction = exp(m - new_m); // 0 for the first tile: exp(−∞)\n"
    "        float tile_sum = 0.0f;\n"
    "        for (uint s = lane; s < tile; s += lanes) {\n"
    "            float weight = exp(weights[simdgroup][s] - new_m);\n"
    "            weights[simdgroup][s] = weight;\n"
    "            tile_sum += weight;\n"
    "        }\n"
    "        l = l * correction + simd_sum(tile_sum);\n"
    "        m = new_m;\n"
    "        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below\n"
    "        for (uint begin = lane; begin < hs; begin += DIMS * lanes) {\n"
    "            uint dims = min(DIMS, (hs - begin + lanes - 1) / lanes);\n"
    "            float sum[DIMS];\n"
    "            for (uint i = 0; i < dims; i++) sum[i] = sums[simdgroup][begin + i * lanes] * correction;\n"
    "            for (uint s = 0; s < tile; s++) {\n"
    "                device const KV *value = head_values + ulong(first + s) * hs + begin;\n"
    "                float weight = weights[simdgroup][s];\n"
    "                for (uint i = 0; i < dims; i++) sum[i] += weight * float(value[i * lanes]);\n"
    "            }\n"
    "            for (uint i = 0; i < dims; i++) sums[simdgroup][begin + i * lanes] = sum[i];\n"
    "        }\n"
    "        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next tile's writes\n"
    "    }\n"
    "\n"
    "    if (lane == 0) {\n"
    "        maxima[simdgroup] = m;\n"
    "        totals[simdgroup] = l;\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, totals, sums: the writes → the reads below\n"
    "    float largest = -INFINITY, total = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);\n"
    "    for (uint i = 0; i < simdgroups; i++) total += totals[i] * exp(maxima[i] - largest);\n"
    "    for (uint d = thread_index; d < hs; d += threads) {\n"
    "        float sum = 0.0f;\n"
    "        for (uint i = 0; i < simdgroups; i++) sum += sums[i][d] * exp(maxima[i] - largest);\n"
    "        out[((ulong(b) * groups.x + t) * groups.y + group.y) * hs + d] = sum / total;\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_f32\")]] kernel decltype(flash_attention<float>) flash_attention<float>;\n"
    "template [[host_name(\"flash_attention_f16\")]] kernel decltype(flash_attention<half>) flash_attention<half>;\n"},
    {"flash_attention_hs64.metal",
    "// flash_attention_hs64.metal — flash_attention.metal for head size 64, GPT-2's own, several queries at once\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per tile of QUERIES queries, grid (⌈T / QUERIES⌉, nh, B): a key that is read serves all of\n"
    "// them, and sums of known length stay in registers. Otherwise as in flash_attention.metal: simdgroups stride\n"
    "// over tiles of keys, keep a running maximum m, total l and weighted sum of V for each query, and are merged\n"
    "// at the end. Query t of row b sees the keys s < lengths[b] + min(t + 1, counts[b]). The KV cache is of type\n"
    "// KV, float or half.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint HS = 64;            // head size\n"
    "constant constexpr uint QUERIES = 4;        // per threadgroup\n"
    "constant constexpr uint TILE = 64;          // keys per tile\n"
    "constant constexpr uint MAX_SIMDGROUPS = 8; // that take part; more of them rest\n"
    "constant constexpr uint SLOTS = MAX_SIMDGROUPS * QUERIES;\n"
    "constant constexpr uint DIMS = HS / SIMD_WIDTH; // of a query's sum, per lane\n"
    "\n"
    "// scores[i][s] = q[i] · keys[s] · scale for COUNT queries and the keys of a tile; lanes share out the keys.\n"
    "template <uint COUNT, typename KV>\n"
    "static void score_tile(device const float *q, device const KV *keys, float scale, uint tile, uint lane,\n"
    "                       uint lanes, threadgroup float (*scores)[TILE])\n"
    "{\n"
    "    for (uint s = lane; s < tile; s += lanes) {\n"
    "        device const KV *key = keys + ulong(s) * HS;\n"
    "        float score[COUNT];\n"
    "        for (uint i = 0; i < COUNT; i++) score[i] = 0.0f;\n"
    "        for (uint d = 0; d < HS; d++)\n"
    "            for (uint i = 0; i < COUNT; i++) score[i] += q[i * HS + d] * float(key[d]);\n"
    "        for (uint i = 0; i < COUNT; i++) scores[i][s] = score[i] * scale;\n"
    "    }\n"
    "}\n"
    "\n"
    "// sums[i] = sums[i] · shrink[i] + Σ_s weights[i][s] · values[s]; lanes share out the channels of the head.\n"
    "template <uint COUNT, typename KV>\n"
    "static void mix_tile(device const KV *values, uint tile, uint lane, uint lanes,\n"
    "                     threadgroup const float (*weights)[TILE], thread const float *shrink,\n"
    "                     threadgroup float (*sums)[HS])\n"
    "{\n"
    "    for (uint begin = lane; begin < HS; begin += DIMS * lanes) { // once, if the simdgroup is whole\n"
    "        uint dims = min(DIMS, (HS - begin + lanes - 1) / lanes);\n"
    "        float sum[COUNT][DIMS];\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            for (uint j = 0; j < dims; j++) sum[i][j] = sums[i][begin + j * lanes] * shrink[i];\n"
    "        for (uint s = 0; s < tile; s++) {\n"
    "            device const KV *value = values + ulong(s) * HS + begin;\n"
    "            for (uint i = 0; i < COUNT; i++)\n"
    "                for (uint j = 0; j < dims; j++) sum[i][j] += weights[i][s] * float(value[j * lanes]);\n"
    "        }\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            for (uint j = 0; j < dims; j++) sums[i][begin + j * lanes] = sum[i][j];\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename KV>\n"
    "kernel void flash_attention_hs64(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,64]\n"
    "    device const KV *keys [[buffer(1)]],      // [B,nh,capacity,64]\n"
    "    device const KV *values [[buffer(2)]],    // [B,nh,capacity,64]\n"
    "    device const uint *lengths [[buffer(3)]], // [B]\n"
    "    device const uint *counts [[buffer(4)]],  // [B]\n"
    "    device float *out [[buffer(5)]],          // [B,T,nh,64]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &capacity [[buffer(7)]],\n"
    "    constant float &scale [[buffer(8)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float weights[SLOTS][TILE]; // slot: simdgroup · QUERIES + query of the tile\n"
    "    threadgroup float sums[SLOTS][HS];\n"
    "    threadgroup float maxima[SLOTS];\n"
    "    threadgroup float totals[SLOTS];\n"
    "    uint threads = group_size.x, b = group.z, first_query = group.x * QUERIES;\n"
    "    uint count = min(QUERIES, T - first_query);\n"
    "    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS), slot = simdgroup * QUERIES;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    ulong head = ulong(b) * groups.y + group.y, query = (head * T + first_query) * HS;\n"
    "\n"
    "    if (simdgroup < simdgroups) {\n"
    "        float m[QUERIES], l[QUERIES], shrink[QUERIES];\n"
    "        for (uint i = 0; i < count; i++) {\n"
    "            m[i] = -INFINITY;\n"
    "            l[i] = 0.0f;\n"
    "            for (uint d = lane; d < HS; d += lanes) sums[slot + i][d] = 0.0f;\n"
    "        }\n"
    "        uint visible = lengths[b] + min(first_query + count, counts[b]); // to the last of the queries\n"
    "        for (uint first = simdgroup * TILE; first < visible; first += simdgroups * TILE) {\n"
    "            uint tile = min(TILE, visible - first);\n"
    "            ulong start = (head * capacity + first) * HS;\n"
    "            if (count == QUERIES)\n"
    "                score_tile<QUERIES>(q + query, keys + start, scale, tile, lane, lanes, weights + slot);\n"
    "            else\n"
    "                for (uint i = 0; i < count; i++)\n"
    "                    score_tile<1>(q + query + i * HS, keys + start, scale, tile, lane, lanes, weights + slot + i);\n"
    "            for (uint i = 0; i < count; i++) {\n"
    "                uint limit = lengths[b] + min(first_query + i + 1, counts[b]);\n"
    "                uint seen = limit > first ? min(tile, limit - first) : 0; // keys of the tile that it may see\n"
    "                float largest = m[i], sum = 0.0f;\n"
    "                for (uint s = lane; s < seen; s += lanes) largest = max(largest, weights[slot + i][s]);\n"
    "                largest = simd_max(largest);\n"
    "                for (uint s = lane; s < tile; s += lanes) {\n"
    "                    float weight = s < seen ? exp(weights[slot + i][s] - largest) : 0.0f;\n"
    "                    weights[slot + i][s] = weight;\n"
    "                    sum += weight;\n"
    "                }\n"
    "                shrink[i] = m[i] == -INFINITY ? 0.0f : exp(m[i] - largest);\n"
    "                l[i] = l[i] * shrink[i] + simd_sum(sum);\n"
    "                m[i] = largest;\n"
    "            }\n"
    "            simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below\n"
    "            if (count == QUERIES)\n"
    "                mix_tile<QUERIES>(values + start, tile, lane, lanes, weights + slot, shrink, sums + slot);\n"
    "            else\n"
    "                for (uint i = 0; i < count; i++)\n"
    "                    mix_tile<1>(values + start, tile, lane, lanes, weights + slot + i, shrink + i,\n"
    "                                sums + slot + i);\n"
    "            simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next writes\n"
    "        }\n"
    "        for (uint i = lane; i < count; i += lanes) {\n"
    "            maxima[slot + i] = m[i];\n"
    "            totals[slot + i] = l[i];\n"
    "        }\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, maxima, totals: the writes → the reads below\n"
    "    for (uint i = 0; i < count; i++) {\n"
    "        float largest = -INFINITY, total = 0.0f;\n"
    "        for (uint g = i; g < simdgroups * QUERIES; g += QUERIES) largest = max(largest, maxima[g]);\n"
    "        for (uint g = i; g < simdgroups * QUERIES; g += QUERIES) total += totals[g] * exp(maxima[g] - largest);\n"
    "        for (uint d = thread_index; d < HS; d += threads) {\n"
    "            float sum = 0.0f;\n"
    "            for (uint g = i; g < simdgroups * QUERIES; g += QUERIES)\n"
    "                sum += sums[g][d] * exp(maxima[g] - largest);\n"
    "            out[((ulong(b) * T + first_query + i) * groups.y + group.y) * HS + d] = sum / total;\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_hs64_f32\")]] kernel decltype(flash_attention_hs64<float>) flash_attention_hs64<float>;\n"
    "template [[host_name(\"flash_attention_hs64_f16\")]] kernel decltype(flash_attention_hs64<half>) flash_attention_hs64<half>;\n"},
    {"flash_attention_tiles.metal",
    "// flash_attention_tiles.metal — flash_attention_hs64.metal by the matrix units, in halves, for prompts\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per QUERIES queries, grid (⌈T / QUERIES⌉, nh, B). Each simdgroup takes a block of ROWS\n"
    "// queries; keys and values come to threadgroup memory KEYS at a time, for all blocks. Both products are made of\n"
    "// 8×8 matrices of halves, whose sums are floats. A matrix does not tell which lane has what: so the scores go\n"
    "// through threadgroup memory to become weights, and when a row's maximum rises, its sum is multiplied by a\n"
    "// matrix that has the row's factor in all of its columns. Query t of row b sees the keys\n"
    "// s < lengths[b] + min(t + 1, counts[b]). Only whole simdgroups take part, so there must be one.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint HS = 64, VECTORS = HS / 4; // head size, and in vectors of four\n"
    "constant constexpr uint ROWS = 16, BLOCKS = 4, QUERIES = ROWS * BLOCKS;\n"
    "constant constexpr uint KEYS = 32, AHEAD = 4;\n"
    "constant constexpr uint STRIDE = HS + 8, SCORES = KEYS + 4, WEIGHTS = KEYS + 8; // rows begin in different banks\n"
    "constant constexpr uint SHARE = SIMD_WIDTH < 2 ? 1 : 2; // lanes to a row of scores\n"
    "constant constexpr uint LANE_ROWS = ROWS * SHARE / SIMD_WIDTH;\n"
    "\n"
    "// Of a row of scores: the running maximum, the sum of exp(score − m), and how many keys of the tile it sees.\n"
    "struct Row {\n"
    "    float m, l;\n"
    "    uint seen;\n"
    "};\n"
    "\n"
    "// `count` rows of a head to a tile of `rows` rows; what is behind them becomes 0. Four vectors are on their way\n"
    "// at once.\n"
    "template <typename Vector>\n"
    "static void copy(device const Vector *from, uint count, uint rows, float scale,\n"
    "                 threadgroup half (*tile)[STRIDE], uint thread_index, uint threads)\n"
    "{\n"
    "    for (uint first = thread_index; first < rows * VECTORS; first += AHEAD * threads) {\n"
    "        Vector vectors[AHEAD];\n"
    "        for (uint i = 0; i < AHEAD; i++) vectors[i] = from[min(first + i * threads, count * VECTORS - 1)];\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            uint row = (first + i * threads) / VECTORS, c = (first + i * threads) % VECTORS;\n"
    "            float4 value = row < count ? float4(vectors[i]) * scale : float4(0.0f);\n"
    "            for (uint j = 0; j < 4 && row < rows; j++) tile[row][4 * c + j] = half(value[j]);\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// scores = query · keysᵀ\n"
    "static void multiply_keys(thread simdgroup_half8x8 (&query)[ROWS / 8][HS / 8],\n"
    "                          threadgroup const half (*keys)[STRIDE], threadgroup float (*scores)[SCORES])\n"
    "{\n"
    "    simdgroup_float8x8 score[ROWS / 8][KEYS / 8];\n"
    "#pragma unroll\n"
    "    for (uint i = 0; i < ROWS / 8 * (KEYS / 8); i++)\n"
    "        score[i % (ROWS / 8)][i / (ROWS / 8)] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);\n"
    "#pragma unroll\n"
    "    for (uint c = 0; c < HS / 8; c++)\n"
    "#pragma unroll\n"
    "        for (uint k = 0; k < KEYS / 8; k++) {\n"
    "            simdgroup_half8x8 key;\n"
    "            simdgroup_load(key, &keys[k * 8][c * 8], STRIDE, 0, true);\n"
    "#pragma unroll\n"
    "            for (uint r = 0; r < ROWS / 8; r++)\n"
    "                simdgroup_multiply_accumulate(score[r][k], query[r][c], key, score[r][k]);\n"
    "        }\n"
    "#pragma unroll\n"
    "    for (uint i = 0; i < ROWS / 8 * (KEYS / 8); i++) {\n"
    "        uint r = i % (ROWS / 8), k = i / (ROWS / 8);\n"
    "        simdgroup_store(score[r][k], &scores[r * 8][k * 8], SCORES);\n"
    "    }\n"
    "}\n"
    "\n"
    "// weights = exp(scores − m) of the keys that are seen, shrink = exp(old m − m), for each of a lane's rows.\n"
    "static void weigh(threadgroup const float (*scores)[SCORES], thread Row (&rows)[LANE_ROWS],\n"
    "                  threadgroup half (*weights)[WEIGHTS], threadgroup float (*shrink)[8], uint lane)\n"
    "{\n"
    "    for (uint i = 0; i < LANE_ROWS; i++) {\n"
    "        uint n = lane / SHARE + i * (SIMD_WIDTH / SHARE), part = lane % SHARE;\n"
    "        Row row = rows[i];\n"
    "        float largest = row.m, total = 0.0f;\n"
    "        for (uint s = part; s < KEYS; s += SHARE) largest = s < row.seen ? max(largest, scores[n][s]) : largest;\n"
    "        if (SHARE > 1) largest = max(largest, simd_shuffle_xor(largest, 1));\n"
    "        for (uint s = part; s < KEYS; s += SHARE) {\n"
    "            float weight = s < row.seen ? exp(scores[n][s] - largest) : 0.0f;\n"
    "            weights[n][s] = half(weight);\n"
    "            total += weight;\n"
    "        }\n"
    "        if (SHARE > 1) total += simd_shuffle_xor(total, 1);\n"
    "        float factor = row.m == -INFINITY ? 0.0f : exp(row.m - largest);\n"
    "        for (uint c = part; c < 8; c += SHARE) shrink[n][c] = factor;\n"
    "        rows[i].l = row.l * factor + total;\n"
    "        rows[i].m = largest;\n"
    "    }\n"
    "}\n"
    "\n"
    "// sum = sum · shrink + weights · values\n"
    "static void multiply_values(thread simdgroup_float8x8 (&sum)[ROWS / 8][HS / 8],\n"
    "                            threadgroup const float (*shrink)[8], threadgroup const half (*weights)[WEIGHTS],\n"
    "                            threadgroup const half (*values)[STRIDE])\n"
    "{\n"
    "#pragma unroll\n"
    "    for (uint r = 0; r < ROWS / 8; r++) {\n"
    "        simdgroup_float8x8 factor;\n"
    "        simdgroup_load(factor, &shrink[r * 8][0], 8);\n"
    "#pragma unroll\n"
    "        for (uint c = 0; c < HS / 8; c++) sum[r][c].thread_elements() *= factor.thread_elements();\n"
    "    }\n"
    "#pragma unroll\n"
    "    for (uint k = 0; k < KEYS; k += 8) {\n"
    "        simdgroup_half8x8 weight[ROWS / 8];\n"
    "#pragma unroll\n"
    "        for (uint r = 0; r < ROWS / 8; r++) simdgroup_load(weight[r], &weights[r * 8][k], WEIGHTS);\n"
    "#pragma unroll\n"
    "        for (uint c = 0; c < HS / 8; c++) {\n"
    "            simdgroup_half8x8 value;\n"
    "            simdgroup_load(value, &values[k][c * 8], STRIDE);\n"
    "#pragma unroll\n"
    "            for (uint r = 0; r < ROWS / 8; r++)\n"
    "                simdgroup_multiply_accumulate(sum[r][c], weight[r], value, sum[r][c]);\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename KV4>\n"
    "kernel void flash_attention_tiles(\n"
    "    device const float4 *q [[buffer(0)]],     // [B,nh,T,16]\n"
    "    device const KV4 *keys [[buffer(1)]],     // [B,nh,capacity,16]\n"
    "    device const KV4 *values [[buffer(2)]],   // [B,nh,capacity,16]\n"
    "    device const uint *lengths [[buffer(3)]], // [B]\n"
    "    device const uint *counts [[buffer(4)]],  // [B]\n"
    "    device float *out [[buffer(5)]],          // [B,T,nh,64]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &capacity [[buffer(7)]],\n"
    "    constant float &scale [[buffer(8)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    threadgroup half tiles[2 * KEYS][STRIDE]; // the queries; then keys, and behind them values\n"
    "    threadgroup float scores[BLOCKS][ROWS][SCORES];\n"
    "    threadgroup half weights[BLOCKS][ROWS][WEIGHTS];\n"
    "    threadgroup float shrink[BLOCKS][ROWS][8];\n"
    "    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, BLOCKS);\n"
    "    uint b = group.z, length = lengths[b], count = counts[b];\n"
    "    uint first_query = (groups.x - 1 - group.x) * QUERIES; // those with most keys begin first\n"
    "    ulong head = ulong(b) * groups.y + group.y, start = head * capacity * VECTORS;\n"
    "\n"
    "    for (uint blocks = 0; blocks < BLOCKS; blocks += simdgroups) { // once, if there are four simdgroups\n"
    "        uint block = blocks + simdgroup, first_row = first_query + block * ROWS;\n"
    "        bool takes_part = simdgroup < simdgroups && block < BLOCKS && first_row < T;\n"
    "        simdgroup_half8x8 query[ROWS / 8][HS / 8];\n"
    "        simdgroup_float8x8 sum[ROWS / 8][HS / 8];\n"
    "        Row rows[LANE_ROWS];\n"
    "        for (uint i = 0; i < LANE_ROWS; i++) {\n"
    "            rows[i].m = -INFINITY;\n"
    "            rows[i].l = 0.0f;\n"
    "        }\n"
    "        copy(q + (head * T + first_query) * VECTORS, T - first_query, QUERIES, scale, tiles, thread_index, threads);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the queries' writes → the reads below\n"
    "#pragma unroll\n"
    "        for (uint r = 0; r < ROWS / 8; r++)\n"
    "#pragma unroll\n"
    "            for (uint c = 0; c < HS / 8; c++) {\n"
    "                sum[r][c] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);\n"
    "                if (takes_part) simdgroup_load(query[r][c], &tiles[block * ROWS + r * 8][c * 8], STRIDE);\n"
    "            }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the keys' and values' writes\n"
    "\n"
    "        uint end = length + min(first_query + QUERIES, count), block_end = length + min(first_row + ROWS, count);\n"
    "        for (uint first = 0; first < end; first += KEYS) {\n"
    "            ulong from = start + ulong(first) * VECTORS;\n"
    "            copy(keys + from, end - first, KEYS, 1.0f, tiles, thread_index, threads);\n"
    "            copy(values + from, end - first, KEYS, 1.0f, tiles + KEYS, thread_index, threads);\n"
    "            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below\n"
    "            if (takes_part && first < block_end) {\n"
    "                multiply_keys(query, tiles, scores[simdgroup]);\n"
    "                for (uint i = 0; i < LANE_ROWS; i++) {\n"
    "                    uint row = first_row + lane / SHARE + i * (SIMD_WIDTH / SHARE);\n"
    "                    uint visible = length + min(row + 1, count);\n"
    "                    rows[i].seen = visible > first ? visible - first : 0;\n"
    "                }\n"
    "                simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the writes above → the reads below\n"
    "                weigh(scores[simdgroup], rows, weights[simdgroup], shrink[simdgroup], lane);\n"
    "                simdgroup_barrier(mem_flags::mem_threadgroup); // weights, shrink: the writes → the reads below\n"
    "                multiply_values(sum, shrink[simdgroup], weights[simdgroup], tiles + KEYS);\n"
    "            }\n"
    "            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles, scores …: the reads above ↔ the next writes\n"
    "        }\n"
    "\n"
    "#pragma unroll\n"
    "        for (uint part = 0; part < HS; part += KEYS) { // the sums leave through the place of the scores\n"
    "            if (!takes_part) break;\n"
    "#pragma unroll\n"
    "            for (uint r = 0; r < ROWS / 8; r++)\n"
    "#pragma unroll\n"
    "                for (uint c = 0; c < KEYS / 8; c++)\n"
    "                    simdgroup_store(sum[r][part / 8 + c], &scores[simdgroup][r * 8][c * 8], SCORES);\n"
    "            simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the writes above → the reads below\n"
    "            for (uint i = 0; i < LANE_ROWS; i++) {\n"
    "                uint row = lane / SHARE + i * (SIMD_WIDTH / SHARE), t = first_row + row;\n"
    "                ulong to = ((ulong(b) * T + t) * groups.y + group.y) * HS + part;\n"
    "                for (uint d = lane % SHARE; d < KEYS && t < T; d += SHARE)\n"
    "                    out[to + d] = scores[simdgroup][row][d] / rows[i].l;\n"
    "            }\n"
    "            simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the reads above ↔ the next writes\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_tiles_f32\")]] kernel decltype(flash_attention_tiles<float4>) flash_attention_tiles<float4>;\n"
    "template [[host_name(\"flash_attention_tiles_f16\")]] kernel decltype(flash_attention_tiles<half4>) flash_attention_tiles<half4>;\n"},
    {"fused_bias_gelu.metal",
    "// fused_bias_gelu.metal — the bias of a matrix product and GELU in one pass over memory\n"
    "//\n"
    "//   out[t,n] = gelu(in[t,n] + bias[n]),   gelu(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))\n"
    "//\n"
    "// One thread per element, grid (N, T). A pass for the bias and another for GELU (activation.metal) would each\n"
    "// be as slow as the memory they walk through. What comes out is of type Out: half where the next matrix\n"
    "// product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "template <typename Out>\n"
    "kernel void add_bias_then_gelu(\n"
    "    device const float *in [[buffer(0)]],   // [T,N]\n"
    "    device const float *bias [[buffer(1)]], // [N]\n"
    "    device Out *out [[buffer(2)]],          // [T,N]\n"
    "    constant uint &T [[buffer(3)]],\n"
    "    constant uint &N [[buffer(4)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint n = id.x, t = id.y;\n"
    "    if (n >= N || t >= T) return;\n"
    "    float x = in[ulong(t) * N + n] + bias[n];\n"
    "    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);\n"
    "    out[ulong(t) * N + n] = Out(0.5f * x * (1.0f + precise::tanh(inner)));\n"
    "}\n"
    "\n"
    "template [[host_name(\"bias_gelu\")]] kernel decltype(add_bias_then_gelu<float>) add_bias_then_gelu<float>;\n"
    "template [[host_name(\"bias_gelu_f16\")]] kernel decltype(add_bias_then_gelu<half>) add_bias_then_gelu<half>;\n"},
    {"fused_decode_attention.metal",
    "// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention\n"
    "//\n"
    "//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]\n"
    "//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]\n"
    "//\n"
    "// split_heads (heads.metal) and flash_attention_hs64.metal in one kernel, for decoding with heads of 64\n"
    "// channels. One threadgroup per head and row, grid (nh, B): its simdgroups share out the keys, and SHARE\n"
    "// lanes together take one key at a time, a running softmax for each such team (a maximum m, the sum l of\n"
    "// exp(score − m), and the weighted sum of V). The teams are merged at the end. The KV cache is of type KV4,\n"
    "// float4 or half4.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint VECTORS = 16; // of four channels, per head\n"
    "constant constexpr uint SHARE = 8;    // lanes of a team\n"
    "constant constexpr uint PARTS = VECTORS / SHARE;\n"
    "constant constexpr uint KEYS = 2;                                             // that a team reads at once\n"
    "constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup\n"
    "constant constexpr uint MAX_SIMDGROUPS = 16; // that take part\n"
    "\n"
    "// The softmax of some keys so far, and a lane's part of their weighted values.\n"
    "struct Running {\n"
    "    float m, l;\n"
    "    float4 sum[PARTS];\n"
    "};\n"
    "\n"
    "// Both as if they had run through their keys one after the other.\n"
    "static void merge(thread Running &a, Running b)\n"
    "{\n"
    "    float m = max(a.m, b.m);\n"
    "    float left = a.m == -INFINITY ? 0.0f : exp(a.m - m), right = b.m == -INFINITY ? 0.0f : exp(b.m - m);\n"
    "    a.l = a.l * left + b.l * right;\n"
    "    for (uint i = 0; i < PARTS; i++) a.sum[i] = a.sum[i] * left + b.sum[i] * right;\n"
    "    a.m = m;\n"
    "}\n"
    "\n"
    "// Where a head's query is, the new key and value, and the cached ones.\n"
    "template <typename KV4> struct Head {\n"
    "    device const float4 *query, *key, *value; // [16]\n"
    "    device const KV4 *keys, *values;          // [length,16]\n"
    "    uint length;\n"
    "    float scale;\n"
    "};\n"
    "\n"
    "static void store(device float4 *to, float4 value) { *to = value; }\n"
    "static void store(device half4 *to, float4 value) { *to = half4(value); }\n"
    "\n"
    "// A value as a cache of this type keeps it.\n"
    "static float4 kept(device const float4 *, float4 value) { return value; }\n"
    "static float4 kept(device const half4 *, float4 value) { return float4(half4(value)); }\n"
    "\n"
    "// Vector c of key or value s, of which the new one is not read from the cache: it is only just written there.\n"
    "template <typename KV4>\n"
    "static float4 read(device const KV4 *cached, device const float4 *fresh, uint s, uint length, uint c)\n"
    "{\n"
    "    return s < length ? float4(cached[ulong(s) * VECTORS + c]) : kept(cached, fresh[c]);\n"
    "}\n"
    "\n"
    "// The keys begin … end − 1, by the teams of a whole simdgroup; this lane's part of what its team has seen.\n"
    "template <typename KV4>\n"
    "static Running run_through(Head<KV4> head, uint begin, uint end, uint team, uint lane)\n"
    "{\n"
    "    Running running;\n"
    "    running.m = -INFINITY;\n"
    "    running.l = 0.0f;\n"
    "    float4 query[PARTS];\n"
    "    for (uint i = 0; i < PARTS; i++) {\n"
    "        query[i] = head.query[lane + i * SHARE] * head.scale;\n"
    "        running.sum[i] = 0.0f;\n"
    "    }\n"
    "    for (uint first = begin; first < end; first += KEYS * TEAMS) { // as often for every team: they shuffle\n"
    "        Running one[KEYS];                                         // each key alone\n"
    "        for (uint j = 0; j < KEYS; j++) {\n"
    "            uint s = min(first + j * TEAMS + team, end - 1);\n"
    "            one[j].m = 0.0f;\n"
    "            one[j].l = 1.0f;\n"
    "            for (uint i = 0; i < PARTS; i++) {\n"
    "                one[j].sum[i] = read(head.values, head.value, s, head.length, lane + i * SHARE);\n"
    "                one[j].m += dot(query[i], read(head.keys, head.key, s, head.length, lane + i * SHARE));\n"
    "            }\n"
    "        }\n"
    "        for (uint j = 0; j < KEYS; j++) {\n"
    "            for (uint distance = 1; distance < SHARE; distance *= 2)\n"
    "                one[j].m += simd_shuffle_xor(one[j].m, ushort(distance));\n"
    "            if (first + j * TEAMS + team < end) merge(running, one[j]);\n"
    "        }\n"
    "    }\n"
    "    return running;\n"
    "}\n"
    "\n"
    "// The same of the lane that is `distance` away.\n"
    "static Running other(Running running, ushort distance)\n"
    "{\n"
    "    running.m = simd_shuffle_xor(running.m, distance);\n"
    "    running.l = simd_shuffle_xor(running.l, distance);\n"
    "    for (uint i = 0; i < PARTS; i++)\n"
    "        for (uint j = 0; j < 4; j++) running.sum[i][j] = simd_shuffle_xor(running.sum[i][j], distance);\n"
    "    return running;\n"
    "}\n"
    "\n"
    "// All of it by one lane, where a simdgroup is not whole or has but one. Returns m and l.\n"
    "template <typename KV4>\n"
    "static float2 run_alone(Head<KV4> head, uint begin, uint end, threadgroup float4 *sums)\n"
    "{\n"
    "    float m = -INFINITY, l = 0.0f;\n"
    "    for (uint c = 0; c < VECTORS; c++) sums[c] = 0.0f;\n"
    "    for (uint s = begin; s < end; s++) {\n"
    "        float score = 0.0f;\n"
    "        for (uint c = 0; c < VECTORS; c++)\n"
    "            score += dot(head.query[c], read(head.keys, head.key, s, head.length, c)) * head.scale;\n"
    "        float largest = max(m, score), weight = exp(score - largest);\n"
    "        float shrink = m == -INFINITY ? 0.0f : exp(m - largest);\n"
    "        for (uint c = 0; c < VECTORS; c++)\n"
    "            sums[c] = sums[c] * shrink + read(head.values, head.value, s, head.length, c) * weight;\n"
    "        l = l * shrink + weight;\n"
    "        m = largest;\n"
    "    }\n"
    "    return float2(m, l);\n"
    "}\n"
    "\n"
    "template <typename KV4>\n"
    "kernel void decode_attention_hs64(\n"
    "    device const float4 *qkv [[buffer(0)]],   // [B,3,nh,16]\n"
    "    device const uint *lengths [[buffer(1)]], // [B]\n"
    "    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done\n"
    "    device KV4 *keys [[buffer(3)]],           // [B,nh,capacity,16]\n"
    "    device KV4 *values [[buffer(4)]],         // [B,nh,capacity,16]\n"
    "    device float4 *out [[buffer(5)]],         // [B,nh,16]\n"
    "    constant uint &capacity [[buffer(6)]],\n"
    "    constant float &scale [[buffer(7)]],\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float4 sums[MAX_SIMDGROUPS][VECTORS];\n"
    "    threadgroup float2 softmax[MAX_SIMDGROUPS]; // m and l\n"
    "    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];\n"
    "    uint end = length + min(counts[b], 1u), simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    ulong start = (ulong(b) * nh + group.x) * capacity * VECTORS;\n"
    "    device const float4 *query = qkv + (ulong(b) * 3 * nh + group.x) * VECTORS;\n"
    "    device const float4 *key = query + nh * VECTORS, *value = key + nh * VECTORS;\n"
    "    if (length < min(end, capacity))\n"
    "        for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "            store(keys + start + ulong(length) * VECTORS + c, key[c]);\n"
    "            store(values + start + ulong(length) * VECTORS + c, value[c]);\n"
    "        }\n"
    "\n"
    "    for (uint i = simdgroups * VECTORS + thread_index; i < MAX_SIMDGROUPS * VECTORS; i += threads) {\n"
    "        sums[i / VECTORS][i % VECTORS] = 0.0f; // of simdgroups that are not there\n"
    "        if (i % VECTORS == 0) softmax[i / VECTORS] = float2(-INFINITY, 0.0f);\n"
    "    }\n"
    "    Head<KV4> head = {query, key, value, keys + start, values + start, length, scale};\n"
    "    uint share = (end + simdgroups - 1) / simdgroups;\n"
    "    uint first = min(end, simdgroup * share), last = min(end, first + share);\n"
    "    if (simdgroup < simdgroups && SIMD_WIDTH > SHARE && lanes == SIMD_WIDTH) {\n"
    "        Running running = run_through(head, first, last, lane / SHARE, lane % SHARE);\n"
    "        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)\n"
    "            merge(running, other(running, ushort(distance)));\n"
    "        if (lane == 0) softmax[simdgroup] = float2(running.m, running.l);\n"
    "        if (lane < SHARE)\n"
    "            for (uint i = 0; i < PARTS; i++) sums[simdgroup][lane + i * SHARE] = running.sum[i];\n"
    "    } else if (simdgroup < simdgroups && lane == 0) {\n"
    "        softmax[simdgroup] = run_alone(head, first, last, sums[simdgroup]);\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below\n"
    "    float largest = -INFINITY;\n"
    "    for (uint i = 0; i < MAX_SIMDGROUPS; i++) largest = max(largest, softmax[i][0]);\n"
    "    for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "        float4 sum = 0.0f;\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < MAX_SIMDGROUPS; i++) {\n"
    "            float shrink = softmax[i][0] == -INFINITY ? 0.0f : exp(softmax[i][0] - largest);\n"
    "            total += softmax[i][1] * shrink;\n"
    "            sum += sums[i][c] * shrink;\n"
    "        }\n"
    "        out[(ulong(b) * nh + group.x) * VECTORS + c] = sum / total;\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"decode_attention_hs64_f32\")]] kernel decltype(decode_attention_hs64<float4>) decode_attention_hs64<float4>;\n"
    "template [[host_name(\"decode_attention_hs64_f16\")]] kernel decltype(decode_attention_hs64<half4>) decode_attention_hs64<half4>;\n"},
    {"fused_linear_residual.metal",
    "// fused_linear_residual.metal — weights × vector, added to the residual stream, for decoding\n"
    "//\n"
    "//   stream[t,n] += Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// linear.metal and the addition of residual.metal in one kernel, whose layernorm is the beginning of the\n"
    "// kernel that comes next (fused_norm_linear.metal). One simdgroup per weight row n; its lanes read four\n"
    "// neighbours at a time. K is a multiple of 4. Grid N simdgroups.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint AHEAD = 4; // reads of a lane that are on their way at once, twice\n"
    "\n"
    "// Weights never change, so they are read before the kernel that makes x has ended, on targets that start a\n"
    "// kernel that early.\n"
    "constant constexpr bool WAITS_ITSELF = true;\n"
    "#ifndef KERNELS_OVERLAP\n"
    "#define wait_for_previous_kernel()\n"
    "#endif\n"
    "\n"
    "// The next reads of a row: from `first` on, 0 behind its end.\n"
    "template <typename Vector>\n"
    "static void read_ahead(device const Vector *weight, uint first, uint vectors, uint lanes,\n"
    "                       thread Vector (&ahead)[AHEAD])\n"
    "{\n"
    "    for (uint i = 0; i < AHEAD; i++) {\n"
    "        Vector value = weight[min(first + i * lanes, vectors - 1)];\n"
    "        ahead[i] = first + i * lanes < vectors ? value : Vector(0.0f);\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT, typename Vector>\n"
    "static void add_row(device const Vector *weight, device const float4 *x, float bias, device float *stream,\n"
    "                    uint vectors, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    Vector value[AHEAD], next[AHEAD];\n"
    "    read_ahead(weight, lane, vectors, lanes, value);\n"
    "    read_ahead(weight, lane + AHEAD * lanes, vectors, lanes, next);\n"
    "    wait_for_previous_kernel();\n"
    "    float sum[COUNT], before[COUNT]; // read early: it takes as long as a part of the weights\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        sum[t] = 0.0f;\n"
    "        before[t] = lane == 0 ? stream[ulong(t) * N] : 0.0f;\n"
    "    }\n"
    "    for (uint first = lane; first < vectors; first += AHEAD * lanes) {\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            for (uint t = 0; t < COUNT; t++)\n"
    "                sum[t] += dot(float4(value[i]), x[ulong(t) * vectors + min(first + i * lanes, vectors - 1)]);\n"
    "        for (uint i = 0; i < AHEAD; i++) value[i] = next[i];\n"
    "        read_ahead(weight, first + 2 * AHEAD * lanes, vectors, lanes, next);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum[t]);\n"
    "        if (lane == 0) stream[ulong(t) * N] = before[t] + (total + bias);\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_residual_f32(\n"
    "    device const float4 *x [[buffer(0)]],      // [T,K/4]\n"
    "    device const float4 *weight [[buffer(1)]], // [N,K/4]\n"
    "    device const float *bias [[buffer(2)]],    // [N]\n"
    "    device float *stream [[buffer(3)]],        // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, vectors = K / 4;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const float4 *row = weight + ulong(n) * vectors;\n"
    "    uint t = 0;\n"
    "    for (; t + 8 <= T; t += 8)\n"
    "        add_row<8>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        add_row<4>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        add_row<2>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        add_row<1>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void linear_residual_f16(\n"
    "    device const float4 *x [[buffer(0)]],      // [T,K/4]\n"
    "    device const half4 *weight [[buffer(1)]],  // [N,K/4]\n"
    "    device const float *bias [[buffer(2)]],    // [N]\n"
    "    device float *stream [[buffer(3)]],        // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, vectors = K / 4;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const half4 *row = weight + ulong(n) * vectors;\n"
    "    uint t = 0;\n"
    "    for (; t + 8 <= T; t += 8)\n"
    "        add_row<8>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        add_row<4>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        add_row<2>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        add_row<1>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);\n"
    "}\n"},
    {"fused_norm_linear.metal",
    "// fused_norm_linear.metal — layernorm, weights × vector and, where wanted, GELU in one kernel, for decoding\n"
    "//\n"
    "//   out[t,n] = f(Σ_k norm(x[t])[k] · weight[n,k] + bias[n]),   f(y) = gelu(y) or y\n"
    "//\n"
    "// On a GPU a step of decoding is a chain of short kernels, and starting one costs as much as what it does:\n"
    "// this one takes the place of layernorm.metal, linear.metal and activation.metal. Every threadgroup makes\n"
    "// the normalised vectors for itself, in jobs that its simdgroups share out; then each simdgroup takes ROWS\n"
    "// rows of the weights, of which the first parts are on their way meanwhile. Lanes read four neighbours at a time.\n"
    "// K is a multiple of 4 and at most 2,432. The grid has as many simdgroups as the device runs at once, or one\n"
    "// for each ROWS rows if that is less.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint ROWS = 2;\n"
    "constant constexpr uint AHEAD = 8;           // reads of a weight row that are on their way at once\n"
    "constant constexpr uint MAX_VECTORS = 1920; // of four neighbours, in threadgroup memory\n"
    "\n"
    "// Weights never change, so they are read before the kernel that makes x has ended, on targets that start a\n"
    "// kernel that early.\n"
    "constant constexpr bool WAITS_ITSELF = true;\n"
    "#ifndef KERNELS_OVERLAP\n"
    "#define wait_for_previous_kernel()\n"
    "#endif\n"
    "\n"
    "// Where a lane puts vector k of `vectors`: behind the end it has a place of its own, so that nobody has to\n"
    "// branch, and one read need not wait for another.\n"
    "static uint place(uint k, uint vectors, uint lane)\n"
    "{\n"
    "    return k < vectors ? k : vectors + lane;\n"
    "}\n"
    "\n"
    "static void copy(device const float4 *from, threadgroup float4 *to, uint vectors, uint lane, uint lanes)\n"
    "{\n"
    "    for (uint first = lane; first < vectors; first += AHEAD * lanes)\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            uint k = first + i * lanes;\n"
    "            to[place(k, vectors, lane)] = from[min(k, vectors - 1)];\n"
    "        }\n"
    "}\n"
    "\n"
    "// To mean 0 and standard deviation 1, as layernorm.metal does it. A lane reads only what it wrote itself.\n"
    "static void normalise(device const float4 *x, threadgroup float4 *out, uint vectors, float epsilon, uint lane,\n"
    "                      uint lanes)\n"
    "{\n"
    "    float sum = 0.0f, differences = 0.0f, squares = 0.0f, count = float(4 * vectors);\n"
    "    copy(x, out, vectors, lane, lanes);\n"
    "    for (uint k = lane; k < vectors; k += lanes) sum += dot(out[k], float4(1.0f));\n"
    "    float mean = simd_sum(sum) / count;\n"
    "    for (uint k = lane; k < vectors; k += lanes) {\n"
    "        float4 difference = out[k] - mean;\n"
    "        differences += dot(difference, float4(1.0f));\n"
    "        squares += dot(difference, difference);\n"
    "    }\n"
    "    float scale = 1.0f / sqrt(simd_sum(squares) / count + epsilon);\n"
    "    mean += simd_sum(differences) / count;\n"
    "    for (uint k = lane; k < vectors; k += lanes) out[k] = (out[k] - mean) * scale;\n"
    "}\n"
    "\n"
    "static float gelu_of(float x)\n"
    "{\n"
    "    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);\n"
    "    return 0.5f * x * (1.0f + precise::tanh(inner));\n"
    "}\n"
    "\n"
    "// ROWS weight rows from `first` on; behind the last row the last one again, which is not stored.\n"
    "template <typename Vector> struct Rows {\n"
    "    device const Vector *weight;\n"
    "    device const float *bias;\n"
    "    uint first, N, vectors, lane, lanes;\n"
    "};\n"
    "\n"
    "template <typename Vector>\n"
    "static void read_ahead(Rows<Vector> rows, uint first_row, uint first, thread Vector (&ahead)[ROWS][AHEAD])\n"
    "{\n"
    "    for (uint r = 0; r < ROWS; r++)\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            ulong row = min(first_row + r, rows.N - 1);\n"
    "            uint k = first + i * rows.lanes;\n"
    "            Vector value = rows.weight[row * rows.vectors + min(k, rows.vectors - 1)];\n"
    "            ahead[r][i] = k < rows.vectors ? value : Vector(0.0f);\n"
    "        }\n"
    "}\n"
    "\n"
    "// COUNT tokens against weight rows, ROWS at a time, in turns that are `step` rows apart; COUNT and ROWS are known\n"
    "// to the compiler, so that the sums stay in registers. `normal` has the normalised tokens and behind them\n"
    "// layernorm's weight and bias; `ahead` the beginning of the first rows. While one part of a row is multiplied,\n"
    "// the next is on its way.\n"
    "template <uint COUNT, typename Vector>\n"
    "static void multiply(Rows<Vector> rows, uint step, threadgroup const float4 *normal,\n"
    "                     thread Vector (&ahead)[ROWS][AHEAD], device float *out, bool gelu)\n"
    "{\n"
    "    uint stride = rows.vectors + SIMD_WIDTH, part = AHEAD * rows.lanes;\n"
    "    for (uint n = rows.first; n < rows.N; n += step) {\n"
    "        float sum[ROWS][COUNT];\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++) sum[r][t] = 0.0f;\n"
    "        for (uint begin = 0; begin < rows.vectors; begin += part) {\n"
    "            Vector next[ROWS][AHEAD];\n"
    "            bool is_last = begin + part >= rows.vectors;\n"
    "            read_ahead(rows, is_last ? n + step : n, is_last ? rows.lane : begin + part + rows.lane, next);\n"
    "            for (uint i = 0; i < AHEAD; i++) {\n"
    "                uint k = min(begin + rows.lane + i * rows.lanes, rows.vectors - 1);\n"
    "                float4 scale = normal[COUNT * stride + k], shift = normal[(COUNT + 1) * stride + k];\n"
    "                for (uint t = 0; t < COUNT; t++) {\n"
    "                    float4 value = normal[t * stride + k] * scale + shift;\n"
    "                    for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value, float4(ahead[r][i]));\n"
    "                }\n"
    "            }\n"
    "            for (uint r = 0; r < ROWS; r++)\n"
    "                for (uint i = 0; i < AHEAD; i++) ahead[r][i] = next[r][i];\n"
    "        }\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                float y = simd_sum(sum[r][t]) + rows.bias[min(n + r, rows.N - 1)];\n"
    "                if (rows.lane == 0 && n + r < rows.N) out[ulong(t) * rows.N + n + r] = gelu ? gelu_of(y) : y;\n"
    "            }\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void norm_linear_f32(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const float4 *norm_bias [[buffer(2)]],   // [K/4]\n"
    "    device const float4 *weight [[buffer(3)]],      // [N,K/4]\n"
    "    device const float *bias [[buffer(4)]],         // [N]\n"
    "    device float *out [[buffer(5)]],                // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &gelu [[buffer(9)]], // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(10)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    threadgroup float4 normal[MAX_VECTORS];\n"
    "    uint vectors = K / 4, lanes = min(simd_width, threads - simdgroup * simd_width); // the last may be partial\n"
    "    uint stride = vectors + SIMD_WIDTH, first = (group * simdgroups + simdgroup) * ROWS;\n"
    "    Rows<float4> rows = {weight, bias, first, N, vectors, lane, lanes};\n"
    "    for (uint begin = 0, count; begin < T; begin += count) {\n"
    "        for (count = 4; count > 1 && (begin + count > T || (count + 2) * stride > MAX_VECTORS);) count /= 2;\n"
    "        float4 ahead[ROWS][AHEAD];\n"
    "        read_ahead(rows, first, lane, ahead);\n"
    "        for (uint job = simdgroup; job < 2; job += simdgroups)\n"
    "            copy(job ? norm_bias : norm_weight, normal + (count + job) * stride, vectors, lane, lanes);\n"
    "        wait_for_previous_kernel();\n"
    "        for (uint job = (simdgroup + 2) % simdgroups; job < count; job += simdgroups)\n"
    "            normalise(x + ulong(begin + job) * vectors, normal + job * stride, vectors, epsilon, lane, lanes);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below\n"
    "        device float *to = out + ulong(begin) * N;\n"
    "        uint step = groups * simdgroups * ROWS;\n"
    "        if (count == 4) multiply<4>(rows, step, normal, ahead, to, gelu);\n"
    "        if (count == 2) multiply<2>(rows, step, normal, ahead, to, gelu);\n"
    "        if (count == 1) multiply<1>(rows, step, normal, ahead, to, gelu);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void norm_linear_f16(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const float4 *norm_bias [[buffer(2)]],   // [K/4]\n"
    "    device const half4 *weight [[buffer(3)]],       // [N,K/4]\n"
    "    device const float *bias [[buffer(4)]],         // [N]\n"
    "    device float *out [[buffer(5)]],                // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &gelu [[buffer(9)]], // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(10)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    threadgroup float4 normal[MAX_VECTORS];\n"
    "    uint vectors = K / 4, lanes = min(simd_width, threads - simdgroup * simd_width); // the last may be partial\n"
    "    uint stride = vectors + SIMD_WIDTH, first = (group * simdgroups + simdgroup) * ROWS;\n"
    "    Rows<half4> rows = {weight, bias, first, N, vectors, lane, lanes};\n"
    "    for (uint begin = 0, count; begin < T; begin += count) {\n"
    "        for (count = 4; count > 1 && (begin + count > T || (count + 2) * stride > MAX_VECTORS);) count /= 2;\n"
    "        half4 ahead[ROWS][AHEAD];\n"
    "        read_ahead(rows, first, lane, ahead);\n"
    "        for (uint job = simdgroup; job < 2; job += simdgroups)\n"
    "            copy(job ? norm_bias : norm_weight, normal + (count + job) * stride, vectors, lane, lanes);\n"
    "        wait_for_previous_kernel();\n"
    "        for (uint job = (simdgroup + 2) % simdgroups; job < count; job += simdgroups)\n"
    "            normalise(x + ulong(begin + job) * vectors, normal + job * stride, vectors, epsilon, lane, lanes);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below\n"
    "        device float *to = out + ulong(begin) * N;\n"
    "        uint step = groups * simdgroups * ROWS;\n"
    "        if (count == 4) multiply<4>(rows, step, normal, ahead, to, gelu);\n"
    "        if (count == 2) multiply<2>(rows, step, normal, ahead, to, gelu);\n"
    "        if (count == 1) multiply<1>(rows, step, normal, ahead, to, gelu);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"},
    {"heads.metal",
    "// heads.metal — between the layout of the matrix products, [B,T,C], and that of attention,\n"
    "// [B,nh,T,hs], where C = nh · hs and head h owns the channels h·hs … (h+1)·hs − 1.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// Split QKV into heads, and append K and V to the KV cache behind the lengths[b] tokens it holds:\n"
    "//\n"
    "//   Q[b,h,t,d]                   = (qkv + bias)[b,t, h·hs + d]\n"
    "//   keys[b,h,lengths[b]+t,d]     = (qkv + bias)[b,t, C + h·hs + d]      for t < counts[b]\n"
    "//   values[b,h,lengths[b]+t,d]   = (qkv + bias)[b,t, 2C + h·hs + d]     for t < counts[b]\n"
    "//\n"
    "// One thread per channel of a head and token, grid (hs, T, B·nh). Row b brings counts[b] ≤ T new tokens;\n"
    "// what is behind them is padding and stays out of the cache. The bias is that of the matrix product which\n"
    "// made qkv, added here to save a pass over memory. The cache is of type KV, float or half.\n"
    "template <typename KV>\n"
    "kernel void split_heads(\n"
    "    device const float *qkv [[buffer(0)]],    // [B,T,3C]\n"
    "    device const float *bias [[buffer(1)]],   // [3C]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device float *q [[buffer(4)]],            // [B,nh,T,hs]\n"
    "    device KV *keys [[buffer(5)]],            // [B,nh,capacity,hs]\n"
    "    device KV *values [[buffer(6)]],          // [B,nh,capacity,hs]\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &nh [[buffer(8)]],\n"
    "    constant uint &hs [[buffer(9)]],\n"
    "    constant uint &capacity [[buffer(10)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, t = id.y, head = id.z, b = head / nh, C = nh * hs, position = lengths[b] + t;\n"
    "    uint channel = head % nh * hs;\n"
    "    ulong from = (ulong(b) * T + t) * (3 * C) + channel;\n"
    "    ulong to_q = (ulong(head) * T + t) * hs, to = (ulong(head) * capacity + position) * hs;\n"
    "    bool is_new = t < counts[b] && position < capacity;\n"
    "    if (d >= hs || t >= T) return;\n"
    "    q[to_q + d] = qkv[from + d] + bias[channel + d];\n"
    "    if (!is_new) return;\n"
    "    keys[to + d] = KV(qkv[from + C + d] + bias[C + channel + d]);\n"
    "    values[to + d] = KV(qkv[from + 2 * C + d] + bias[2 * C + channel + d]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"split_heads_f32\")]] kernel decltype(split_heads<float>) split_heads<float>;\n"
    "template [[host_name(\"split_heads_f16\")]] kernel decltype(split_heads<half>) split_heads<half>;\n"
    "\n"
    "// Join the heads again: out[b,t, h·hs + d] = in[b,h,t,d]. One thread per element, grid (hs, T, B·nh).\n"
    "kernel void merge_heads(\n"
    "    device const float *in [[buffer(0)]], // [B,nh,T,hs]\n"
    "    device float *out [[buffer(1)]],      // [B,T,C]\n"
    "    constant uint &T [[buffer(2)]],\n"
    "    constant uint &nh [[buffer(3)]],\n"
    "    constant uint &hs [[buffer(4)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, t = id.y, head = id.z, b = head / nh, C = nh * hs;\n"
    "    if (d >= hs || t >= T) return;\n"
    "    out[(ulong(b) * T + t) * C + head % nh * hs + d] = in[(ulong(head) * T + t) * hs + d];\n"
    "}\n"},
    {"integer_linear.metal",
    "// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time\n"
    "//\n"
    "//   x[t,k]   = scale · value + rounding,  value of 8 bits, 32 neighbours of a row share one scale\n"
    "//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]\n"
    "//\n"
    "// The same as linear_q8_0.metal and its siblings, but x is rounded first, to 8 bits: a CPU multiplies four\n"
    "// times as many small integers at once as floats. Weights stored with an offset stay as they are, since\n"
    "//   Σ (weight − 8) · x = Σ weight · x + offset,  offset = −8 · Σ x.\n"
    "// One simdgroup per weight row n; its lanes share out each block.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint BLOCK = 32; // values of x that share a scale\n"
    "constant constexpr uint FOURS = BLOCK / 4; // offsets of them\n"
    "constant constexpr uint STEP = 8;   // blocks in a row, as many as q6_K has in one\n"
    "\n"
    "struct block_q8_0 {\n"
    "    half scale;\n"
    "    char values[BLOCK];\n"
    "};\n"
    "\n"
    "struct block_q4_0 {\n"
    "    half scale;\n"
    "    uchar nibbles[BLOCK / 2]; // byte i: values i and i + 16\n"
    "};\n"
    "\n"
    "struct block_q6_K { // eight blocks of 32, see linear_q6_K.metal\n"
    "    uchar low[2][64];\n"
    "    uchar high[2][32];\n"
    "    char scale[2][8];\n"
    "    half d;\n"
    "};\n"
    "\n"
    "// What a lane has of a sum, the products of one block, and a wish to have `bytes` of memory that come a little\n"
    "// later than `row` in the cache. A target may bring its own: `Parts` and these functions of the same names.\n"
    "#ifndef MSL_OWN_PRODUCTS\n"
    "typedef float Parts;\n"
    "static float sum_of(Parts parts) { return parts; }\n"
    "static Parts scale_before(device const half *weights) { return float(*weights); }\n"
    "template <typename Block> static void read_ahead(device const Block *, uint) {}\n"
    "\n"
    "static Parts products_8(device const char *values, device const char *x, uint lane, uint lanes)\n"
    "{\n"
    "    int sum = 0;\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) sum += int(values[i]) * int(x[i]);\n"
    "    return float(sum);\n"
    "}\n"
    "\n"
    "static Parts products_4(device const uchar *nibbles, device const char *x, device const int *offset, uint lane,\n"
    "                        uint lanes)\n"
    "{\n"
    "    int sum = 0;\n"
    "    for (uint i = lane; i < FOURS; i += lanes) sum += offset[i];\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) sum += int(nibbles[i % 16] >> i / 16 * 4 & 15) * int(x[i]);\n"
    "    return float(sum);\n"
    "}\n"
    "\n"
    "// `quarter` of half a block of 256: four low bits and two high ones, an offset of 32, a scale for each 16.\n"
    "static Parts products_6(device const uchar *low, device const uchar *high, device const char *scale, half d,\n"
    "                        uint quarter, device const char *x, device const int *offset, uint lane, uint lanes)\n"
    "{\n"
    "    int sum = 0;\n"
    "    scale += 2 * quarter;\n"
    "    for (uint i = lane; i < FOURS; i += lanes) sum += int(scale[i / 4]) * 4 * offset[i];\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) {\n"
    "        int bits = int(low[i + quarter % 2 * BLOCK] >> quarter / 2 * 4 & 15) | int(high[i] >> quarter * 2 & 3) << 4;\n"
    "        sum += int(scale[i / 16]) * bits * int(x[i]);\n"
    "    }\n"
    "    return float(d) * float(sum);\n"
    "}\n"
    "#endif\n"
    "\n"
    "// A row's 32 weights number `block`, times 32 values of x.\n"
    "static Parts products(device const block_q8_0 *row, uint block, device const char *x, device const int *, uint lane,\n"
    "                      uint lanes)\n"
    "{\n"
    "    return scale_before(&row[block].scale) * products_8(row[block].values, x, lane, lanes);\n"
    "}\n"
    "static Parts products(device const block_q4_0 *row, uint block, device const char *x, device const int *offset,\n"
    "                      uint lane, uint lanes)\n"
    "{\n"
    "    return scale_before(&row[block].scale) * products_4(row[block].nibbles, x, offset, lane, lanes);\n"
    "}\n"
    "static Parts products(device const block_q6_K *row, uint block, device const char *x, device const int *offset,\n"
    "                      uint lane, uint lanes)\n"
    "{\n"
    "    uint half_index = block / 4 % 2;\n"
    "    device const block_q6_K *whole = row + block / 8;\n"
    "    return products_6(whole->low[half_index], whole->high[half_index], whole->scale[half_index], whole->d, block % 4, x,\n"
    "                      offset, lane, lanes);\n"
    "}\n"
    "\n"
    "// Blocks of a row's STEP · 32 weights.\n"
    "static uint stored(device const block_q6_K *) { return STEP / 8; }\n"
    "template <typename Block> static uint stored(device const Block *) { return STEP; }\n"
    "\n"
    "// What the kernels know of x.\n"
    "struct Input {\n"
    "    device const char *values;  // [T,K]\n"
    "    device const int *offset;   // [T,K/4]\n"
    "    device const float *scale;  // [T,K/32]\n"
    "};\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT, typename Block>\n"
    "static void row_times_tokens(device const Block *row, Input x, uint t0, float bias, device float *out, uint K, uint N,\n"
    "                             uint lane, uint lanes)\n"
    "{\n"
    "    uint blocks = K / BLOCK;\n"
    "    Parts sum[2][COUNT];\n"
    "    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;\n"
    "    for (uint first = 0; first < blocks; first += STEP) {\n"
    "        read_ahead(row + first / STEP * stored(row), stored(row) * sizeof(Block));\n"
    "#pragma unroll\n"
    "        for (uint i = 0; i < STEP; i++) {\n"
    "            uint block = first + i;\n"
    "            if (block >= blocks) break;\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                ulong at = ulong(t0 + t) * blocks + block;\n"
    "                sum[i % 2][t] += x.scale[at] *\n"
    "                                 products(row, block, x.values + at * BLOCK, x.offset + at * FOURS, lane, lanes);\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum_of(sum[0][t] + sum[1][t]));\n"
    "        if (lane == 0) out[ulong(t0 + t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Block>\n"
    "static void all_tokens(device const Block *row, Input x, float bias, device float *out, uint T, uint K, uint N,\n"
    "                       uint lane, uint lanes)\n"
    "{\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4) row_times_tokens<4>(row, x, t, bias, out, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2) row_times_tokens<2>(row, x, t, bias, out, K, N, lane, lanes);\n"
    "    for (; t < T; t++) row_times_tokens<1>(row, x, t, bias, out, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void integer_linear_q8_0(\n"
    "    device const char *x [[buffer(0)]],          // [T,K]\n"
    "    device const int *x_offset [[buffer(1)]],    // [T,K/4]\n"
    "    device const float *x_scale [[buffer(2)]],   // [T,K/32]\n"
    "    device const block_q8_0 *weight [[buffer(3)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(4)]],      // [N]\n"
    "    device float *out [[buffer(5)]],             // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    all_tokens(weight + ulong(n) * (K / 32), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void integer_linear_q4_0(\n"
    "    device const char *x [[buffer(0)]],          // [T,K]\n"
    "    device const int *x_offset [[buffer(1)]],    // [T,K/4]\n"
    "    device const float *x_scale [[buffer(2)]],   // [T,K/32]\n"
    "    device const block_q4_0 *weight [[buffer(3)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(4)]],      // [N]\n"
    "    device float *out [[buffer(5)]],             // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    all_tokens(weight + ulong(n) * (K / 32), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void integer_linear_q6_K(\n"
    "    device const char *x [[buffer(0)]],          // [T,K]\n"
    "    device const int *x_offset [[buffer(1)]],    // [T,K/4]\n"
    "    device const float *x_scale [[buffer(2)]],   // [T,K/32]\n"
    "    device const block_q6_K *weight [[buffer(3)]], // [N,K/256]\n"
    "    device const float *bias [[buffer(4)]],      // [N]\n"
    "    device float *out [[buffer(5)]],             // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]], // a multiple of 256\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    all_tokens(weight + ulong(n) * (K / 256), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);\n"
    "}\n"},
    {"layernorm.metal",
    "// layernorm.metal — normalise rows to mean 0, std 1, then scale and shift (Ba et al. 2016)\n"
    "//\n"
    "//   out[n,c] = (x[n,c] − mean) / sqrt(variance + epsilon) · weight[c] + bias[c]\n"
    "//\n"
    "// One threadgroup per row n of x[N,C]; its threads stride over the C channels. The variance is taken\n"
    "// in a second pass, from the differences to the mean: the one-pass formula E[x²] − E[x]² loses every\n"
    "// digit when the mean is large. The same pass puts the mean right: what the differences still sum to\n"
    "// is the rounding error of the first sum. What comes out is of type Out: half where the next matrix product\n"
    "// takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// The sum of `value` over all threads of the threadgroup, returned to each of them.\n"
    "static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup,\n"
    "                             uint simdgroups)\n"
    "{\n"
    "    value = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the sum before ↔ this write\n"
    "    if (lane == 0) partial[simdgroup] = value;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    float sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += partial[i];\n"
    "    return sum;\n"
    "}\n"
    "\n"
    "template <typename Out>\n"
    "kernel void normalise_rows(\n"
    "    device const float *x [[buffer(0)]],      // [N,C]\n"
    "    device const float *weight [[buffer(1)]], // [C]\n"
    "    device const float *bias [[buffer(2)]],   // [C]\n"
    "    device Out *out [[buffer(3)]],            // [N,C]\n"
    "    constant uint &C [[buffer(4)]],\n"
    "    constant float &epsilon [[buffer(5)]],\n"
    "    uint n [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32];\n"
    "    device const float *row = x + ulong(n) * C;\n"
    "\n"
    "    float sum = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) sum += row[c];\n"
    "    float mean = threadgroup_sum(sum, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    float differences = 0.0f, squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) {\n"
    "        float difference = row[c] - mean;\n"
    "        differences += difference;\n"
    "        squares += difference * difference;\n"
    "    }\n"
    "    float error = threadgroup_sum(differences, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    mean += error;\n"
    "    float scale = 1.0f / sqrt(variance + epsilon);\n"
    "    device Out *out_row = out + ulong(n) * C;\n"
    "    for (uint c = thread_index; c < C; c += threads)\n"
    "        out_row[c] = Out((row[c] - mean) * scale * weight[c] + bias[c]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"layernorm_forward\")]] kernel decltype(normalise_rows<float>) normalise_rows<float>;\n"
    "template [[host_name(\"layernorm_forward_f16\")]] kernel decltype(normalise_rows<half>) normalise_rows<half>;\n"},
    {"linear.metal",
    "// linear.metal — weights × vector, for decoding: 1 to 8 tokens at a time\n"
    "//\n"
    "//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// One simdgroup per weight row n: its lanes stride over the K inputs and add up their parts. Every\n"
    "// weight is read once, whatever T is; decoding is bound by those bytes. linear_f16.metal and its\n"
    "// siblings do the same for other weight formats.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const float *weight, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float sum[COUNT];\n"
    "    for (uint t = 0; t < COUNT; t++) sum[t] = 0.0f;\n"
    "    for (uint k = lane; k < K; k += lanes)\n"
    "        for (uint t = 0; t < COUNT; t++) sum[t] += weight[k] * x[ulong(t) * K + k];\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum[t]);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_f32(\n"
    "    device const float *x [[buffer(0)]],      // [T,K]\n"
    "    device const float *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],   // [N]\n"
    "    device float *out [[buffer(3)]],          // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const float *row = weight + ulong(n) * K;\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 8 <= T; t += 8)\n"
    "        row_times_tokens<8>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"},
    {"linear_f16.metal",
    "// linear_f16.metal — weights × vector with weights in half precision; everything else is float\n"
    "//\n"
    "//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// One simdgroup per weight row n, as in linear.metal: half the bytes, so up to twice the speed.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const half *weight, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float sum[COUNT];\n"
    "    for (uint t = 0; t < COUNT; t++) sum[t] = 0.0f;\n"
    "    for (uint k = lane; k < K; k += lanes)\n"
    "        for (uint t = 0; t < COUNT; t++) sum[t] += float(weight[k]) * x[ulong(t) * K + k];\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum[t]);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_f16(\n"
    "    device const float *x [[buffer(0)]],      // [T,K]\n"
    "    device const half *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],   // [N]\n"
    "    device float *out [[buffer(3)]],          // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const half *row = weight + ulong(n) * K;\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 8 <= T; t += 8)\n"
    "        row_times_tokens<8>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library, which takes one type for both inputs: out[i] = in[i] as float. Grid N.\n"
    "kernel void dequantise_f16(\n"
    "    device const half *in [[buffer(0)]], // [N]\n"
    "    device float *out [[buffer(1)]],     // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i < N) out[i] = float(in[i]);\n"
    "}\n"
    "\n"
    "// The other way: activations that the matrix library multiplies with halves. out[i] = in[i] as half. Grid N.\n"
    "kernel void convert_f16(\n"
    "    device const float *in [[buffer(0)]], // [N]\n"
    "    device half *out [[buffer(1)]],       // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i < N) out[i] = half(in[i]);\n"
    "}\n"},
    {"linear_q4_0.metal",
    "// linear_q4_0.metal — weights × vector with 4-bit weights, in GGUF's format q4_0\n"
    "//\n"
    "//   weight[n,k] = scale · (value − 8),  32 neighbours of a row share one scale\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// Byte i of a block holds values i (low nibble) and i + 16 (high nibble).\n"
    "// One simdgroup per weight row n. Up to 16 lanes share a block, so a simdgroup of 32 works on two blocks\n"
    "// at a time; the only lane of a CPU has 16 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 32; // values that share a scale\n"
    "constant constexpr uint BYTES = 16; // that they fill\n"
    "constant constexpr uint SUMS = (BYTES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q4_0 {\n"
    "    half scale;\n"
    "    uchar nibbles[BYTES];\n"
    "};\n"
    "\n"
    "// Values i and i + 16 of a block, before they are scaled.\n"
    "static float2 pair(device const block_q4_0 *block, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    return float2(byte & 15, byte >> 4) - 8.0f;\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q4_0 *block, uint i)\n"
    "{\n"
    "    return float(block->scale) * pair(block, i % BYTES)[i / BYTES];\n"
    "}\n"
    "\n"
    "// sum[t] += block · x[t] for COUNT tokens, as far as this one of the block's `lanes` is concerned.\n"
    "template <uint COUNT>\n"
    "static void add_block(device const block_q4_0 *block, device const float *x, uint K, uint lane,\n"
    "                      uint lanes, thread float (*sum)[SUMS])\n"
    "{\n"
    "    float scale = float(block->scale);\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(block, i);\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            device const float *values = x + ulong(t) * K + i;\n"
    "            sum[t][i / lanes % SUMS] += scale * (weight.x * values[0] + weight.y * values[BYTES]);\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q4_0 *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float even[COUNT][SUMS], odd[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;\n"
    "    uint team = min(lanes, BYTES), teams = lanes / team, blocks = K / BLOCK;\n"
    "    uint begin = lane < team * teams ? lane / team : blocks; // lanes that make no whole team rest\n"
    "    for (uint block = begin; block < blocks; block += 2 * teams) {\n"
    "        add_block<COUNT>(row + block, x + block * BLOCK, K, lane % team, team, even);\n"
    "        if (block + teams >= blocks) break;\n"
    "        add_block<COUNT>(row + block + teams, x + (block + teams) * BLOCK, K, lane % team, team, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q4_0(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q4_0 *weight [[buffer(1)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q4_0 *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.\n"
    "kernel void dequantise_q4_0(\n"
    "    device const block_q4_0 *in [[buffer(0)]], // [N/32]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = float(in[block].scale) * pair(in + block, i);\n"
    "        values[i] = weight.x;\n"
    "        values[i + BYTES] = weight.y;\n"
    "    }\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q4_0(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q4_0 *token_table [[buffer(2)]], // [V,C/32]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 32\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_q4_1.metal",
    "// linear_q4_1.metal — weights × vector with 4-bit weights, in GGUF's format q4_1\n"
    "//\n"
    "//   weight[n,k] = scale · value + least,  32 neighbours of a row share scale and least value\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// Byte i of a block holds values i (low nibble) and i + 16 (high nibble).\n"
    "// One simdgroup per weight row n. Up to 16 lanes share a block, so a simdgroup of 32 works on two blocks\n"
    "// at a time; the only lane of a CPU has 16 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 32; // values that share a scale\n"
    "constant constexpr uint BYTES = 16; // that they fill\n"
    "constant constexpr uint SUMS = (BYTES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q4_1 {\n"
    "    half scale;\n"
    "    half least;\n"
    "    uchar nibbles[BYTES];\n"
    "};\n"
    "\n"
    "// Values i and i + 16 of a block.\n"
    "static float2 pair(device const block_q4_1 *block, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    return float(block->scale) * float2(byte & 15, byte >> 4) + float(block->least);\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q4_1 *block, uint i)\n"
    "{\n"
    "    return pair(block, i % BYTES)[i / BYTES];\n"
    "}\n"
    "\n"
    "// sum[t] += block · x[t] for COUNT tokens, as far as this one of the block's `lanes` is concerned.\n"
    "template <uint COUNT>\n"
    "static void add_block(device const block_q4_1 *block, device const float *x, uint K, uint lane,\n"
    "                      uint lanes, thread float (*sum)[SUMS])\n"
    "{\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(block, i);\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            device const float *values = x + ulong(t) * K + i;\n"
    "            sum[t][i / lanes % SUMS] += weight.x * values[0] + weight.y * values[BYTES];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q4_1 *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float even[COUNT][SUMS], odd[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;\n"
    "    uint team = min(lanes, BYTES), teams = lanes / team, blocks = K / BLOCK;\n"
    "    uint begin = lane < team * teams ? lane / team : blocks; // lanes that make no whole team rest\n"
    "    for (uint block = begin; block < blocks; block += 2 * teams) {\n"
    "        add_block<COUNT>(row + block, x + block * BLOCK, K, lane % team, team, even);\n"
    "        if (block + teams >= blocks) break;\n"
    "        add_block<COUNT>(row + block + teams, x + (block + teams) * BLOCK, K, lane % team, team, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q4_1(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q4_1 *weight [[buffer(1)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q4_1 *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.\n"
    "kernel void dequantise_q4_1(\n"
    "    device const block_q4_1 *in [[buffer(0)]], // [N/32]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(in + block, i);\n"
    "        values[i] = weight.x;\n"
    "        values[i + BYTES] = weight.y;\n"
    "    }\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q4_1(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q4_1 *token_table [[buffer(2)]], // [V,C/32]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 32\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_q5_0.metal",
    "// linear_q5_0.metal — weights × vector with 5-bit weights, in GGUF's format q5_0\n"
    "//\n"
    "//   weight[n,k] = scale · (value − 16),  32 neighbours of a row share one scale\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// Byte i of a block holds the low four bits of values i (low nibble) and i + 16 (high nibble), bit i of\n"
    "// fifth[0] and fifth[1] their highest bits.\n"
    "// One simdgroup per weight row n. Up to 16 lanes share a block, so a simdgroup of 32 works on two blocks\n"
    "// at a time; the only lane of a CPU has 16 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 32; // values that share a scale\n"
    "constant constexpr uint BYTES = 16; // of their low four bits\n"
    "constant constexpr uint SUMS = (BYTES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q5_0 {\n"
    "    half scale;\n"
    "    ushort fifth[2];\n"
    "    uchar nibbles[BYTES];\n"
    "};\n"
    "\n"
    "// Values i and i + 16 of a block, before they are scaled.\n"
    "static float2 pair(device const block_q5_0 *block, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    uint low = (byte & 15) | (uint(block->fifth[0]) >> i & 1) << 4;\n"
    "    uint high = byte >> 4 | (uint(block->fifth[1]) >> i & 1) << 4;\n"
    "    return float2(low, high) - 16.0f;\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q5_0 *block, uint i)\n"
    "{\n"
    "    return float(block->scale) * pair(block, i % BYTES)[i / BYTES];\n"
    "}\n"
    "\n"
    "// sum[t] += block · x[t] for COUNT tokens, as far as this one of the block's `lanes` is concerned.\n"
    "template <uint COUNT>\n"
    "static void add_block(device const block_q5_0 *block, device const float *x, uint K, uint lane,\n"
    "                      uint lanes, thread float (*sum)[SUMS])\n"
    "{\n"
    "    float scale = float(block->scale);\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(block, i);\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            device const float *values = x + ulong(t) * K + i;\n"
    "            sum[t][i / lanes % SUMS] += scale * (weight.x * values[0] + weight.y * values[BYTES]);\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q5_0 *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float even[COUNT][SUMS], odd[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;\n"
    "    uint team = min(lanes, BYTES), teams = lanes / team, blocks = K / BLOCK;\n"
    "    uint begin = lane < team * teams ? lane / team : blocks; // lanes that make no whole team rest\n"
    "    for (uint block = begin; block < blocks; block += 2 * teams) {\n"
    "        add_block<COUNT>(row + block, x + block * BLOCK, K, lane % team, team, even);\n"
    "        if (block + teams >= blocks) break;\n"
    "        add_block<COUNT>(row + block + teams, x + (block + teams) * BLOCK, K, lane % team, team, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q5_0(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q5_0 *weight [[buffer(1)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q5_0 *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.\n"
    "kernel void dequantise_q5_0(\n"
    "    device const block_q5_0 *in [[buffer(0)]], // [N/32]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = float(in[block].scale) * pair(in + block, i);\n"
    "        values[i] = weight.x;\n"
    "        values[i + BYTES] = weight.y;\n"
    "    }\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q5_0(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q5_0 *token_table [[buffer(2)]], // [V,C/32]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 32\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_q5_1.metal",
    "// linear_q5_1.metal — weights × vector with 5-bit weights, in GGUF's format q5_1\n"
    "//\n"
    "//   weight[n,k] = scale · value + least,  32 neighbours of a row share scale and least value\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// Byte i of a block holds the low four bits of values i (low nibble) and i + 16 (high nibble), bit i of\n"
    "// fifth[0] and fifth[1] their highest bits.\n"
    "// One simdgroup per weight row n. Up to 16 lanes share a block, so a simdgroup of 32 works on two blocks\n"
    "// at a time; the only lane of a CPU has 16 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 32; // values that share a scale\n"
    "constant constexpr uint BYTES = 16; // of their low four bits\n"
    "constant constexpr uint SUMS = (BYTES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q5_1 {\n"
    "    half scale;\n"
    "    half least;\n"
    "    ushort fifth[2];\n"
    "    uchar nibbles[BYTES];\n"
    "};\n"
    "\n"
    "// Values i and i + 16 of a block.\n"
    "static float2 pair(device const block_q5_1 *block, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    uint low = (byte & 15) | (uint(block->fifth[0]) >> i & 1) << 4;\n"
    "    uint high = byte >> 4 | (uint(block->fifth[1]) >> i & 1) << 4;\n"
    "    return float(block->scale) * float2(low, high) + float(block->least);\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q5_1 *block, uint i)\n"
    "{\n"
    "    return pair(block, i % BYTES)[i / BYTES];\n"
    "}\n"
    "\n"
    "// sum[t] += block · x[t] for COUNT tokens, as far as this one of the block's `lanes` is concerned.\n"
    "template <uint COUNT>\n"
    "static void add_block(device const block_q5_1 *block, device const float *x, uint K, uint lane,\n"
    "                      uint lanes, thread float (*sum)[SUMS])\n"
    "{\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(block, i);\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            device const float *values = x + ulong(t) * K + i;\n"
    "            sum[t][i / lanes % SUMS] += weight.x * values[0] + weight.y * values[BYTES];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q5_1 *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float even[COUNT][SUMS], odd[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;\n"
    "    uint team = min(lanes, BYTES), teams = lanes / team, blocks = K / BLOCK;\n"
    "    uint begin = lane < team * teams ? lane / team : blocks; // lanes that make no whole team rest\n"
    "    for (uint block = begin; block < blocks; block += 2 * teams) {\n"
    "        add_block<COUNT>(row + block, x + block * BLOCK, K, lane % team, team, even);\n"
    "        if (block + teams >= blocks) break;\n"
    "        add_block<COUNT>(row + block + teams, x + (block + teams) * BLOCK, K, lane % team, team, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q5_1(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q5_1 *weight [[buffer(1)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q5_1 *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.\n"
    "kernel void dequantise_q5_1(\n"
    "    device const block_q5_1 *in [[buffer(0)]], // [N/32]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    for (uint i = lane; i < BYTES; i += lanes) {\n"
    "        float2 weight = pair(in + block, i);\n"
    "        values[i] = weight.x;\n"
    "        values[i + BYTES] = weight.y;\n"
    "    }\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q5_1(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q5_1 *token_table [[buffer(2)]], // [V,C/32]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 32\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_q6_K.metal",
    "// linear_q6_K.metal — weights × vector with 6-bit weights, in GGUF's format q6_K\n"
    "//\n"
    "//   weight[n,k] = d · scale · (value − 32),  16 neighbours of a row share a scale, 256 share d\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// A block is two halves of 128 values. Of these, byte i of `low` holds the low four bits of values i (low\n"
    "// nibble) and i + 64, byte i + 32 those of values i + 32 and i + 96; byte i of `high` the upper two bits\n"
    "// of all four, lowest first. One simdgroup per weight row n: lane i works on these four values, the only\n"
    "// lane of a CPU on all of them, in 32 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 256;               // values that share d\n"
    "constant constexpr uint QUARTER = 32;              // of half a block\n"
    "constant constexpr uint SUMS = QUARTER / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q6_K {\n"
    "    uchar low[2][64];\n"
    "    uchar high[2][32];\n"
    "    char scale[2][8];\n"
    "    half d;\n"
    "};\n"
    "\n"
    "// Values i, i + 32, i + 64 and i + 96 of a half.\n"
    "static float4 quad(device const block_q6_K *block, uint half_index, uint i)\n"
    "{\n"
    "    uint first = block->low[half_index][i], second = block->low[half_index][i + QUARTER];\n"
    "    uint high = block->high[half_index][i];\n"
    "    device const char *scale = block->scale[half_index] + i / 16;\n"
    "    float4 value = float4((first & 15) | (high & 3) << 4, (second & 15) | (high >> 2 & 3) << 4,\n"
    "                          first >> 4 | (high >> 4 & 3) << 4, second >> 4 | high >> 6 << 4);\n"
    "    return float4(scale[0], scale[2], scale[4], scale[6]) * (value - 32.0f);\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q6_K *block, uint i)\n"
    "{\n"
    "    return float(block->d) * quad(block, i / 128, i % QUARTER)[i % 128 / QUARTER];\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q6_K *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float sum[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) sum[t][i] = 0.0f;\n"
    "    for (uint k = 0; k < K; k += BLOCK / 2) {\n"
    "        float d = float(row[k / BLOCK].d);\n"
    "        for (uint i = lane; i < QUARTER; i += lanes) {\n"
    "            float4 weight = quad(row + k / BLOCK, k / 128 % 2, i);\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                device const float *values = x + ulong(t) * K + k + i;\n"
    "                sum[t][i / lanes % SUMS] += d * (weight.x * values[0] + weight.y * values[32] +\n"
    "                                                 weight.z * values[64] + weight.w * values[96]);\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += sum[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q6_K(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q6_K *weight [[buffer(1)]], // [N,K/256]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 256\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q6_K *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/256.\n"
    "kernel void dequantise_q6_K(\n"
    "    device const block_q6_K *in [[buffer(0)]], // [N/256]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    float d = float(in[block].d);\n"
    "    for (uint half_index = 0; half_index < 2; half_index++, values += BLOCK / 2)\n"
    "        for (uint i = lane; i < QUARTER; i += lanes) {\n"
    "            float4 weight = d * quad(in + block, half_index, i);\n"
    "            values[i] = weight.x;\n"
    "            values[i + QUARTER] = weight.y;\n"
    "            values[i + 2 * QUARTER] = weight.z;\n"
    "            values[i + 3 * QUARTER] = weight.w;\n"
    "        }\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q6_K(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q6_K *token_table [[buffer(2)]], // [V,C/256]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 256\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_q8_0.metal",
    "// linear_q8_0.metal — weights × vector with 8-bit weights, in GGUF's format q8_0\n"
    "//\n"
    "//   weight[n,k] = scale · value,  32 neighbours of a row share one scale\n"
    "//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// One simdgroup per weight row n. In every block lane i owns the values i, i + lanes, …: a lane of 32\n"
    "// owns one, the only lane of a CPU all 32, in 32 sums that the compiler turns into vectors.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint BLOCK = 32;                // values that share a scale\n"
    "constant constexpr uint SUMS = BLOCK / SIMD_WIDTH; // per lane and token\n"
    "\n"
    "struct block_q8_0 {\n"
    "    half scale;\n"
    "    char values[BLOCK];\n"
    "};\n"
    "\n"
    "// Value i of a block.\n"
    "static float value(device const block_q8_0 *block, uint i)\n"
    "{\n"
    "    return float(block->scale) * float(block->values[i]);\n"
    "}\n"
    "\n"
    "// sum[t] += block · x[t] for COUNT tokens, as far as this lane is concerned.\n"
    "template <uint COUNT>\n"
    "static void add_block(device const block_q8_0 *block, device const float *x, uint K, uint lane,\n"
    "                      uint lanes, thread float (*sum)[SUMS])\n"
    "{\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) {\n"
    "        float weight = value(block, i);\n"
    "        for (uint t = 0; t < COUNT; t++) sum[t][i / lanes % SUMS] += weight * x[ulong(t) * K + i];\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT>\n"
    "static void row_times_tokens(device const block_q8_0 *row, device const float *x, float bias,\n"
    "                             device float *out, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    float even[COUNT][SUMS], odd[COUNT][SUMS];\n"
    "    for (uint t = 0; t < COUNT; t++)\n"
    "        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;\n"
    "    for (uint block = 0; block < K / BLOCK; block += 2) {\n"
    "        add_block<COUNT>(row + block, x + block * BLOCK, K, lane, lanes, even);\n"
    "        if (block + 1 == K / BLOCK) break;\n"
    "        add_block<COUNT>(row + block + 1, x + (block + 1) * BLOCK, K, lane, lanes, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * N] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "kernel void linear_q8_0(\n"
    "    device const float *x [[buffer(0)]],           // [T,K]\n"
    "    device const block_q8_0 *weight [[buffer(1)]], // [N,K/32]\n"
    "    device const float *bias [[buffer(2)]],        // [N]\n"
    "    device float *out [[buffer(3)]],               // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of 32\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const block_q8_0 *row = weight + ulong(n) * (K / BLOCK);\n"
    "    device float *column = out + n;\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.\n"
    "kernel void dequantise_q8_0(\n"
    "    device const block_q8_0 *in [[buffer(0)]], // [N/32]\n"
    "    device float *out [[buffer(1)]],         // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *values = out + ulong(block) * BLOCK;\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) values[i] = value(in + block, i);\n"
    "}\n"
    "\n"
    "// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).\n"
    "kernel void embedding_forward_q8_0(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const block_q8_0 *token_table [[buffer(2)]], // [V,C/32]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of 32\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);\n"
    "    out[row * C + c] = embedding + position_table[position * C + c];\n"
    "}\n"},
    {"linear_tile.metal",
    "// linear_tile.metal — weights × vectors, ROWS rows at a time: a tile of the product per simdgroup\n"
    "//\n"
    "//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// linear.metal reads each weight once, but x once per row: for more than a few tokens x no longer fits the\n"
    "// nearest cache, and reading it takes longer than reading the weights. Here a simdgroup takes ROWS rows, so\n"
    "// that what it reads of x serves all of them. The rows are `apart` = ⌈N / ROWS⌉ from each other: a processor\n"
    "// reads ahead in each of ROWS places in memory, and so reads faster than from one. Grid `apart` simdgroups.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint ROWS = 4;\n"
    "\n"
    "// ROWS weight rows × COUNT tokens, both known to the compiler, so that the sums stay in registers.\n"
    "template <uint COUNT, typename Weight>\n"
    "static void tile(device const Weight *weight, device const float *x, device const float *bias,\n"
    "                 device float *out, uint first, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    uint apart = (N + ROWS - 1) / ROWS;\n"
    "    ulong row[ROWS]; // instead of one behind the last, which nobody writes, the last\n"
    "    float sum[ROWS][COUNT];\n"
    "    for (uint r = 0; r < ROWS; r++) {\n"
    "        row[r] = min(first + r * apart, N - 1);\n"
    "        for (uint t = 0; t < COUNT; t++) sum[r][t] = 0.0f;\n"
    "    }\n"
    "    for (uint k = lane; k < K; k += lanes)\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++)\n"
    "                sum[r][t] += float(weight[row[r] * K + k]) * x[ulong(t) * K + k];\n"
    "    for (uint r = 0; r < ROWS; r++)\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            float total = simd_sum(sum[r][t]);\n"
    "            if (lane == 0 && first + r * apart < N) out[ulong(t) * N + row[r]] = total + bias[row[r]];\n"
    "        }\n"
    "}\n"
    "\n"
    "// All T tokens, four at a time: the second four find the weights in the cache.\n"
    "template <typename Weight>\n"
    "static void tiles(device const Weight *weight, device const float *x, device const float *bias,\n"
    "                  device float *out, uint first, uint T, uint K, uint N, uint lane, uint lanes)\n"
    "{\n"
    "    uint t = 0;\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        tile<4>(weight, x + ulong(t) * K, bias, out + ulong(t) * N, first, K, N, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        tile<2>(weight, x + ulong(t) * K, bias, out + ulong(t) * N, first, K, N, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        tile<1>(weight, x + ulong(t) * K, bias, out + ulong(t) * N, first, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void linear_tile_f32(\n"
    "    device const float *x [[buffer(0)]],      // [T,K]\n"
    "    device const float *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],   // [N]\n"
    "    device float *out [[buffer(3)]],          // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint first = group * simdgroups + simdgroup;\n"
    "    if (first >= (N + ROWS - 1) / ROWS) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    tiles(weight, x, bias, out, first, T, K, N, lane, lanes);\n"
    "}\n"
    "\n"
    "kernel void linear_tile_f16(\n"
    "    device const float *x [[buffer(0)]],     // [T,K]\n"
    "    device const half *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],  // [N]\n"
    "    device float *out [[buffer(3)]],         // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint first = group * simdgroups + simdgroup;\n"
    "    if (first >= (N + ROWS - 1) / ROWS) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    tiles(weight, x, bias, out, first, T, K, N, lane, lanes);\n"
    "}\n"},
    {"quantise.metal",
    "// quantise.metal — round activations to 8 bits, for integer_linear.metal\n"
    "//\n"
    "//   scale = max |x| / 127,  value = round(x / scale)     for each 32 neighbours of a row\n"
    "//   offset = −8 · Σ value                                       for each 4 of them\n"
    "//\n"
    "// One simdgroup per block of 32. A block with a number that is not finite gets NaN as its scale, so that it\n"
    "// stays visible.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint BLOCK = 32;\n"
    "\n"
    "kernel void quantise_activations(\n"
    "    device const float *x [[buffer(0)]], // [N]\n"
    "    device char *values [[buffer(1)]],   // [N]\n"
    "    device int *offset [[buffer(2)]],    // [N/4]\n"
    "    device float *scale [[buffer(3)]],   // [N/32]\n"
    "    constant uint &N [[buffer(4)]],      // a multiple of 32\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / BLOCK) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    ulong first = ulong(block) * BLOCK;\n"
    "    float largest = 0.0f, zero = 0.0f; // 0 · ∞ is NaN\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) {\n"
    "        largest = max(largest, fabs(x[first + i]));\n"
    "        zero += 0.0f * x[first + i];\n"
    "    }\n"
    "    largest = simd_max(largest);\n"
    "    zero = simd_sum(zero);\n"
    "    bool is_usual = zero == 0.0f && largest > 1e-30f;\n"
    "    float inverse = is_usual ? 127.0f / largest : 0.0f;\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) values[first + i] = is_usual ? char(rint(x[first + i] * inverse)) : 0;\n"
    "    simdgroup_barrier(mem_flags::mem_device); // the other lanes' values\n"
    "    device const char *four = values + first;\n"
    "    for (uint i = lane; i < BLOCK / 4; i += lanes)\n"
    "        offset[first / 4 + i] = -8 * (four[4 * i] + four[4 * i + 1] + four[4 * i + 2] + four[4 * i + 3]);\n"
    "    if (lane == 0) scale[block] = largest / 127.0f + zero;\n"
    "}\n"},
    {"residual.metal",
    "// residual.metal — fused residual add + layernorm\n"
    "//\n"
    "//   res[n,c] = x[n,c] + (y[n,c] + y_bias[c])\n"
    "//   out[n,c] = (res[n,c] − mean) / sqrt(variance + epsilon) · weight[c] + bias[c]\n"
    "//\n"
    "// One threadgroup per row n. A transformer block adds its result to the stream and normalises the sum\n"
    "// for the next block: fused, the sum is written once and read from cache. y_bias is the bias of the matrix\n"
    "// product which made y. The statistics are those of layernorm.metal, in two passes, the second of which\n"
    "// corrects the mean. What comes out is of type Out: half where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// The sum of `value` over all threads of the threadgroup, returned to each of them.\n"
    "static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup,\n"
    "                             uint simdgroups)\n"
    "{\n"
    "    value = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the sum before ↔ this write\n"
    "    if (lane == 0) partial[simdgroup] = value;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    float sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += partial[i];\n"
    "    return sum;\n"
    "}\n"
    "\n"
    "template <typename Out>\n"
    "kernel void add_and_normalise(\n"
    "    device const float *x [[buffer(0)]],      // [N,C]\n"
    "    device const float *y [[buffer(1)]],      // [N,C]\n"
    "    device const float *y_bias [[buffer(2)]], // [C]\n"
    "    device const float *weight [[buffer(3)]], // [C]\n"
    "    device const float *bias [[buffer(4)]],   // [C]\n"
    "    device float *res [[buffer(5)]],          // [N,C]\n"
    "    device Out *out [[buffer(6)]],            // [N,C]\n"
    "    constant uint &C [[buffer(7)]],\n"
    "    constant float &epsilon [[buffer(8)]],\n"
    "    uint n [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32];\n"
    "    ulong start = ulong(n) * C;\n"
    "\n"
    "    // Each thread reads back only the elements of res that it wrote itself: no barrier is needed.\n"
    "    float sum = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) {\n"
    "        float value = x[start + c] + (y[start + c] + y_bias[c]);\n"
    "        res[start + c] = value;\n"
    "        sum += value;\n"
    "    }\n"
    "    float mean = threadgroup_sum(sum, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    float differences = 0.0f, squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) {\n"
    "        float difference = res[start + c] - mean;\n"
    "        differences += difference;\n"
    "        squares += difference * difference;\n"
    "    }\n"
    "    float error = threadgroup_sum(differences, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    mean += error;\n"
    "    float scale = 1.0f / sqrt(variance + epsilon);\n"
    "    for (uint c = thread_index; c < C; c += threads)\n"
    "        out[start + c] = Out((res[start + c] - mean) * scale * weight[c] + bias[c]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"residual_layernorm\")]] kernel decltype(add_and_normalise<float>) add_and_normalise<float>;\n"
    "template [[host_name(\"residual_layernorm_f16\")]] kernel decltype(add_and_normalise<half>) add_and_normalise<half>;\n"},
    {"sampling.metal",
    "// sampling.metal — draw a token: temperature, top-k, top-p, then one random number per row\n"
    "//\n"
    "//   p[v] = exp((logits[v] − max) / temperature)\n"
    "//   keep the top_k largest p, of these the largest that make up top_p of their sum\n"
    "//   id   = the first kept v whose running sum exceeds u · Σ p, u uniform in [0, 1)\n"
    "//\n"
    "// in that order, as Hugging Face's generate does; ties at a cut are all kept. One threadgroup per row of\n"
    "// logits[B,V]. No sort: a cut is the largest threshold for which enough is kept, found bit by bit, since\n"
    "// non-negative floats order like the integers of their bits. u is Philox4x32-10 (Salmon et al. 2011) of\n"
    "// (seed + row, position of the new token): one seed gives one text. A NaN or +∞ gives NO_TOKEN, which\n"
    "// the host reports.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;\n"
    "\n"
    "// The sum of `value` over all threads of the threadgroup, returned to each of them.\n"
    "static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup,\n"
    "                             uint simdgroups)\n"
    "{\n"
    "    value = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the sum before ↔ this write\n"
    "    if (lane == 0) partial[simdgroup] = value;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    float sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += partial[i];\n"
    "    return sum;\n"
    "}\n"
    "\n"
    "// The first of Philox's four words for this counter and key, as a float in [0, 1).\n"
    "static float uniform_random(ulong key, uint counter)\n"
    "{\n"
    "    uint x0 = counter, x1 = 0, x2 = 0, x3 = 0, k0 = uint(key), k1 = uint(key >> 32);\n"
    "    for (uint round = 0; round < 10; round++) {\n"
    "        uint high0 = mulhi(0xD2511F53u, x0), low0 = 0xD2511F53u * x0;\n"
    "        uint high1 = mulhi(0xCD9E8D57u, x2), low1 = 0xCD9E8D57u * x2;\n"
    "        x0 = high1 ^ x1 ^ k0;\n"
    "        x1 = low1;\n"
    "        x2 = high0 ^ x3 ^ k1;\n"
    "        x3 = low0;\n"
    "        k0 += 0x9E3779B9u;\n"
    "        k1 += 0xBB67AE85u;\n"
    "    }\n"
    "    return float(x0 >> 8) * 0x1p-24f;\n"
    "}\n"
    "\n"
    "kernel void top_k_top_p_sample(\n"
    "    device const float *logits [[buffer(0)]], // [B,V]\n"
    "    device const uint *lengths [[buffer(1)]], // [B] tokens in the KV cache before this pass\n"
    "    device const uint *counts [[buffer(2)]],  // [B] tokens of this pass\n"
    "    device float *p [[buffer(3)]],            // [B,V] scratch\n"
    "    device uint *ids [[buffer(4)]],           // [B]\n"
    "    constant uint &V [[buffer(5)]],\n"
    "    constant float &temperature [[buffer(6)]], // > 0\n"
    "    constant uint &top_k [[buffer(7)]],        // 1 … V\n"
    "    constant float &top_p [[buffer(8)]],       // 0 < top_p ≤ 1\n"
    "    constant ulong &seed [[buffer(9)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32];\n"
    "    threadgroup float maxima[32];\n"
    "    threadgroup float sums[1024]; // one per thread\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    device float *weight = p + ulong(b) * V;\n"
    "    uint share = (V + threads - 1) / threads; // each thread owns `share` neighbours\n"
    "    uint begin = min(V, thread_index * share), end = min(V, begin + share);\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    for (uint v = begin; v < end; v++) largest = max(largest, row[v]);\n"
    "    largest = simd_max(largest);\n"
    "    if (lane == 0) maxima[simdgroup] = largest;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima: the write above → the reads below\n"
    "    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);\n"
    "    for (uint v = begin; v < end; v++) weight[v] = exp((row[v] - largest) / temperature);\n"
    "\n"
    "    // From here on a thread reads only the weights that it wrote. The largest weight is 1: bit pattern\n"
    "    // 0x3F800000, so 30 bits reach every threshold.\n"
    "    uint cut = 0;\n"
    "    for (uint bit = top_k < V ? 1u << 29 : 0; bit; bit >>= 1) {\n"
    "        float count = 0.0f;\n"
    "        for (uint v = begin; v < end; v++) count += as_type<uint>(weight[v]) >= (cut | bit) ? 1.0f : 0.0f;\n"
    "        if (threadgroup_sum(count, partial, lane, simdgroup, simdgroups) >= float(top_k)) cut |= bit;\n"
    "    }\n"
    "    float sum = 0.0f;\n"
    "    for (uint v = begin; v < end; v++) sum += as_type<uint>(weight[v]) >= cut ? weight[v] : 0.0f;\n"
    "    float wanted = top_p * threadgroup_sum(sum, partial, lane, simdgroup, simdgroups);\n"
    "    uint kept = cut;\n"
    "    cut = 0;\n"
    "    for (uint bit = top_p < 1.0f ? 1u << 29 : 0; bit; bit >>= 1) {\n"
    "        float mass = 0.0f;\n"
    "        for (uint v = begin; v < end; v++)\n"
    "            mass += as_type<uint>(weight[v]) >= (cut | bit) ? weight[v] : 0.0f;\n"
    "        if (threadgroup_sum(mass, partial, lane, simdgroup, simdgroups) >= wanted) cut |= bit;\n"
    "    }\n"
    "    cut = max(kept, cut);\n"
    "\n"
    "    sum = 0.0f;\n"
    "    for (uint v = begin; v < end; v++) sum += as_type<uint>(weight[v]) >= cut ? weight[v] : 0.0f;\n"
    "    sums[thread_index] = sum;\n"
    "    // sums: the write above → the reads below. weight: all writes → the reads of thread 0.\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);\n"
    "    if (thread_index != 0) return;\n"
    "\n"
    "    float total = 0.0f;\n"
    "    for (uint i = 0; i < threads; i++) total += sums[i];\n"
    "    float target = uniform_random(seed + b, lengths[b] + counts[b]) * total;\n"
    "    // Rounding may leave a rest of the target at the end: then the last one with a weight stands.\n"
    "    uint chosen = 0;\n"
    "    float rest = target; // within the chosen thread's share\n"
    "    for (uint i = 0; i < threads; i++) {\n"
    "        if (!(sums[i] > 0.0f)) continue;\n"
    "        chosen = i;\n"
    "        rest = target;\n"
    "        if (target < sums[i]) break;\n"
    "        target -= sums[i];\n"
    "    }\n"
    "    uint id = NO_TOKEN;\n"
    "    for (uint v = chosen * share; v < min(V, (chosen + 1) * share); v++) {\n"
    "        if (as_type<uint>(weight[v]) < cut || !(weight[v] > 0.0f)) continue;\n"
    "        id = v;\n"
    "        rest -= weight[v];\n"
    "        if (rest < 0.0f) break;\n"
    "    }\n"
    "    ids[b] = isnan(total) ? NO_TOKEN : id;\n"
    "}\n"},
    {"step.metal",
    "// step.metal — what moves from one pass to the next, kept on the device so that the host need not look\n"
    "//\n"
    "// Row b of the batch has lengths[b] tokens in the KV cache and brings counts[b] new ones in this pass:\n"
    "// a prompt, one token while decoding, or none when it is full or unused.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// Only the last new token of each row predicts: out[b,c] = x[b, counts[b] − 1, c]. Grid (C, B).\n"
    "kernel void last_token_rows(\n"
    "    device const float *x [[buffer(0)]],     // [B,T,C]\n"
    "    device const uint *counts [[buffer(1)]], // [B]\n"
    "    device float *out [[buffer(2)]],         // [B,C]\n"
    "    constant uint &B [[buffer(3)]],\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &C [[buffer(5)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, b = id.y;\n"
    "    if (c >= C || b >= B) return;\n"
    "    ulong last = max(counts[b], 1u) - 1;\n"
    "    out[ulong(b) * C + c] = x[(ulong(b) * T + last) * C + c];\n"
    "}\n"
    "\n"
    "// After sampling: the new tokens are in the cache now, and the sampled one comes next. It is also\n"
    "// written to history[b, lengths[b]], where the host collects it. One thread per row, grid B.\n"
    "kernel void advance_step(\n"
    "    device const uint *ids [[buffer(0)]], // [B] sampled\n"
    "    device uint *lengths [[buffer(1)]],   // [B]\n"
    "    device uint *counts [[buffer(2)]],    // [B]\n"
    "    device uint *history [[buffer(3)]],   // [B, capacity + 1]\n"
    "    constant uint &B [[buffer(4)]],\n"
    "    constant uint &capacity [[buffer(5)]],\n"
    "    uint b [[thread_position_in_grid]])\n"
    "{\n"
    "    if (b >= B || counts[b] == 0) return;\n"
    "    uint length = lengths[b] + counts[b];\n"
    "    lengths[b] = length;\n"
    "    counts[b] = length < capacity ? 1 : 0;\n"
    "    history[ulong(b) * (capacity + 1) + length] = ids[b];\n"
    "}\n"},
};
const size_t kernel_source_count = 28;
