#include "device/kernel.h"

static const KernelParameter gelu_forward_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { gelu_forward_count = 3 };

static const KernelParameter argmax_sample_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"ids", "uint", PARAMETER_WRITE, 2, 4},
    {"V", "uint", PARAMETER_CONSTANT, 3, 4},
};
enum { argmax_sample_count = 4 };

static const KernelParameter attention_scores_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"att", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
};
enum { attention_scores_f32_count = 13 };

static const KernelParameter attention_scores_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"att", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
};
enum { attention_scores_f16_count = 13 };

static const KernelParameter attention_mix_f32_parameters[] = {
    {"att", "float", PARAMETER_READ, 0, 4},
    {"values", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
};
enum { attention_mix_f32_count = 12 };

static const KernelParameter attention_mix_f16_parameters[] = {
    {"att", "float", PARAMETER_READ, 0, 4},
    {"values", "KV", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"S", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
};
enum { attention_mix_f16_count = 12 };

static const KernelParameter cross_entropy_forward_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"targets", "uint", PARAMETER_READ, 1, 4},
    {"nats", "float", PARAMETER_WRITE, 2, 4},
    {"V", "uint", PARAMETER_CONSTANT, 3, 4},
};
enum { cross_entropy_forward_count = 4 };

static const KernelParameter dequantise_iq4_nl_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_iq4_nl_count = 3 };

static const KernelParameter dequantise_q2_K_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q2_K_count = 3 };

static const KernelParameter dequantise_q3_K_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q3_K_count = 3 };

static const KernelParameter dequantise_q4_0_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q4_0_count = 3 };

static const KernelParameter dequantise_q4_1_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q4_1_count = 3 };

static const KernelParameter dequantise_q4_K_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q4_K_count = 3 };

static const KernelParameter dequantise_q5_0_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q5_0_count = 3 };

static const KernelParameter dequantise_q5_1_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q5_1_count = 3 };

static const KernelParameter dequantise_q5_K_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q5_K_count = 3 };

static const KernelParameter dequantise_q6_K_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q6_K_count = 3 };

static const KernelParameter dequantise_q8_0_parameters[] = {
    {"in", "Block", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_q8_0_count = 3 };

static const KernelParameter dequantise_f16_parameters[] = {
    {"in", "Weight", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_f16_count = 3 };

static const KernelParameter dequantise_bf16_parameters[] = {
    {"in", "Weight", PARAMETER_READ, 0, 0},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { dequantise_bf16_count = 3 };

static const KernelParameter convert_f16_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "half", PARAMETER_WRITE, 1, 2},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { convert_f16_count = 3 };

static const KernelParameter embedding_forward_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_count = 10 };

static const KernelParameter embedding_forward_f16_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_f16_count = 10 };

static const KernelParameter embedding_forward_bf16_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_bf16_count = 10 };

static const KernelParameter embedding_forward_iq4_nl_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_iq4_nl_count = 10 };

static const KernelParameter embedding_forward_q2_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q2_K_count = 10 };

static const KernelParameter embedding_forward_q3_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q3_K_count = 10 };

static const KernelParameter embedding_forward_q4_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q4_0_count = 10 };

static const KernelParameter embedding_forward_q4_1_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q4_1_count = 10 };

static const KernelParameter embedding_forward_q4_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q4_K_count = 10 };

static const KernelParameter embedding_forward_q5_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q5_0_count = 10 };

static const KernelParameter embedding_forward_q5_1_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q5_1_count = 10 };

static const KernelParameter embedding_forward_q5_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q5_K_count = 10 };

static const KernelParameter embedding_forward_q6_K_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q6_K_count = 10 };

static const KernelParameter embedding_forward_q8_0_parameters[] = {
    {"ids", "uint", PARAMETER_READ, 0, 4},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"token_table", "Weight", PARAMETER_READ, 2, 0},
    {"position_table", "float", PARAMETER_READ, 3, 4},
    {"out", "float", PARAMETER_WRITE, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
    {"context", "uint", PARAMETER_CONSTANT, 8, 4},
    {"scale", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { embedding_forward_q8_0_count = 10 };

static const KernelParameter flash_attention_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_f32_count = 12 };

static const KernelParameter flash_attention_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_f16_count = 12 };

static const KernelParameter silu_gated_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"gate_bias", "float", PARAMETER_READ, 1, 4},
    {"up_bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"I", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { silu_gated_count = 6 };

static const KernelParameter silu_gated_f16_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"gate_bias", "float", PARAMETER_READ, 1, 4},
    {"up_bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"I", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { silu_gated_f16_count = 6 };

static const KernelParameter gelu_gated_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"gate_bias", "float", PARAMETER_READ, 1, 4},
    {"up_bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"I", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { gelu_gated_count = 6 };

static const KernelParameter gelu_gated_f16_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"gate_bias", "float", PARAMETER_READ, 1, 4},
    {"up_bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"I", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { gelu_gated_f16_count = 6 };

static const KernelParameter head_norm_parameters[] = {
    {"qkv", "float", PARAMETER_WRITE, 0, 4},
    {"q_weight", "float", PARAMETER_READ, 1, 4},
    {"k_weight", "float", PARAMETER_READ, 2, 4},
    {"rows", "uint", PARAMETER_CONSTANT, 3, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 4, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 5, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 6, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { head_norm_count = 8 };

static const KernelParameter split_heads_f32_parameters[] = {
    {"qkv", "float", PARAMETER_READ, 0, 4},
    {"q_bias", "float", PARAMETER_READ, 1, 4},
    {"k_bias", "float", PARAMETER_READ, 2, 4},
    {"v_bias", "float", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"q", "float", PARAMETER_WRITE, 6, 4},
    {"keys", "KV", PARAMETER_WRITE, 7, 0},
    {"values", "KV", PARAMETER_WRITE, 8, 0},
    {"pages", "uint", PARAMETER_READ, 9, 4},
    {"T", "uint", PARAMETER_CONSTANT, 10, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 11, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 12, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 13, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 14, 4},
};
enum { split_heads_f32_count = 15 };

static const KernelParameter split_heads_f16_parameters[] = {
    {"qkv", "float", PARAMETER_READ, 0, 4},
    {"q_bias", "float", PARAMETER_READ, 1, 4},
    {"k_bias", "float", PARAMETER_READ, 2, 4},
    {"v_bias", "float", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"q", "float", PARAMETER_WRITE, 6, 4},
    {"keys", "KV", PARAMETER_WRITE, 7, 0},
    {"values", "KV", PARAMETER_WRITE, 8, 0},
    {"pages", "uint", PARAMETER_READ, 9, 4},
    {"T", "uint", PARAMETER_CONSTANT, 10, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 11, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 12, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 13, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 14, 4},
};
enum { split_heads_f16_count = 15 };

static const KernelParameter merge_heads_parameters[] = {
    {"in", "float", PARAMETER_READ, 0, 4},
    {"out", "float", PARAMETER_WRITE, 1, 4},
    {"T", "uint", PARAMETER_CONSTANT, 2, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 3, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { merge_heads_count = 5 };

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
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_f32_count = 8 };

static const KernelParameter linear_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_f16_count = 8 };

static const KernelParameter linear_bf16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_bf16_count = 8 };

static const KernelParameter linear_iq4_nl_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_iq4_nl_count = 8 };

static const KernelParameter linear_q2_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q2_K_count = 8 };

static const KernelParameter linear_q3_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q3_K_count = 8 };

static const KernelParameter linear_q4_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q4_0_count = 8 };

static const KernelParameter linear_q4_1_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q4_1_count = 8 };

static const KernelParameter linear_q4_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q4_K_count = 8 };

static const KernelParameter linear_q5_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q5_0_count = 8 };

static const KernelParameter linear_q5_1_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q5_1_count = 8 };

static const KernelParameter linear_q5_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q5_K_count = 8 };

static const KernelParameter linear_q6_K_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q6_K_count = 8 };

static const KernelParameter linear_q8_0_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Block", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_q8_0_count = 8 };

static const KernelParameter add_logit_bias_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"B", "uint", PARAMETER_CONSTANT, 4, 4},
    {"V", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { add_logit_bias_count = 6 };

static const KernelParameter top_logprobs_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"ids", "uint", PARAMETER_READ, 4, 4},
    {"tokens", "uint", PARAMETER_WRITE, 5, 4},
    {"logprobs", "float", PARAMETER_WRITE, 6, 4},
    {"V", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { top_logprobs_count = 8 };

static const KernelParameter gather_pages_f32_parameters[] = {
    {"cache", "KV", PARAMETER_READ, 0, 0},
    {"pages", "uint", PARAMETER_READ, 1, 4},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "KV", PARAMETER_WRITE, 4, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 5, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"window", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { gather_pages_f32_count = 9 };

static const KernelParameter gather_pages_f16_parameters[] = {
    {"cache", "KV", PARAMETER_READ, 0, 0},
    {"pages", "uint", PARAMETER_READ, 1, 4},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"out", "KV", PARAMETER_WRITE, 4, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 5, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
    {"window", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { gather_pages_f16_count = 9 };

static const KernelParameter copy_pages_parameters[] = {
    {"in", "uint", PARAMETER_READ, 0, 4},
    {"out", "uint", PARAMETER_WRITE, 1, 4},
    {"N", "uint", PARAMETER_CONSTANT, 2, 4},
};
enum { copy_pages_count = 3 };

static const KernelParameter copy_page_parameters[] = {
    {"cache", "uint", PARAMETER_WRITE, 0, 4},
    {"shared", "uint", PARAMETER_CONSTANT, 1, 4},
    {"own", "uint", PARAMETER_CONSTANT, 2, 4},
    {"N", "uint", PARAMETER_CONSTANT, 3, 4},
};
enum { copy_page_count = 4 };

static const KernelParameter penalise_repeats_parameters[] = {
    {"history", "uint", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"logits", "float", PARAMETER_WRITE, 4, 4},
    {"B", "uint", PARAMETER_CONSTANT, 5, 4},
    {"V", "uint", PARAMETER_CONSTANT, 6, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { penalise_repeats_count = 8 };

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

static const KernelParameter rmsnorm_forward_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"out", "Out", PARAMETER_WRITE, 2, 0},
    {"C", "uint", PARAMETER_CONSTANT, 3, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 4, 4},
};
enum { rmsnorm_forward_count = 5 };

static const KernelParameter rmsnorm_forward_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "float", PARAMETER_READ, 1, 4},
    {"out", "Out", PARAMETER_WRITE, 2, 0},
    {"C", "uint", PARAMETER_CONSTANT, 3, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 4, 4},
};
enum { rmsnorm_forward_f16_count = 5 };

static const KernelParameter residual_rmsnorm_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"y_bias", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"res", "float", PARAMETER_WRITE, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { residual_rmsnorm_count = 8 };

static const KernelParameter residual_rmsnorm_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"y_bias", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"res", "float", PARAMETER_WRITE, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { residual_rmsnorm_f16_count = 8 };

static const KernelParameter rope_adjacent_parameters[] = {
    {"qkv", "float", PARAMETER_WRITE, 0, 4},
    {"q_bias", "float", PARAMETER_READ, 1, 4},
    {"k_bias", "float", PARAMETER_READ, 2, 4},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"frequencies", "float", PARAMETER_READ, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 9, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { rope_adjacent_count = 11 };

static const KernelParameter rope_halves_parameters[] = {
    {"qkv", "float", PARAMETER_WRITE, 0, 4},
    {"q_bias", "float", PARAMETER_READ, 1, 4},
    {"k_bias", "float", PARAMETER_READ, 2, 4},
    {"lengths", "uint", PARAMETER_READ, 3, 4},
    {"frequencies", "float", PARAMETER_READ, 4, 4},
    {"T", "uint", PARAMETER_CONSTANT, 5, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 6, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"hs", "uint", PARAMETER_CONSTANT, 8, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 9, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { rope_halves_count = 11 };

static const KernelParameter top_k_top_p_sample_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"lengths", "uint", PARAMETER_READ, 2, 4},
    {"counts", "uint", PARAMETER_READ, 3, 4},
    {"scratch", "float", PARAMETER_WRITE, 4, 4},
    {"ids", "uint", PARAMETER_WRITE, 5, 4},
    {"V", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { top_k_top_p_sample_count = 7 };

static const KernelParameter sandwich_rmsnorm_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"after", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"res", "float", PARAMETER_WRITE, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { sandwich_rmsnorm_count = 8 };

static const KernelParameter sandwich_rmsnorm_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"y", "float", PARAMETER_READ, 1, 4},
    {"after", "float", PARAMETER_READ, 2, 4},
    {"weight", "float", PARAMETER_READ, 3, 4},
    {"res", "float", PARAMETER_WRITE, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"C", "uint", PARAMETER_CONSTANT, 6, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 7, 4},
};
enum { sandwich_rmsnorm_f16_count = 8 };

static const KernelParameter softmax_inplace_parameters[] = {
    {"att", "float", PARAMETER_WRITE, 0, 4},
    {"S", "uint", PARAMETER_CONSTANT, 1, 4},
};
enum { softmax_inplace_count = 2 };

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
    {"drawn", "uint", PARAMETER_WRITE, 4, 4},
    {"B", "uint", PARAMETER_CONSTANT, 5, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { advance_step_count = 7 };

static const KernelParameter mask_tokens_parameters[] = {
    {"sampling", "RowSampling", PARAMETER_READ, 0, 0},
    {"allowed", "uint", PARAMETER_READ, 1, 4},
    {"logits", "float", PARAMETER_WRITE, 2, 4},
    {"B", "uint", PARAMETER_CONSTANT, 3, 4},
    {"V", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { mask_tokens_count = 5 };

static const KernelParameter keep_typical_parameters[] = {
    {"logits", "float", PARAMETER_WRITE, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"scratch", "float", PARAMETER_WRITE, 2, 4},
    {"V", "uint", PARAMETER_CONSTANT, 3, 4},
};
enum { keep_typical_count = 4 };

static const KernelParameter block_planes_parameters[] = {
    {"in", "char2", PARAMETER_READ, 0, 0},
    {"out", "char2", PARAMETER_WRITE, 1, 0},
    {"count", "uint", PARAMETER_CONSTANT, 2, 4},
    {"size", "uint", PARAMETER_CONSTANT, 3, 4},
    {"scale", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { block_planes_count = 5 };

static const KernelParameter flash_attention_prompt_hs64_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs64_f32_count = 12 };

static const KernelParameter flash_attention_prompt_hs64_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs64_f16_count = 12 };

static const KernelParameter flash_attention_prompt_hs128_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs128_f32_count = 12 };

static const KernelParameter flash_attention_prompt_hs128_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs128_f16_count = 12 };

static const KernelParameter flash_attention_prompt_hs256_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs256_f32_count = 12 };

static const KernelParameter flash_attention_prompt_hs256_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_prompt_hs256_f16_count = 12 };

static const KernelParameter flash_attention_hs64_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs64_f32_count = 12 };

static const KernelParameter flash_attention_hs64_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs64_f16_count = 12 };

static const KernelParameter flash_attention_hs128_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs128_f32_count = 12 };

static const KernelParameter flash_attention_hs128_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs128_f16_count = 12 };

static const KernelParameter flash_attention_hs256_f32_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs256_f32_count = 12 };

static const KernelParameter flash_attention_hs256_f16_parameters[] = {
    {"q", "float", PARAMETER_READ, 0, 4},
    {"keys", "KV", PARAMETER_READ, 1, 0},
    {"values", "KV", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_hs256_f16_count = 12 };

static const KernelParameter flash_attention_tiles_hs64_halves_f32_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs64_halves_f32_count = 12 };

static const KernelParameter flash_attention_tiles_hs64_halves_f16_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs64_halves_f16_count = 12 };

static const KernelParameter flash_attention_tiles_hs128_halves_f32_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs128_halves_f32_count = 12 };

static const KernelParameter flash_attention_tiles_hs128_halves_f16_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs128_halves_f16_count = 12 };

static const KernelParameter flash_attention_tiles_hs256_halves_f32_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs256_halves_f32_count = 12 };

static const KernelParameter flash_attention_tiles_hs256_halves_f16_parameters[] = {
    {"q", "float4", PARAMETER_READ, 0, 0},
    {"keys", "KV4", PARAMETER_READ, 1, 0},
    {"values", "KV4", PARAMETER_READ, 2, 0},
    {"pages", "uint", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"out", "half2", PARAMETER_WRITE, 6, 0},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 9, 4},
    {"window", "uint", PARAMETER_CONSTANT, 10, 4},
    {"scale", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { flash_attention_tiles_hs256_halves_f16_count = 12 };

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
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs64_f32_count = 11 };

static const KernelParameter decode_attention_hs64_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs64_f16_count = 11 };

static const KernelParameter decode_attention_hs64_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs64_halves_f32_count = 11 };

static const KernelParameter decode_attention_hs64_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs64_halves_f16_count = 11 };

static const KernelParameter decode_attention_hs128_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs128_f32_count = 11 };

static const KernelParameter decode_attention_hs128_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs128_f16_count = 11 };

static const KernelParameter decode_attention_hs128_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs128_halves_f32_count = 11 };

static const KernelParameter decode_attention_hs128_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs128_halves_f16_count = 11 };

static const KernelParameter decode_attention_hs256_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs256_f32_count = 11 };

static const KernelParameter decode_attention_hs256_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs256_f16_count = 11 };

static const KernelParameter decode_attention_hs256_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs256_halves_f32_count = 11 };

static const KernelParameter decode_attention_hs256_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { decode_attention_hs256_halves_f16_count = 11 };

static const KernelParameter integer_read_q4_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight_a", "uint4", PARAMETER_READ, 3, 0},
    {"weight_b", "uint4", PARAMETER_READ, 4, 0},
    {"weight_c", "uint4", PARAMETER_READ, 5, 0},
    {"bias_a", "float", PARAMETER_READ, 6, 4},
    {"bias_b", "float", PARAMETER_READ, 7, 4},
    {"bias_c", "float", PARAMETER_READ, 8, 4},
    {"out", "float", PARAMETER_WRITE, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"centred", "uint", PARAMETER_CONSTANT, 14, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 15, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 16, 4},
};
enum { integer_read_q4_K_count = 17 };

static const KernelParameter integer_read_q5_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight_a", "uint4", PARAMETER_READ, 3, 0},
    {"weight_b", "uint4", PARAMETER_READ, 4, 0},
    {"weight_c", "uint4", PARAMETER_READ, 5, 0},
    {"bias_a", "float", PARAMETER_READ, 6, 4},
    {"bias_b", "float", PARAMETER_READ, 7, 4},
    {"bias_c", "float", PARAMETER_READ, 8, 4},
    {"out", "float", PARAMETER_WRITE, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"centred", "uint", PARAMETER_CONSTANT, 14, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 15, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 16, 4},
};
enum { integer_read_q5_K_count = 17 };

static const KernelParameter integer_read_q6_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight_a", "uint4", PARAMETER_READ, 3, 0},
    {"weight_b", "uint4", PARAMETER_READ, 4, 0},
    {"weight_c", "uint4", PARAMETER_READ, 5, 0},
    {"bias_a", "float", PARAMETER_READ, 6, 4},
    {"bias_b", "float", PARAMETER_READ, 7, 4},
    {"bias_c", "float", PARAMETER_READ, 8, 4},
    {"out", "float", PARAMETER_WRITE, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"centred", "uint", PARAMETER_CONSTANT, 14, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 15, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 16, 4},
};
enum { integer_read_q6_K_count = 17 };

static const KernelParameter integer_read_q8_0_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight_a", "uint4", PARAMETER_READ, 3, 0},
    {"weight_b", "uint4", PARAMETER_READ, 4, 0},
    {"weight_c", "uint4", PARAMETER_READ, 5, 0},
    {"bias_a", "float", PARAMETER_READ, 6, 4},
    {"bias_b", "float", PARAMETER_READ, 7, 4},
    {"bias_c", "float", PARAMETER_READ, 8, 4},
    {"out", "float", PARAMETER_WRITE, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"centred", "uint", PARAMETER_CONSTANT, 14, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 15, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 16, 4},
};
enum { integer_read_q8_0_count = 17 };

static const KernelParameter integer_gated_q4_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "uint4", PARAMETER_READ, 2, 0},
    {"up", "uint4", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_gated_q4_K_count = 11 };

static const KernelParameter integer_gated_q5_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "uint4", PARAMETER_READ, 2, 0},
    {"up", "uint4", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_gated_q5_K_count = 11 };

static const KernelParameter integer_gated_q6_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "uint4", PARAMETER_READ, 2, 0},
    {"up", "uint4", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_gated_q6_K_count = 11 };

static const KernelParameter integer_gated_q8_0_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "uint4", PARAMETER_READ, 2, 0},
    {"up", "uint4", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_gated_q8_0_count = 11 };

static const KernelParameter integer_write_q4_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "uint4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"K", "uint", PARAMETER_CONSTANT, 4, 4},
    {"N", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { integer_write_q4_K_count = 6 };

static const KernelParameter integer_write_q5_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "uint4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"K", "uint", PARAMETER_CONSTANT, 4, 4},
    {"N", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { integer_write_q5_K_count = 6 };

static const KernelParameter integer_write_q6_K_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "uint4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"K", "uint", PARAMETER_CONSTANT, 4, 4},
    {"N", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { integer_write_q6_K_count = 6 };

static const KernelParameter integer_write_q8_0_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "uint4", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"K", "uint", PARAMETER_CONSTANT, 4, 4},
    {"N", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { integer_write_q8_0_count = 6 };

static const KernelParameter linear_batch_8_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_8_count = 7 };

static const KernelParameter linear_batch_16_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_16_count = 7 };

static const KernelParameter linear_batch_32_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_32_count = 7 };

static const KernelParameter linear_batch_gelu_8_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_gelu_8_count = 7 };

static const KernelParameter linear_batch_gelu_16_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_gelu_16_count = 7 };

static const KernelParameter linear_batch_gelu_32_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_gelu_32_count = 7 };

static const KernelParameter linear_batch_residual_8_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_residual_8_count = 7 };

static const KernelParameter linear_batch_residual_16_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight", "half", PARAMETER_READ, 1, 2},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "Out", PARAMETER_WRITE, 3, 0},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_batch_residual_16_count = 7 };

static const KernelParameter linear_batch_parts_8_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight_a", "half", PARAMETER_READ, 1, 2},
    {"weight_b", "half", PARAMETER_READ, 2, 2},
    {"weight_c", "half", PARAMETER_READ, 3, 2},
    {"bias_a", "float", PARAMETER_READ, 4, 4},
    {"bias_b", "float", PARAMETER_READ, 5, 4},
    {"bias_c", "float", PARAMETER_READ, 6, 4},
    {"out", "float", PARAMETER_WRITE, 7, 4},
    {"T", "uint", PARAMETER_CONSTANT, 8, 4},
    {"K", "uint", PARAMETER_CONSTANT, 9, 4},
    {"A", "uint", PARAMETER_CONSTANT, 10, 4},
    {"B", "uint", PARAMETER_CONSTANT, 11, 4},
    {"C", "uint", PARAMETER_CONSTANT, 12, 4},
};
enum { linear_batch_parts_8_count = 13 };

static const KernelParameter linear_batch_parts_16_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight_a", "half", PARAMETER_READ, 1, 2},
    {"weight_b", "half", PARAMETER_READ, 2, 2},
    {"weight_c", "half", PARAMETER_READ, 3, 2},
    {"bias_a", "float", PARAMETER_READ, 4, 4},
    {"bias_b", "float", PARAMETER_READ, 5, 4},
    {"bias_c", "float", PARAMETER_READ, 6, 4},
    {"out", "float", PARAMETER_WRITE, 7, 4},
    {"T", "uint", PARAMETER_CONSTANT, 8, 4},
    {"K", "uint", PARAMETER_CONSTANT, 9, 4},
    {"A", "uint", PARAMETER_CONSTANT, 10, 4},
    {"B", "uint", PARAMETER_CONSTANT, 11, 4},
    {"C", "uint", PARAMETER_CONSTANT, 12, 4},
};
enum { linear_batch_parts_16_count = 13 };

static const KernelParameter linear_batch_parts_32_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"weight_a", "half", PARAMETER_READ, 1, 2},
    {"weight_b", "half", PARAMETER_READ, 2, 2},
    {"weight_c", "half", PARAMETER_READ, 3, 2},
    {"bias_a", "float", PARAMETER_READ, 4, 4},
    {"bias_b", "float", PARAMETER_READ, 5, 4},
    {"bias_c", "float", PARAMETER_READ, 6, 4},
    {"out", "float", PARAMETER_WRITE, 7, 4},
    {"T", "uint", PARAMETER_CONSTANT, 8, 4},
    {"K", "uint", PARAMETER_CONSTANT, 9, 4},
    {"A", "uint", PARAMETER_CONSTANT, 10, 4},
    {"B", "uint", PARAMETER_CONSTANT, 11, 4},
    {"C", "uint", PARAMETER_CONSTANT, 12, 4},
};
enum { linear_batch_parts_32_count = 13 };

static const KernelParameter linear_batch_gated_8_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"gate", "half", PARAMETER_READ, 1, 2},
    {"up", "half", PARAMETER_READ, 2, 2},
    {"gate_bias", "float", PARAMETER_READ, 3, 4},
    {"up_bias", "float", PARAMETER_READ, 4, 4},
    {"out", "half", PARAMETER_WRITE, 5, 2},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { linear_batch_gated_8_count = 10 };

static const KernelParameter linear_batch_gated_16_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"gate", "half", PARAMETER_READ, 1, 2},
    {"up", "half", PARAMETER_READ, 2, 2},
    {"gate_bias", "float", PARAMETER_READ, 3, 4},
    {"up_bias", "float", PARAMETER_READ, 4, 4},
    {"out", "half", PARAMETER_WRITE, 5, 2},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { linear_batch_gated_16_count = 10 };

static const KernelParameter linear_batch_gated_32_parameters[] = {
    {"x", "half", PARAMETER_READ, 0, 2},
    {"gate", "half", PARAMETER_READ, 1, 2},
    {"up", "half", PARAMETER_READ, 2, 2},
    {"gate_bias", "float", PARAMETER_READ, 3, 4},
    {"up_bias", "float", PARAMETER_READ, 4, 4},
    {"out", "half", PARAMETER_WRITE, 5, 2},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { linear_batch_gated_32_count = 10 };

static const KernelParameter linear_residual_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "Vector", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_f32_count = 7 };

static const KernelParameter linear_residual_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "Vector", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_f16_count = 7 };

static const KernelParameter linear_residual_eights_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "Vector", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_eights_f16_count = 7 };

static const KernelParameter linear_residual_pair_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"weight", "Vector", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"stream", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
};
enum { linear_residual_pair_f32_count = 7 };

static const KernelParameter norm_linear_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "Vector", PARAMETER_READ, 3, 0},
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
    {"weight", "Vector", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_f16_count = 11 };

static const KernelParameter norm_linear_wide_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "Vector", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_wide_f32_count = 11 };

static const KernelParameter norm_linear_wide_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "Vector", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_wide_f16_count = 11 };

static const KernelParameter norm_linear_pair_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "Vector", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_pair_f32_count = 11 };

static const KernelParameter norm_linear_pair_wide_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "Vector", PARAMETER_READ, 3, 0},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 9, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 10, 4},
};
enum { norm_linear_pair_wide_f32_count = 11 };

static const KernelParameter norm_linear_batch_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "half", PARAMETER_READ, 3, 2},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { norm_linear_batch_count = 10 };

static const KernelParameter norm_linear_batch_gelu_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"norm_bias", "float4", PARAMETER_READ, 2, 0},
    {"weight", "half", PARAMETER_READ, 3, 2},
    {"bias", "float", PARAMETER_READ, 4, 4},
    {"out", "Out", PARAMETER_WRITE, 5, 0},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 9, 4},
};
enum { norm_linear_batch_gelu_count = 10 };

static const KernelParameter rmsnorm_linear_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"weight_a", "Vector", PARAMETER_READ, 2, 0},
    {"weight_b", "Vector", PARAMETER_READ, 3, 0},
    {"weight_c", "Vector", PARAMETER_READ, 4, 0},
    {"bias_a", "float", PARAMETER_READ, 5, 4},
    {"bias_b", "float", PARAMETER_READ, 6, 4},
    {"bias_c", "float", PARAMETER_READ, 7, 4},
    {"out", "float", PARAMETER_WRITE, 8, 4},
    {"T", "uint", PARAMETER_CONSTANT, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 14, 4},
};
enum { rmsnorm_linear_f32_count = 15 };

static const KernelParameter rmsnorm_linear_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"weight_a", "Vector", PARAMETER_READ, 2, 0},
    {"weight_b", "Vector", PARAMETER_READ, 3, 0},
    {"weight_c", "Vector", PARAMETER_READ, 4, 0},
    {"bias_a", "float", PARAMETER_READ, 5, 4},
    {"bias_b", "float", PARAMETER_READ, 6, 4},
    {"bias_c", "float", PARAMETER_READ, 7, 4},
    {"out", "float", PARAMETER_WRITE, 8, 4},
    {"T", "uint", PARAMETER_CONSTANT, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 14, 4},
};
enum { rmsnorm_linear_f16_count = 15 };

static const KernelParameter rmsnorm_linear_narrow_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"weight_a", "Vector", PARAMETER_READ, 2, 0},
    {"weight_b", "Vector", PARAMETER_READ, 3, 0},
    {"weight_c", "Vector", PARAMETER_READ, 4, 0},
    {"bias_a", "float", PARAMETER_READ, 5, 4},
    {"bias_b", "float", PARAMETER_READ, 6, 4},
    {"bias_c", "float", PARAMETER_READ, 7, 4},
    {"out", "float", PARAMETER_WRITE, 8, 4},
    {"T", "uint", PARAMETER_CONSTANT, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 14, 4},
};
enum { rmsnorm_linear_narrow_f16_count = 15 };

static const KernelParameter rmsnorm_linear_fours_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"weight_a", "Vector", PARAMETER_READ, 2, 0},
    {"weight_b", "Vector", PARAMETER_READ, 3, 0},
    {"weight_c", "Vector", PARAMETER_READ, 4, 0},
    {"bias_a", "float", PARAMETER_READ, 5, 4},
    {"bias_b", "float", PARAMETER_READ, 6, 4},
    {"bias_c", "float", PARAMETER_READ, 7, 4},
    {"out", "float", PARAMETER_WRITE, 8, 4},
    {"T", "uint", PARAMETER_CONSTANT, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 14, 4},
};
enum { rmsnorm_linear_fours_f32_count = 15 };

static const KernelParameter rmsnorm_linear_fours_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"weight_a", "Vector", PARAMETER_READ, 2, 0},
    {"weight_b", "Vector", PARAMETER_READ, 3, 0},
    {"weight_c", "Vector", PARAMETER_READ, 4, 0},
    {"bias_a", "float", PARAMETER_READ, 5, 4},
    {"bias_b", "float", PARAMETER_READ, 6, 4},
    {"bias_c", "float", PARAMETER_READ, 7, 4},
    {"out", "float", PARAMETER_WRITE, 8, 4},
    {"T", "uint", PARAMETER_CONSTANT, 9, 4},
    {"K", "uint", PARAMETER_CONSTANT, 10, 4},
    {"A", "uint", PARAMETER_CONSTANT, 11, 4},
    {"B", "uint", PARAMETER_CONSTANT, 12, 4},
    {"C", "uint", PARAMETER_CONSTANT, 13, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 14, 4},
};
enum { rmsnorm_linear_fours_f16_count = 15 };

static const KernelParameter rmsnorm_gated_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "Vector", PARAMETER_READ, 2, 0},
    {"up", "Vector", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 10, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { rmsnorm_gated_f32_count = 12 };

static const KernelParameter rmsnorm_gated_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "Vector", PARAMETER_READ, 2, 0},
    {"up", "Vector", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 10, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { rmsnorm_gated_f16_count = 12 };

static const KernelParameter rmsnorm_gated_narrow_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "Vector", PARAMETER_READ, 2, 0},
    {"up", "Vector", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 10, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { rmsnorm_gated_narrow_f16_count = 12 };

static const KernelParameter rmsnorm_gated_fours_f32_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "Vector", PARAMETER_READ, 2, 0},
    {"up", "Vector", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 10, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { rmsnorm_gated_fours_f32_count = 12 };

static const KernelParameter rmsnorm_gated_fours_f16_parameters[] = {
    {"x", "float4", PARAMETER_READ, 0, 0},
    {"norm_weight", "float4", PARAMETER_READ, 1, 0},
    {"gate", "Vector", PARAMETER_READ, 2, 0},
    {"up", "Vector", PARAMETER_READ, 3, 0},
    {"gate_bias", "float", PARAMETER_READ, 4, 4},
    {"up_bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"gelu", "uint", PARAMETER_CONSTANT, 10, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 11, 4},
};
enum { rmsnorm_gated_fours_f16_count = 12 };

static const KernelParameter merge_splits_parameters[] = {
    {"sums", "float4", PARAMETER_READ, 0, 0},
    {"softmax", "float2", PARAMETER_READ, 1, 0},
    {"out", "Out4", PARAMETER_WRITE, 2, 0},
    {"splits", "uint", PARAMETER_CONSTANT, 3, 4},
    {"vectors", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { merge_splits_count = 5 };

static const KernelParameter merge_splits_f16_parameters[] = {
    {"sums", "float4", PARAMETER_READ, 0, 0},
    {"softmax", "float2", PARAMETER_READ, 1, 0},
    {"out", "Out4", PARAMETER_WRITE, 2, 0},
    {"splits", "uint", PARAMETER_CONSTANT, 3, 4},
    {"vectors", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { merge_splits_f16_count = 5 };

static const KernelParameter split_attention_hs64_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_f32_count = 21 };

static const KernelParameter split_attention_hs64_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_f16_count = 21 };

static const KernelParameter split_attention_hs64_pair_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_pair_f32_count = 21 };

static const KernelParameter split_attention_hs64_pair_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_pair_f16_count = 21 };

static const KernelParameter split_attention_hs64_fours_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_fours_f32_count = 21 };

static const KernelParameter split_attention_hs64_fours_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs64_fours_f16_count = 21 };

static const KernelParameter split_attention_hs128_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_f32_count = 21 };

static const KernelParameter split_attention_hs128_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_f16_count = 21 };

static const KernelParameter split_attention_hs128_pair_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_pair_f32_count = 21 };

static const KernelParameter split_attention_hs128_pair_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_pair_f16_count = 21 };

static const KernelParameter split_attention_hs128_fours_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_fours_f32_count = 21 };

static const KernelParameter split_attention_hs128_fours_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs128_fours_f16_count = 21 };

static const KernelParameter split_attention_hs256_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs256_f32_count = 21 };

static const KernelParameter split_attention_hs256_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs256_f16_count = 21 };

static const KernelParameter split_attention_hs256_pair_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs256_pair_f32_count = 21 };

static const KernelParameter split_attention_hs256_pair_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"split_sums", "float4", PARAMETER_WRITE, 6, 0},
    {"split_softmax", "float2", PARAMETER_WRITE, 7, 0},
    {"nh", "uint", PARAMETER_CONSTANT, 8, 4},
    {"nkv", "uint", PARAMETER_CONSTANT, 9, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 10, 4},
    {"window", "uint", PARAMETER_CONSTANT, 11, 4},
    {"scale", "float", PARAMETER_CONSTANT, 12, 4},
    {"q_norm", "float", PARAMETER_READ, 13, 4},
    {"k_norm", "float", PARAMETER_READ, 14, 4},
    {"frequencies", "float", PARAMETER_READ, 15, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 16, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 17, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 18, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 19, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 20, 4},
};
enum { split_attention_hs256_pair_f16_count = 21 };

static const KernelParameter turned_attention_hs64_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs64_f32_count = 19 };

static const KernelParameter turned_attention_hs64_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs64_f16_count = 19 };

static const KernelParameter turned_attention_hs64_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs64_halves_f32_count = 19 };

static const KernelParameter turned_attention_hs64_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs64_halves_f16_count = 19 };

static const KernelParameter turned_attention_hs128_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs128_f32_count = 19 };

static const KernelParameter turned_attention_hs128_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs128_f16_count = 19 };

static const KernelParameter turned_attention_hs128_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs128_halves_f32_count = 19 };

static const KernelParameter turned_attention_hs128_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs128_halves_f16_count = 19 };

static const KernelParameter turned_attention_hs256_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs256_f32_count = 19 };

static const KernelParameter turned_attention_hs256_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs256_f16_count = 19 };

static const KernelParameter turned_attention_hs256_halves_f32_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs256_halves_f32_count = 19 };

static const KernelParameter turned_attention_hs256_halves_f16_parameters[] = {
    {"qkv", "float4", PARAMETER_READ, 0, 0},
    {"lengths", "uint", PARAMETER_READ, 1, 4},
    {"counts", "uint", PARAMETER_READ, 2, 4},
    {"keys", "KV4", PARAMETER_WRITE, 3, 0},
    {"values", "KV4", PARAMETER_WRITE, 4, 0},
    {"pages", "uint", PARAMETER_READ, 5, 4},
    {"out", "Out4", PARAMETER_WRITE, 6, 0},
    {"nkv", "uint", PARAMETER_CONSTANT, 7, 4},
    {"capacity", "uint", PARAMETER_CONSTANT, 8, 4},
    {"window", "uint", PARAMETER_CONSTANT, 9, 4},
    {"scale", "float", PARAMETER_CONSTANT, 10, 4},
    {"q_norm", "float", PARAMETER_READ, 11, 4},
    {"k_norm", "float", PARAMETER_READ, 12, 4},
    {"frequencies", "float", PARAMETER_READ, 13, 4},
    {"norms", "uint", PARAMETER_CONSTANT, 14, 4},
    {"epsilon", "float", PARAMETER_CONSTANT, 15, 4},
    {"rotary", "uint", PARAMETER_CONSTANT, 16, 4},
    {"halves", "uint", PARAMETER_CONSTANT, 17, 4},
    {"magnitude", "float", PARAMETER_CONSTANT, 18, 4},
};
enum { turned_attention_hs256_halves_f16_count = 19 };

static const KernelParameter group_maxima_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"largest", "float", PARAMETER_WRITE, 2, 4},
    {"sums", "float", PARAMETER_WRITE, 3, 4},
    {"B", "uint", PARAMETER_CONSTANT, 4, 4},
    {"V", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { group_maxima_count = 6 };

static const KernelParameter group_argmax_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"largest", "float", PARAMETER_READ, 2, 4},
    {"ids", "uint", PARAMETER_WRITE, 3, 4},
    {"V", "uint", PARAMETER_CONSTANT, 4, 4},
};
enum { group_argmax_count = 5 };

static const KernelParameter integer_linear_iq4_nl_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_iq4_nl_count = 11 };

static const KernelParameter integer_linear_q2_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q2_K_count = 11 };

static const KernelParameter integer_linear_q3_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q3_K_count = 11 };

static const KernelParameter integer_linear_q4_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q4_0_count = 11 };

static const KernelParameter integer_linear_q4_1_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q4_1_count = 11 };

static const KernelParameter integer_linear_q4_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q4_K_count = 11 };

static const KernelParameter integer_linear_q5_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q5_0_count = 11 };

static const KernelParameter integer_linear_q5_1_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q5_1_count = 11 };

static const KernelParameter integer_linear_q5_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q5_K_count = 11 };

static const KernelParameter integer_linear_q6_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q6_K_count = 11 };

static const KernelParameter integer_linear_q8_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"bias", "float", PARAMETER_READ, 5, 4},
    {"out", "float", PARAMETER_WRITE, 6, 4},
    {"T", "uint", PARAMETER_CONSTANT, 7, 4},
    {"K", "uint", PARAMETER_CONSTANT, 8, 4},
    {"N", "uint", PARAMETER_CONSTANT, 9, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 10, 4},
};
enum { integer_linear_q8_0_count = 11 };

static const KernelParameter integer_matmul_iq4_nl_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_iq4_nl_count = 10 };

static const KernelParameter integer_matmul_q2_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q2_K_count = 10 };

static const KernelParameter integer_matmul_q3_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q3_K_count = 10 };

static const KernelParameter integer_matmul_q4_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q4_0_count = 10 };

static const KernelParameter integer_matmul_q4_1_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q4_1_count = 10 };

static const KernelParameter integer_matmul_q4_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q4_K_count = 10 };

static const KernelParameter integer_matmul_q5_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q5_0_count = 10 };

static const KernelParameter integer_matmul_q5_1_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q5_1_count = 10 };

static const KernelParameter integer_matmul_q5_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q5_K_count = 10 };

static const KernelParameter integer_matmul_q6_K_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q6_K_count = 10 };

static const KernelParameter integer_matmul_q8_0_parameters[] = {
    {"x", "char", PARAMETER_READ, 0, 1},
    {"x_offset", "int", PARAMETER_READ, 1, 4},
    {"x_block_offset", "int", PARAMETER_READ, 2, 4},
    {"x_scale", "float", PARAMETER_READ, 3, 4},
    {"weight", "Block", PARAMETER_READ, 4, 0},
    {"out", "float", PARAMETER_WRITE, 5, 4},
    {"T", "uint", PARAMETER_CONSTANT, 6, 4},
    {"K", "uint", PARAMETER_CONSTANT, 7, 4},
    {"N", "uint", PARAMETER_CONSTANT, 8, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 9, 4},
};
enum { integer_matmul_q8_0_count = 10 };

static const KernelParameter linear_tile_f32_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_tile_f32_count = 8 };

static const KernelParameter linear_tile_f16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_tile_f16_count = 8 };

static const KernelParameter linear_tile_bf16_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"weight", "Weight", PARAMETER_READ, 1, 0},
    {"bias", "float", PARAMETER_READ, 2, 4},
    {"out", "float", PARAMETER_WRITE, 3, 4},
    {"T", "uint", PARAMETER_CONSTANT, 4, 4},
    {"K", "uint", PARAMETER_CONSTANT, 5, 4},
    {"N", "uint", PARAMETER_CONSTANT, 6, 4},
    {"stride", "uint", PARAMETER_CONSTANT, 7, 4},
};
enum { linear_tile_bf16_count = 8 };

static const KernelParameter quantise_activations_parameters[] = {
    {"x", "float", PARAMETER_READ, 0, 4},
    {"values", "char", PARAMETER_WRITE, 1, 1},
    {"offset", "int", PARAMETER_WRITE, 2, 4},
    {"scale", "float", PARAMETER_WRITE, 3, 4},
    {"block_offset", "int", PARAMETER_WRITE, 4, 4},
    {"N", "uint", PARAMETER_CONSTANT, 5, 4},
};
enum { quantise_activations_count = 6 };

static const KernelParameter shortlist_sample_parameters[] = {
    {"logits", "float", PARAMETER_READ, 0, 4},
    {"sampling", "RowSampling", PARAMETER_READ, 1, 0},
    {"largest", "float", PARAMETER_READ, 2, 4},
    {"sums", "float", PARAMETER_READ, 3, 4},
    {"lengths", "uint", PARAMETER_READ, 4, 4},
    {"counts", "uint", PARAMETER_READ, 5, 4},
    {"scratch", "float", PARAMETER_WRITE, 6, 4},
    {"ids", "uint", PARAMETER_WRITE, 7, 4},
    {"V", "uint", PARAMETER_CONSTANT, 8, 4},
};
enum { shortlist_sample_count = 9 };

const Kernel kernel_table[] = {
    {"gelu_forward", "activation.metal", 10, gelu_forward_count, gelu_forward_parameters},
    {"argmax_sample", "argmax.metal", 17, argmax_sample_count, argmax_sample_parameters},
    {"attention_scores_f32", "attention.metal", 17, attention_scores_f32_count, attention_scores_f32_parameters},
    {"attention_scores_f16", "attention.metal", 17, attention_scores_f16_count, attention_scores_f16_parameters},
    {"attention_mix_f32", "attention.metal", 54, attention_mix_f32_count, attention_mix_f32_parameters},
    {"attention_mix_f16", "attention.metal", 54, attention_mix_f16_count, attention_mix_f16_parameters},
    {"cross_entropy_forward", "cross_entropy.metal", 10, cross_entropy_forward_count, cross_entropy_forward_parameters},
    {"dequantise_iq4_nl", "dequantise.metal", 12, dequantise_iq4_nl_count, dequantise_iq4_nl_parameters},
    {"dequantise_q2_K", "dequantise.metal", 12, dequantise_q2_K_count, dequantise_q2_K_parameters},
    {"dequantise_q3_K", "dequantise.metal", 12, dequantise_q3_K_count, dequantise_q3_K_parameters},
    {"dequantise_q4_0", "dequantise.metal", 12, dequantise_q4_0_count, dequantise_q4_0_parameters},
    {"dequantise_q4_1", "dequantise.metal", 12, dequantise_q4_1_count, dequantise_q4_1_parameters},
    {"dequantise_q4_K", "dequantise.metal", 12, dequantise_q4_K_count, dequantise_q4_K_parameters},
    {"dequantise_q5_0", "dequantise.metal", 12, dequantise_q5_0_count, dequantise_q5_0_parameters},
    {"dequantise_q5_1", "dequantise.metal", 12, dequantise_q5_1_count, dequantise_q5_1_parameters},
    {"dequantise_q5_K", "dequantise.metal", 12, dequantise_q5_K_count, dequantise_q5_K_parameters},
    {"dequantise_q6_K", "dequantise.metal", 12, dequantise_q6_K_count, dequantise_q6_K_parameters},
    {"dequantise_q8_0", "dequantise.metal", 12, dequantise_q8_0_count, dequantise_q8_0_parameters},
    {"dequantise_f16", "dequantise.metal", 50, dequantise_f16_count, dequantise_f16_parameters},
    {"dequantise_bf16", "dequantise.metal", 50, dequantise_bf16_count, dequantise_bf16_parameters},
    {"convert_f16", "dequantise.metal", 63, convert_f16_count, convert_f16_parameters},
    {"embedding_forward", "embedding.metal", 23, embedding_forward_count, embedding_forward_parameters},
    {"embedding_forward_f16", "embedding.metal", 23, embedding_forward_f16_count, embedding_forward_f16_parameters},
    {"embedding_forward_bf16", "embedding.metal", 23, embedding_forward_bf16_count, embedding_forward_bf16_parameters},
    {"embedding_forward_iq4_nl", "embedding.metal", 23, embedding_forward_iq4_nl_count, embedding_forward_iq4_nl_parameters},
    {"embedding_forward_q2_K", "embedding.metal", 23, embedding_forward_q2_K_count, embedding_forward_q2_K_parameters},
    {"embedding_forward_q3_K", "embedding.metal", 23, embedding_forward_q3_K_count, embedding_forward_q3_K_parameters},
    {"embedding_forward_q4_0", "embedding.metal", 23, embedding_forward_q4_0_count, embedding_forward_q4_0_parameters},
    {"embedding_forward_q4_1", "embedding.metal", 23, embedding_forward_q4_1_count, embedding_forward_q4_1_parameters},
    {"embedding_forward_q4_K", "embedding.metal", 23, embedding_forward_q4_K_count, embedding_forward_q4_K_parameters},
    {"embedding_forward_q5_0", "embedding.metal", 23, embedding_forward_q5_0_count, embedding_forward_q5_0_parameters},
    {"embedding_forward_q5_1", "embedding.metal", 23, embedding_forward_q5_1_count, embedding_forward_q5_1_parameters},
    {"embedding_forward_q5_K", "embedding.metal", 23, embedding_forward_q5_K_count, embedding_forward_q5_K_parameters},
    {"embedding_forward_q6_K", "embedding.metal", 23, embedding_forward_q6_K_count, embedding_forward_q6_K_parameters},
    {"embedding_forward_q8_0", "embedding.metal", 23, embedding_forward_q8_0_count, embedding_forward_q8_0_parameters},
    {"flash_attention_f32", "flash_attention.metal", 22, flash_attention_f32_count, flash_attention_f32_parameters},
    {"flash_attention_f16", "flash_attention.metal", 22, flash_attention_f16_count, flash_attention_f16_parameters},
    {"silu_gated", "gated_activation.metal", 21, silu_gated_count, silu_gated_parameters},
    {"silu_gated_f16", "gated_activation.metal", 21, silu_gated_f16_count, silu_gated_f16_parameters},
    {"gelu_gated", "gated_activation.metal", 37, gelu_gated_count, gelu_gated_parameters},
    {"gelu_gated_f16", "gated_activation.metal", 37, gelu_gated_f16_count, gelu_gated_f16_parameters},
    {"head_norm", "head_norm.metal", 10, head_norm_count, head_norm_parameters},
    {"split_heads_f32", "heads.metal", 30, split_heads_f32_count, split_heads_f32_parameters},
    {"split_heads_f16", "heads.metal", 30, split_heads_f16_count, split_heads_f16_parameters},
    {"merge_heads", "heads.metal", 70, merge_heads_count, merge_heads_parameters},
    {"layernorm_forward", "layernorm.metal", 26, layernorm_forward_count, layernorm_forward_parameters},
    {"layernorm_forward_f16", "layernorm.metal", 26, layernorm_forward_f16_count, layernorm_forward_f16_parameters},
    {"linear_f32", "linear.metal", 28, linear_f32_count, linear_f32_parameters},
    {"linear_f16", "linear.metal", 28, linear_f16_count, linear_f16_parameters},
    {"linear_bf16", "linear.metal", 28, linear_bf16_count, linear_bf16_parameters},
    {"linear_iq4_nl", "linear_blocks.metal", 60, linear_iq4_nl_count, linear_iq4_nl_parameters},
    {"linear_q2_K", "linear_blocks.metal", 60, linear_q2_K_count, linear_q2_K_parameters},
    {"linear_q3_K", "linear_blocks.metal", 60, linear_q3_K_count, linear_q3_K_parameters},
    {"linear_q4_0", "linear_blocks.metal", 60, linear_q4_0_count, linear_q4_0_parameters},
    {"linear_q4_1", "linear_blocks.metal", 60, linear_q4_1_count, linear_q4_1_parameters},
    {"linear_q4_K", "linear_blocks.metal", 60, linear_q4_K_count, linear_q4_K_parameters},
    {"linear_q5_0", "linear_blocks.metal", 60, linear_q5_0_count, linear_q5_0_parameters},
    {"linear_q5_1", "linear_blocks.metal", 60, linear_q5_1_count, linear_q5_1_parameters},
    {"linear_q5_K", "linear_blocks.metal", 60, linear_q5_K_count, linear_q5_K_parameters},
    {"linear_q6_K", "linear_blocks.metal", 60, linear_q6_K_count, linear_q6_K_parameters},
    {"linear_q8_0", "linear_blocks.metal", 60, linear_q8_0_count, linear_q8_0_parameters},
    {"add_logit_bias", "logit_bias.metal", 9, add_logit_bias_count, add_logit_bias_parameters},
    {"top_logprobs", "logprobs.metal", 45, top_logprobs_count, top_logprobs_parameters},
    {"gather_pages_f32", "pages.metal", 16, gather_pages_f32_count, gather_pages_f32_parameters},
    {"gather_pages_f16", "pages.metal", 16, gather_pages_f16_count, gather_pages_f16_parameters},
    {"copy_pages", "pages.metal", 40, copy_pages_count, copy_pages_parameters},
    {"copy_page", "pages.metal", 51, copy_page_count, copy_page_parameters},
    {"penalise_repeats", "penalties.metal", 13, penalise_repeats_count, penalise_repeats_parameters},
    {"residual_layernorm", "residual.metal", 15, residual_layernorm_count, residual_layernorm_parameters},
    {"residual_layernorm_f16", "residual.metal", 15, residual_layernorm_f16_count, residual_layernorm_f16_parameters},
    {"rmsnorm_forward", "rmsnorm.metal", 15, rmsnorm_forward_count, rmsnorm_forward_parameters},
    {"rmsnorm_forward_f16", "rmsnorm.metal", 15, rmsnorm_forward_f16_count, rmsnorm_forward_f16_parameters},
    {"residual_rmsnorm", "rmsnorm.metal", 40, residual_rmsnorm_count, residual_rmsnorm_parameters},
    {"residual_rmsnorm_f16", "rmsnorm.metal", 40, residual_rmsnorm_f16_count, residual_rmsnorm_f16_parameters},
    {"rope_adjacent", "rope.metal", 15, rope_adjacent_count, rope_adjacent_parameters},
    {"rope_halves", "rope.metal", 15, rope_halves_count, rope_halves_parameters},
    {"top_k_top_p_sample", "sampling.metal", 16, top_k_top_p_sample_count, top_k_top_p_sample_parameters},
    {"sandwich_rmsnorm", "sandwich_norm.metal", 14, sandwich_rmsnorm_count, sandwich_rmsnorm_parameters},
    {"sandwich_rmsnorm_f16", "sandwich_norm.metal", 14, sandwich_rmsnorm_f16_count, sandwich_rmsnorm_f16_parameters},
    {"softmax_inplace", "softmax.metal", 10, softmax_inplace_count, softmax_inplace_parameters},
    {"last_token_rows", "step.metal", 10, last_token_rows_count, last_token_rows_parameters},
    {"advance_step", "step.metal", 27, advance_step_count, advance_step_parameters},
    {"mask_tokens", "token_mask.metal", 8, mask_tokens_count, mask_tokens_parameters},
    {"keep_typical", "typical.metal", 21, keep_typical_count, keep_typical_parameters},
    {"block_planes", "fast/block_planes.metal", 12, block_planes_count, block_planes_parameters},
    {"flash_attention_prompt_hs64_f32", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs64_f32_count, flash_attention_prompt_hs64_f32_parameters},
    {"flash_attention_prompt_hs64_f16", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs64_f16_count, flash_attention_prompt_hs64_f16_parameters},
    {"flash_attention_prompt_hs128_f32", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs128_f32_count, flash_attention_prompt_hs128_f32_parameters},
    {"flash_attention_prompt_hs128_f16", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs128_f16_count, flash_attention_prompt_hs128_f16_parameters},
    {"flash_attention_prompt_hs256_f32", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs256_f32_count, flash_attention_prompt_hs256_f32_parameters},
    {"flash_attention_prompt_hs256_f16", "fast/flash_attention_prompt.metal", 102, flash_attention_prompt_hs256_f16_count, flash_attention_prompt_hs256_f16_parameters},
    {"flash_attention_hs64_f32", "fast/flash_attention_shared.metal", 90, flash_attention_hs64_f32_count, flash_attention_hs64_f32_parameters},
    {"flash_attention_hs64_f16", "fast/flash_attention_shared.metal", 90, flash_attention_hs64_f16_count, flash_attention_hs64_f16_parameters},
    {"flash_attention_hs128_f32", "fast/flash_attention_shared.metal", 90, flash_attention_hs128_f32_count, flash_attention_hs128_f32_parameters},
    {"flash_attention_hs128_f16", "fast/flash_attention_shared.metal", 90, flash_attention_hs128_f16_count, flash_attention_hs128_f16_parameters},
    {"flash_attention_hs256_f32", "fast/flash_attention_shared.metal", 90, flash_attention_hs256_f32_count, flash_attention_hs256_f32_parameters},
    {"flash_attention_hs256_f16", "fast/flash_attention_shared.metal", 90, flash_attention_hs256_f16_count, flash_attention_hs256_f16_parameters},
    {"flash_attention_tiles_hs64_halves_f32", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs64_halves_f32_count, flash_attention_tiles_hs64_halves_f32_parameters},
    {"flash_attention_tiles_hs64_halves_f16", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs64_halves_f16_count, flash_attention_tiles_hs64_halves_f16_parameters},
    {"flash_attention_tiles_hs128_halves_f32", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs128_halves_f32_count, flash_attention_tiles_hs128_halves_f32_parameters},
    {"flash_attention_tiles_hs128_halves_f16", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs128_halves_f16_count, flash_attention_tiles_hs128_halves_f16_parameters},
    {"flash_attention_tiles_hs256_halves_f32", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs256_halves_f32_count, flash_attention_tiles_hs256_halves_f32_parameters},
    {"flash_attention_tiles_hs256_halves_f16", "fast/flash_attention_tiles.metal", 33, flash_attention_tiles_hs256_halves_f16_count, flash_attention_tiles_hs256_halves_f16_parameters},
    {"bias_gelu", "fast/fused_bias_gelu.metal", 18, bias_gelu_count, bias_gelu_parameters},
    {"bias_gelu_f16", "fast/fused_bias_gelu.metal", 18, bias_gelu_f16_count, bias_gelu_f16_parameters},
    {"decode_attention_hs64_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs64_f32_count, decode_attention_hs64_f32_parameters},
    {"decode_attention_hs64_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs64_f16_count, decode_attention_hs64_f16_parameters},
    {"decode_attention_hs64_halves_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs64_halves_f32_count, decode_attention_hs64_halves_f32_parameters},
    {"decode_attention_hs64_halves_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs64_halves_f16_count, decode_attention_hs64_halves_f16_parameters},
    {"decode_attention_hs128_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs128_f32_count, decode_attention_hs128_f32_parameters},
    {"decode_attention_hs128_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs128_f16_count, decode_attention_hs128_f16_parameters},
    {"decode_attention_hs128_halves_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs128_halves_f32_count, decode_attention_hs128_halves_f32_parameters},
    {"decode_attention_hs128_halves_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs128_halves_f16_count, decode_attention_hs128_halves_f16_parameters},
    {"decode_attention_hs256_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs256_f32_count, decode_attention_hs256_f32_parameters},
    {"decode_attention_hs256_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs256_f16_count, decode_attention_hs256_f16_parameters},
    {"decode_attention_hs256_halves_f32", "fast/fused_decode_attention.metal", 18, decode_attention_hs256_halves_f32_count, decode_attention_hs256_halves_f32_parameters},
    {"decode_attention_hs256_halves_f16", "fast/fused_decode_attention.metal", 18, decode_attention_hs256_halves_f16_count, decode_attention_hs256_halves_f16_parameters},
    {"integer_read_q4_K", "fast/fused_integer_linear.metal", 25, integer_read_q4_K_count, integer_read_q4_K_parameters},
    {"integer_read_q5_K", "fast/fused_integer_linear.metal", 25, integer_read_q5_K_count, integer_read_q5_K_parameters},
    {"integer_read_q6_K", "fast/fused_integer_linear.metal", 25, integer_read_q6_K_count, integer_read_q6_K_parameters},
    {"integer_read_q8_0", "fast/fused_integer_linear.metal", 25, integer_read_q8_0_count, integer_read_q8_0_parameters},
    {"integer_gated_q4_K", "fast/fused_integer_linear.metal", 86, integer_gated_q4_K_count, integer_gated_q4_K_parameters},
    {"integer_gated_q5_K", "fast/fused_integer_linear.metal", 86, integer_gated_q5_K_count, integer_gated_q5_K_parameters},
    {"integer_gated_q6_K", "fast/fused_integer_linear.metal", 86, integer_gated_q6_K_count, integer_gated_q6_K_parameters},
    {"integer_gated_q8_0", "fast/fused_integer_linear.metal", 86, integer_gated_q8_0_count, integer_gated_q8_0_parameters},
    {"integer_write_q4_K", "fast/fused_integer_linear.metal", 140, integer_write_q4_K_count, integer_write_q4_K_parameters},
    {"integer_write_q5_K", "fast/fused_integer_linear.metal", 140, integer_write_q5_K_count, integer_write_q5_K_parameters},
    {"integer_write_q6_K", "fast/fused_integer_linear.metal", 140, integer_write_q6_K_count, integer_write_q6_K_parameters},
    {"integer_write_q8_0", "fast/fused_integer_linear.metal", 140, integer_write_q8_0_count, integer_write_q8_0_parameters},
    {"linear_batch_8", "fast/fused_linear_batch.metal", 20, linear_batch_8_count, linear_batch_8_parameters},
    {"linear_batch_16", "fast/fused_linear_batch.metal", 20, linear_batch_16_count, linear_batch_16_parameters},
    {"linear_batch_32", "fast/fused_linear_batch.metal", 20, linear_batch_32_count, linear_batch_32_parameters},
    {"linear_batch_gelu_8", "fast/fused_linear_batch.metal", 20, linear_batch_gelu_8_count, linear_batch_gelu_8_parameters},
    {"linear_batch_gelu_16", "fast/fused_linear_batch.metal", 20, linear_batch_gelu_16_count, linear_batch_gelu_16_parameters},
    {"linear_batch_gelu_32", "fast/fused_linear_batch.metal", 20, linear_batch_gelu_32_count, linear_batch_gelu_32_parameters},
    {"linear_batch_residual_8", "fast/fused_linear_batch.metal", 20, linear_batch_residual_8_count, linear_batch_residual_8_parameters},
    {"linear_batch_residual_16", "fast/fused_linear_batch.metal", 20, linear_batch_residual_16_count, linear_batch_residual_16_parameters},
    {"linear_batch_parts_8", "fast/fused_linear_batch_parts.metal", 35, linear_batch_parts_8_count, linear_batch_parts_8_parameters},
    {"linear_batch_parts_16", "fast/fused_linear_batch_parts.metal", 35, linear_batch_parts_16_count, linear_batch_parts_16_parameters},
    {"linear_batch_parts_32", "fast/fused_linear_batch_parts.metal", 35, linear_batch_parts_32_count, linear_batch_parts_32_parameters},
    {"linear_batch_gated_8", "fast/fused_linear_batch_parts.metal", 95, linear_batch_gated_8_count, linear_batch_gated_8_parameters},
    {"linear_batch_gated_16", "fast/fused_linear_batch_parts.metal", 95, linear_batch_gated_16_count, linear_batch_gated_16_parameters},
    {"linear_batch_gated_32", "fast/fused_linear_batch_parts.metal", 95, linear_batch_gated_32_count, linear_batch_gated_32_parameters},
    {"linear_residual_f32", "fast/fused_linear_residual.metal", 45, linear_residual_f32_count, linear_residual_f32_parameters},
    {"linear_residual_f16", "fast/fused_linear_residual.metal", 45, linear_residual_f16_count, linear_residual_f16_parameters},
    {"linear_residual_eights_f16", "fast/fused_linear_residual.metal", 45, linear_residual_eights_f16_count, linear_residual_eights_f16_parameters},
    {"linear_residual_pair_f32", "fast/fused_linear_residual.metal", 45, linear_residual_pair_f32_count, linear_residual_pair_f32_parameters},
    {"norm_linear_f32", "fast/fused_norm_linear.metal", 50, norm_linear_f32_count, norm_linear_f32_parameters},
    {"norm_linear_f16", "fast/fused_norm_linear.metal", 50, norm_linear_f16_count, norm_linear_f16_parameters},
    {"norm_linear_wide_f32", "fast/fused_norm_linear.metal", 50, norm_linear_wide_f32_count, norm_linear_wide_f32_parameters},
    {"norm_linear_wide_f16", "fast/fused_norm_linear.metal", 50, norm_linear_wide_f16_count, norm_linear_wide_f16_parameters},
    {"norm_linear_pair_f32", "fast/fused_norm_linear.metal", 50, norm_linear_pair_f32_count, norm_linear_pair_f32_parameters},
    {"norm_linear_pair_wide_f32", "fast/fused_norm_linear.metal", 50, norm_linear_pair_wide_f32_count, norm_linear_pair_wide_f32_parameters},
    {"norm_linear_batch", "fast/fused_norm_linear_batch.metal", 65, norm_linear_batch_count, norm_linear_batch_parameters},
    {"norm_linear_batch_gelu", "fast/fused_norm_linear_batch.metal", 65, norm_linear_batch_gelu_count, norm_linear_batch_gelu_parameters},
    {"rmsnorm_linear_f32", "fast/fused_rmsnorm_linear.metal", 70, rmsnorm_linear_f32_count, rmsnorm_linear_f32_parameters},
    {"rmsnorm_linear_f16", "fast/fused_rmsnorm_linear.metal", 70, rmsnorm_linear_f16_count, rmsnorm_linear_f16_parameters},
    {"rmsnorm_linear_narrow_f16", "fast/fused_rmsnorm_linear.metal", 70, rmsnorm_linear_narrow_f16_count, rmsnorm_linear_narrow_f16_parameters},
    {"rmsnorm_linear_fours_f32", "fast/fused_rmsnorm_linear.metal", 70, rmsnorm_linear_fours_f32_count, rmsnorm_linear_fours_f32_parameters},
    {"rmsnorm_linear_fours_f16", "fast/fused_rmsnorm_linear.metal", 70, rmsnorm_linear_fours_f16_count, rmsnorm_linear_fours_f16_parameters},
    {"rmsnorm_gated_f32", "fast/fused_rmsnorm_linear.metal", 115, rmsnorm_gated_f32_count, rmsnorm_gated_f32_parameters},
    {"rmsnorm_gated_f16", "fast/fused_rmsnorm_linear.metal", 115, rmsnorm_gated_f16_count, rmsnorm_gated_f16_parameters},
    {"rmsnorm_gated_narrow_f16", "fast/fused_rmsnorm_linear.metal", 115, rmsnorm_gated_narrow_f16_count, rmsnorm_gated_narrow_f16_parameters},
    {"rmsnorm_gated_fours_f32", "fast/fused_rmsnorm_linear.metal", 115, rmsnorm_gated_fours_f32_count, rmsnorm_gated_fours_f32_parameters},
    {"rmsnorm_gated_fours_f16", "fast/fused_rmsnorm_linear.metal", 115, rmsnorm_gated_fours_f16_count, rmsnorm_gated_fours_f16_parameters},
    {"merge_splits", "fast/fused_split_attention.metal", 101, merge_splits_count, merge_splits_parameters},
    {"merge_splits_f16", "fast/fused_split_attention.metal", 101, merge_splits_f16_count, merge_splits_f16_parameters},
    {"split_attention_hs64_f32", "fast/fused_split_attention.metal", 19, split_attention_hs64_f32_count, split_attention_hs64_f32_parameters},
    {"split_attention_hs64_f16", "fast/fused_split_attention.metal", 19, split_attention_hs64_f16_count, split_attention_hs64_f16_parameters},
    {"split_attention_hs64_pair_f32", "fast/fused_split_attention.metal", 19, split_attention_hs64_pair_f32_count, split_attention_hs64_pair_f32_parameters},
    {"split_attention_hs64_pair_f16", "fast/fused_split_attention.metal", 19, split_attention_hs64_pair_f16_count, split_attention_hs64_pair_f16_parameters},
    {"split_attention_hs64_fours_f32", "fast/fused_split_attention.metal", 19, split_attention_hs64_fours_f32_count, split_attention_hs64_fours_f32_parameters},
    {"split_attention_hs64_fours_f16", "fast/fused_split_attention.metal", 19, split_attention_hs64_fours_f16_count, split_attention_hs64_fours_f16_parameters},
    {"split_attention_hs128_f32", "fast/fused_split_attention.metal", 19, split_attention_hs128_f32_count, split_attention_hs128_f32_parameters},
    {"split_attention_hs128_f16", "fast/fused_split_attention.metal", 19, split_attention_hs128_f16_count, split_attention_hs128_f16_parameters},
    {"split_attention_hs128_pair_f32", "fast/fused_split_attention.metal", 19, split_attention_hs128_pair_f32_count, split_attention_hs128_pair_f32_parameters},
    {"split_attention_hs128_pair_f16", "fast/fused_split_attention.metal", 19, split_attention_hs128_pair_f16_count, split_attention_hs128_pair_f16_parameters},
    {"split_attention_hs128_fours_f32", "fast/fused_split_attention.metal", 19, split_attention_hs128_fours_f32_count, split_attention_hs128_fours_f32_parameters},
    {"split_attention_hs128_fours_f16", "fast/fused_split_attention.metal", 19, split_attention_hs128_fours_f16_count, split_attention_hs128_fours_f16_parameters},
    {"split_attention_hs256_f32", "fast/fused_split_attention.metal", 19, split_attention_hs256_f32_count, split_attention_hs256_f32_parameters},
    {"split_attention_hs256_f16", "fast/fused_split_attention.metal", 19, split_attention_hs256_f16_count, split_attention_hs256_f16_parameters},
    {"split_attention_hs256_pair_f32", "fast/fused_split_attention.metal", 19, split_attention_hs256_pair_f32_count, split_attention_hs256_pair_f32_parameters},
    {"split_attention_hs256_pair_f16", "fast/fused_split_attention.metal", 19, split_attention_hs256_pair_f16_count, split_attention_hs256_pair_f16_parameters},
    {"turned_attention_hs64_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs64_f32_count, turned_attention_hs64_f32_parameters},
    {"turned_attention_hs64_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs64_f16_count, turned_attention_hs64_f16_parameters},
    {"turned_attention_hs64_halves_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs64_halves_f32_count, turned_attention_hs64_halves_f32_parameters},
    {"turned_attention_hs64_halves_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs64_halves_f16_count, turned_attention_hs64_halves_f16_parameters},
    {"turned_attention_hs128_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs128_f32_count, turned_attention_hs128_f32_parameters},
    {"turned_attention_hs128_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs128_f16_count, turned_attention_hs128_f16_parameters},
    {"turned_attention_hs128_halves_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs128_halves_f32_count, turned_attention_hs128_halves_f32_parameters},
    {"turned_attention_hs128_halves_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs128_halves_f16_count, turned_attention_hs128_halves_f16_parameters},
    {"turned_attention_hs256_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs256_f32_count, turned_attention_hs256_f32_parameters},
    {"turned_attention_hs256_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs256_f16_count, turned_attention_hs256_f16_parameters},
    {"turned_attention_hs256_halves_f32", "fast/fused_turned_attention.metal", 19, turned_attention_hs256_halves_f32_count, turned_attention_hs256_halves_f32_parameters},
    {"turned_attention_hs256_halves_f16", "fast/fused_turned_attention.metal", 19, turned_attention_hs256_halves_f16_count, turned_attention_hs256_halves_f16_parameters},
    {"group_maxima", "fast/group_maxima.metal", 15, group_maxima_count, group_maxima_parameters},
    {"group_argmax", "fast/group_maxima.metal", 60, group_argmax_count, group_argmax_parameters},
    {"integer_linear_iq4_nl", "fast/integer_linear.metal", 37, integer_linear_iq4_nl_count, integer_linear_iq4_nl_parameters},
    {"integer_linear_q2_K", "fast/integer_linear.metal", 37, integer_linear_q2_K_count, integer_linear_q2_K_parameters},
    {"integer_linear_q3_K", "fast/integer_linear.metal", 37, integer_linear_q3_K_count, integer_linear_q3_K_parameters},
    {"integer_linear_q4_0", "fast/integer_linear.metal", 37, integer_linear_q4_0_count, integer_linear_q4_0_parameters},
    {"integer_linear_q4_1", "fast/integer_linear.metal", 37, integer_linear_q4_1_count, integer_linear_q4_1_parameters},
    {"integer_linear_q4_K", "fast/integer_linear.metal", 37, integer_linear_q4_K_count, integer_linear_q4_K_parameters},
    {"integer_linear_q5_0", "fast/integer_linear.metal", 37, integer_linear_q5_0_count, integer_linear_q5_0_parameters},
    {"integer_linear_q5_1", "fast/integer_linear.metal", 37, integer_linear_q5_1_count, integer_linear_q5_1_parameters},
    {"integer_linear_q5_K", "fast/integer_linear.metal", 37, integer_linear_q5_K_count, integer_linear_q5_K_parameters},
    {"integer_linear_q6_K", "fast/integer_linear.metal", 37, integer_linear_q6_K_count, integer_linear_q6_K_parameters},
    {"integer_linear_q8_0", "fast/integer_linear.metal", 37, integer_linear_q8_0_count, integer_linear_q8_0_parameters},
    {"integer_matmul_iq4_nl", "fast/integer_matmul.metal", 89, integer_matmul_iq4_nl_count, integer_matmul_iq4_nl_parameters},
    {"integer_matmul_q2_K", "fast/integer_matmul.metal", 89, integer_matmul_q2_K_count, integer_matmul_q2_K_parameters},
    {"integer_matmul_q3_K", "fast/integer_matmul.metal", 89, integer_matmul_q3_K_count, integer_matmul_q3_K_parameters},
    {"integer_matmul_q4_0", "fast/integer_matmul.metal", 89, integer_matmul_q4_0_count, integer_matmul_q4_0_parameters},
    {"integer_matmul_q4_1", "fast/integer_matmul.metal", 89, integer_matmul_q4_1_count, integer_matmul_q4_1_parameters},
    {"integer_matmul_q4_K", "fast/integer_matmul.metal", 89, integer_matmul_q4_K_count, integer_matmul_q4_K_parameters},
    {"integer_matmul_q5_0", "fast/integer_matmul.metal", 89, integer_matmul_q5_0_count, integer_matmul_q5_0_parameters},
    {"integer_matmul_q5_1", "fast/integer_matmul.metal", 89, integer_matmul_q5_1_count, integer_matmul_q5_1_parameters},
    {"integer_matmul_q5_K", "fast/integer_matmul.metal", 89, integer_matmul_q5_K_count, integer_matmul_q5_K_parameters},
    {"integer_matmul_q6_K", "fast/integer_matmul.metal", 89, integer_matmul_q6_K_count, integer_matmul_q6_K_parameters},
    {"integer_matmul_q8_0", "fast/integer_matmul.metal", 89, integer_matmul_q8_0_count, integer_matmul_q8_0_parameters},
    {"linear_tile_f32", "fast/linear_tile.metal", 40, linear_tile_f32_count, linear_tile_f32_parameters},
    {"linear_tile_f16", "fast/linear_tile.metal", 40, linear_tile_f16_count, linear_tile_f16_parameters},
    {"linear_tile_bf16", "fast/linear_tile.metal", 40, linear_tile_bf16_count, linear_tile_bf16_parameters},
    {"quantise_activations", "fast/quantise.metal", 13, quantise_activations_count, quantise_activations_parameters},
    {"shortlist_sample", "fast/shortlist.metal", 24, shortlist_sample_count, shortlist_sample_parameters},
};
const size_t kernel_count = 224;

#include "device/kernel.h"

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
    "#include \"parts/sampling.h\"\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu; // host: the sentinel\n"
    "// Reads that are on their way at once: 1,024 threads take two turns for GPT-2's 50,257 logits.\n"
    "constant constexpr uint AHEAD = SIMD_WIDTH == 1 ? 1 : 25;\n"
    "\n"
    "kernel void argmax_sample(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device uint *ids [[buffer(2)]],                   // [B]\n"
    "    constant uint &V [[buffer(3)]],\n"
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
    "    if (sampling[b].method != LIKELIEST) return;\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    uint nan = 0;\n"
    "    for (uint first = thread_index; first < V; first += AHEAD * threads) {\n"
    "        float value[AHEAD];\n"
    "        for (uint i = 0; i < AHEAD; i++) value[i] = row[min(first + i * threads, V - 1)];\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            largest = max(largest, value[i]);\n"
    "            nan |= uint(isnan(value[i]));\n"
    "        }\n"
    "    }\n"
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
    "            uint v = min(first + i * threads, V - 1); // past the end the last one again\n"
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
    "// attention.metal — scores → softmax.metal → weighted sum, one kernel each (Vaswani et al. 2017)\n"
    "//\n"
    "//   att[t,s] = Q[t] · K[s] · scale,  −∞ for keys that query t may not see\n"
    "//   att[t,:] = softmax(att[t,:])\n"
    "//   out[t]   = Σ_s att[t,s] · V[s]\n"
    "//\n"
    "// for every row b of the batch and every head h. nh / nkv neighbouring heads share keys and values\n"
    "// (Ainslie et al. 2023). Row b holds lengths[b] cached tokens and brings counts[b] ≤ T new ones, so query t\n"
    "// sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]): itself and those before it.\n"
    "// Queries t ≥ counts[b] are padding; they see what the last real query sees. The KV cache is of type KV,\n"
    "// float or half.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// One thread per score, grid (S, T, B·nh).\n"
    "template <typename KV>\n"
    "kernel void attention_scores(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,hs]\n"
    "    device const KV *keys [[buffer(1)]],      // [B,nkv,capacity,hs]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device float *att [[buffer(4)]],          // [B,nh,T,S]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &S [[buffer(6)]],\n"
    "    constant uint &nh [[buffer(7)]],\n"
    "    constant uint &nkv [[buffer(8)]],\n"
    "    constant uint &hs [[buffer(9)]],\n"
    "    constant uint &capacity [[buffer(10)]],\n"
    "    constant uint &window [[buffer(11)]],\n"
    "    constant float &scale [[buffer(12)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint s = id.x, t = id.y, head = id.z, b = head / nh;\n"
    "    if (s >= S || t >= T) return;\n"
    "    uint end = lengths[b] + min(t + 1, counts[b]);\n"
    "    ulong row = ulong(head) * T + t, kv_head = head / (nh / nkv);\n"
    "    float score = -INFINITY;\n"
    "    if (s < end && end - s <= window) {\n"
    "        device const float *query = q + row * hs;\n"
    "        device const KV *key = keys + (kv_head * capacity + s) * hs;\n"
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
    "// One thread per element of out, grid (hs, T, B·nh). Keys that the query may not see are left out\n"
    "// rather than multiplied by 0: their cache entries may hold anything.\n"
    "template <typename KV>\n"
    "kernel void attention_mix(\n"
    "    device const float *att [[buffer(0)]],    // [B,nh,T,S]\n"
    "    device const KV *values [[buffer(1)]],    // [B,nkv,capacity,hs]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device float *out [[buffer(4)]],          // [B,nh,T,hs]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &S [[buffer(6)]],\n"
    "    constant uint &nh [[buffer(7)]],\n"
    "    constant uint &nkv [[buffer(8)]],\n"
    "    constant uint &hs [[buffer(9)]],\n"
    "    constant uint &capacity [[buffer(10)]],\n"
    "    constant uint &window [[buffer(11)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, t = id.y, head = id.z, b = head / nh;\n"
    "    if (d >= hs || t >= T) return;\n"
    "    ulong row = ulong(head) * T + t, kv_head = head / (nh / nkv);\n"
    "    uint end = min(S, lengths[b] + min(t + 1, counts[b]));\n"
    "    float sum = 0.0f;\n"
    "    for (uint s = end - min(end, window); s < end; s++)\n"
    "        sum += att[row * S + s] * float(values[(kv_head * capacity + s) * hs + d]);\n"
    "    out[row * hs + d] = sum;\n"
    "}\n"
    "\n"
    "template [[host_name(\"attention_mix_f32\")]] kernel decltype(attention_mix<float>) attention_mix<float>;\n"
    "template [[host_name(\"attention_mix_f16\")]] kernel decltype(attention_mix<half>) attention_mix<half>;\n"},
    {"cross_entropy.metal",
    "// cross_entropy.metal — −ln of the probability that the next token was given\n"
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
    {"dequantise.metal",
    "// dequantise.metal — packed weights as floats, for the matrix library, which takes one type for both factors\n"
    "//\n"
    "//   out[i] = weight i\n"
    "//\n"
    "// Halves and bf16 are unpacked by one thread each, grid N; blocks by one simdgroup each, grid N / VALUES.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"formats/all.h\"\n"
    "#include \"formats/bf16.h\"\n"
    "\n"
    "template <typename Block>\n"
    "kernel void dequantise(\n"
    "    device const Block *in [[buffer(0)]], // [N/VALUES]\n"
    "    device float *out [[buffer(1)]],      // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    constexpr uint SIZE = Block::VALUES / Block::PARTS; // of a part\n"
    "    uint block = group * simdgroups + simdgroup;\n"
    "    if (block >= N / Block::VALUES) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    float scale = scale_of(in + block);\n"
    "    for (uint part = 0; part < Block::PARTS; part++) {\n"
    "        device float *values = out + ulong(block) * Block::VALUES + part * SIZE;\n"
    "        for (uint i = lane; i < Block::PIECES; i += lanes) {\n"
    "            auto piece = scale * unpack(in + block, part, i);\n"
    "            for (uint j = 0; j < SIZE / Block::PIECES; j++) values[i + j * Block::PIECES] = of_piece(piece, j);\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"dequantise_iq4_nl\")]] kernel decltype(dequantise<block_iq4_nl>) dequantise<block_iq4_nl>;\n"
    "template [[host_name(\"dequantise_q2_K\")]] kernel decltype(dequantise<block_q2_K>) dequantise<block_q2_K>;\n"
    "template [[host_name(\"dequantise_q3_K\")]] kernel decltype(dequantise<block_q3_K>) dequantise<block_q3_K>;\n"
    "template [[host_name(\"dequantise_q4_0\")]] kernel decltype(dequantise<block_q4_0>) dequantise<block_q4_0>;\n"
    "template [[host_name(\"dequantise_q4_1\")]] kernel decltype(dequantise<block_q4_1>) dequantise<block_q4_1>;\n"
    "template [[host_name(\"dequantise_q4_K\")]] kernel decltype(dequantise<block_q4_K>) dequantise<block_q4_K>;\n"
    "template [[host_name(\"dequantise_q5_0\")]] kernel decltype(dequantise<block_q5_0>) dequantise<block_q5_0>;\n"
    "template [[host_name(\"dequantise_q5_1\")]] kernel decltype(dequantise<block_q5_1>) dequantise<block_q5_1>;\n"
    "template [[host_name(\"dequantise_q5_K\")]] kernel decltype(dequantise<block_q5_K>) dequantise<block_q5_K>;\n"
    "template [[host_name(\"dequantise_q6_K\")]] kernel decltype(dequantise<block_q6_K>) dequantise<block_q6_K>;\n"
    "template [[host_name(\"dequantise_q8_0\")]] kernel decltype(dequantise<block_q8_0>) dequantise<block_q8_0>;\n"
    "\n"
    "template <typename Weight>\n"
    "kernel void dequantise_floats(\n"
    "    device const Weight *in [[buffer(0)]], // [N]\n"
    "    device float *out [[buffer(1)]],       // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i < N) out[i] = as_float(in[i]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"dequantise_f16\")]] kernel decltype(dequantise_floats<half>) dequantise_floats<half>;\n"
    "template [[host_name(\"dequantise_bf16\")]] kernel decltype(dequantise_floats<ushort>) dequantise_floats<ushort>;\n"
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
    {"embedding.metal",
    "// embedding.metal — token id + position → vector\n"
    "//\n"
    "//   out[b,t,c] = scale · token_table[ids[b,t], c] + position_table[lengths[b] + t, c]\n"
    "//\n"
    "// One thread per element, grid (C, T, B). While decoding T is 1 and lengths[b] counts the tokens that the KV cache\n"
    "// already holds. Ids and positions outside the tables (padding, or the sentinel of a failed sample) read the last row:\n"
    "// the result is never used. The token table is of type Weight: float, half, ushort (bf16), or blocks of formats/.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"formats/all.h\"\n"
    "#include \"formats/bf16.h\"\n"
    "\n"
    "// Weight i of a table.\n"
    "static float weight_of(device const float *table, ulong i) { return as_float(table[i]); }\n"
    "static float weight_of(device const half *table, ulong i) { return as_float(table[i]); }\n"
    "static float weight_of(device const ushort *table, ulong i) { return as_float(table[i]); }\n"
    "template <typename Block> static float weight_of(device const Block *table, ulong i)\n"
    "{\n"
    "    return value(table + i / Block::VALUES, uint(i % Block::VALUES));\n"
    "}\n"
    "\n"
    "template <typename Weight>\n"
    "kernel void embedding_forward(\n"
    "    device const uint *ids [[buffer(0)]],             // [B,T]\n"
    "    device const uint *lengths [[buffer(1)]],         // [B]\n"
    "    device const Weight *token_table [[buffer(2)]],   // [V,C]\n"
    "    device const float *position_table [[buffer(3)]], // [context,C]\n"
    "    device float *out [[buffer(4)]],                  // [B,T,C]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &C [[buffer(6)]], // a multiple of a block's VALUES\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    constant uint &context [[buffer(8)]],\n"
    "    constant float &scale [[buffer(9)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint c = id.x, t = id.y, b = id.z;\n"
    "    if (c >= C || t >= T) return;\n"
    "    ulong row = ulong(b) * T + t;\n"
    "    ulong token = min(ids[row], V - 1);\n"
    "    ulong position = min(lengths[b] + t, context - 1);\n"
    "    float weight = weight_of(token_table, token * C + c);\n"
    "    out[row * C + c] = scale * weight + position_table[position * C + c];\n"
    "}\n"
    "\n"
    "template [[host_name(\"embedding_forward\")]] kernel decltype(embedding_forward<float>) embedding_forward<float>;\n"
    "template [[host_name(\"embedding_forward_f16\")]] kernel decltype(embedding_forward<half>) embedding_forward<half>;\n"
    "template [[host_name(\"embedding_forward_bf16\")]] kernel decltype(embedding_forward<ushort>) embedding_forward<ushort>;\n"
    "template [[host_name(\"embedding_forward_iq4_nl\")]] kernel decltype(embedding_forward<block_iq4_nl>) embedding_forward<block_iq4_nl>;\n"
    "template [[host_name(\"embedding_forward_q2_K\")]] kernel decltype(embedding_forward<block_q2_K>) embedding_forward<block_q2_K>;\n"
    "template [[host_name(\"embedding_forward_q3_K\")]] kernel decltype(embedding_forward<block_q3_K>) embedding_forward<block_q3_K>;\n"
    "template [[host_name(\"embedding_forward_q4_0\")]] kernel decltype(embedding_forward<block_q4_0>) embedding_forward<block_q4_0>;\n"
    "template [[host_name(\"embedding_forward_q4_1\")]] kernel decltype(embedding_forward<block_q4_1>) embedding_forward<block_q4_1>;\n"
    "template [[host_name(\"embedding_forward_q4_K\")]] kernel decltype(embedding_forward<block_q4_K>) embedding_forward<block_q4_K>;\n"
    "template [[host_name(\"embedding_forward_q5_0\")]] kernel decltype(embedding_forward<block_q5_0>) embedding_forward<block_q5_0>;\n"
    "template [[host_name(\"embedding_forward_q5_1\")]] kernel decltype(embedding_forward<block_q5_1>) embedding_forward<block_q5_1>;\n"
    "template [[host_name(\"embedding_forward_q5_K\")]] kernel decltype(embedding_forward<block_q5_K>) embedding_forward<block_q5_K>;\n"
    "template [[host_name(\"embedding_forward_q6_K\")]] kernel decltype(embedding_forward<block_q6_K>) embedding_forward<block_q6_K>;\n"
    "template [[host_name(\"embedding_forward_q8_0\")]] kernel decltype(embedding_forward<block_q8_0>) embedding_forward<block_q8_0>;\n"},
    {"flash_attention.metal",
    "// flash_attention.metal — attention in one kernel, no T×S matrix (Dao et al. 2022)\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per query, grid (T, nh, B). Its simdgroups stride over pages of keys. Each keeps a running maximum m,\n"
    "// the sum l of exp(score − m), and the weighted sum of V so far; when a page raises the maximum, what was summed before\n"
    "// is scaled down by exp(old m − new m). At the end the simdgroups' results are merged the same way. Query t sees the\n"
    "// last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). nh / nkv neighbouring heads share keys and values.\n"
    "// The heads' results lie side by side. The KV cache is of type KV, float or half, in pages, see pages.metal.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint PAGE = 32;                  // tokens of a page of the KV cache\n"
    "constant constexpr uint MAX_HS = 256;               // host: largest head size\n"
    "constant constexpr uint MAX_SIMDGROUPS = 16;        // that take part; more of them rest\n"
    "constant constexpr uint DIMS = MAX_HS / SIMD_WIDTH; // of the sum, per lane, in registers\n"
    "\n"
    "template <typename KV>\n"
    "kernel void flash_attention(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,hs]\n"
    "    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,hs]\n"
    "    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,hs]\n"
    "    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device const uint *lengths [[buffer(4)]], // [B]\n"
    "    device const uint *counts [[buffer(5)]],  // [B]\n"
    "    device float *out [[buffer(6)]],          // [B,T,nh,hs]\n"
    "    constant uint &hs [[buffer(7)]],          // ≤ MAX_HS\n"
    "    constant uint &nkv [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    constant uint &window [[buffer(10)]],\n"
    "    constant float &scale [[buffer(11)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float weights[MAX_SIMDGROUPS][PAGE], weighted[MAX_SIMDGROUPS][MAX_HS]; // weighted sums of V\n"
    "    threadgroup float maxima[MAX_SIMDGROUPS], totals[MAX_SIMDGROUPS];\n"
    "    uint t = group.x, b = group.z, nh = groups.y, end = lengths[b] + min(t + 1, counts[b]);\n"
    "    uint begin = end - min(end, window), kv_head = group.y / (nh / nkv);\n"
    "    uint threads = group_size.x, simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);\n"
    "    device const float *query = q + ((ulong(b) * nh + group.y) * groups.x + t) * hs;\n"
    "    device const uint *table = pages + ulong(b) * ((capacity + PAGE - 1) / PAGE);\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    bool rests = simdgroup >= simdgroups;\n"
    "    for (uint d = lane; d < hs && !rests; d += lanes) weighted[simdgroup][d] = 0.0f;\n"
    "    float m = -INFINITY, l = 0.0f;\n"
    "    for (uint page = begin / PAGE + simdgroup; page * PAGE < end && !rests; page += simdgroups) {\n"
    "        uint first = max(begin, page * PAGE), seen = min(PAGE - first % PAGE, end - first); // keys of the page\n"
    "        ulong start = ((ulong(table[page]) * nkv + kv_head) * PAGE + first % PAGE) * hs;\n"
    "        float page_max = -INFINITY;\n"
    "        for (uint s = lane; s < seen; s += lanes) { // scores: a lane has a key\n"
    "            device const KV *key = keys + start + ulong(s) * hs;\n"
    "            float score = 0.0f;\n"
    "            for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);\n"
    "            weights[simdgroup][s] = score * scale;\n"
    "            page_max = max(page_max, score * scale);\n"
    "        }\n"
    "        float new_m = max(m, simd_max(page_max)), correction = exp(m - new_m), page_sum = 0.0f; // exp(−∞) = 0\n"
    "        for (uint s = lane; s < seen; s += lanes) { // they become weights\n"
    "            weights[simdgroup][s] = exp(weights[simdgroup][s] - new_m);\n"
    "            page_sum += weights[simdgroup][s];\n"
    "        }\n"
    "        l = l * correction + simd_sum(page_sum);\n"
    "        m = new_m;\n"
    "        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below\n"
    "        for (uint c = lane; c < hs; c += DIMS * lanes) { // values: a lane has channels, DIMS of them in registers\n"
    "            uint dims = min(DIMS, (hs - c + lanes - 1) / lanes);\n"
    "            float sum[DIMS];\n"
    "            for (uint i = 0; i < dims; i++) sum[i] = weighted[simdgroup][c + i * lanes] * correction;\n"
    "            device const KV *value = values + start + c;\n"
    "            for (uint s = 0; s < seen; s++)\n"
    "                for (uint i = 0; i < dims; i++) sum[i] += weights[simdgroup][s] * float(value[ulong(s) * hs + i * lanes]);\n"
    "            for (uint i = 0; i < dims; i++) weighted[simdgroup][c + i * lanes] = sum[i];\n"
    "        }\n"
    "        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next page's writes\n"
    "    }\n"
    "    if (lane == 0 && !rests) {\n"
    "        maxima[simdgroup] = m;\n"
    "        totals[simdgroup] = l;\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, totals, weighted: the writes → the reads below\n"
    "    float largest = -INFINITY;\n"
    "    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);\n"
    "    for (uint d = thread_index; d < hs; d += threads) {\n"
    "        float sum = 0.0f, total = 0.0f;\n"
    "        for (uint i = 0; i < simdgroups; i++) sum += weighted[i][d] * exp(maxima[i] - largest);\n"
    "        for (uint i = 0; i < simdgroups; i++) total += totals[i] * exp(maxima[i] - largest);\n"
    "        out[((ulong(b) * groups.x + t) * nh + group.y) * hs + d] = sum / total;\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_f32\")]] kernel decltype(flash_attention<float>) flash_attention<float>;\n"
    "template [[host_name(\"flash_attention_f16\")]] kernel decltype(flash_attention<half>) flash_attention<half>;\n"},
    {"gated_activation.metal",
    "// gated_activation.metal — a half of the MLP decides how much of the other half passes (Shazeer 2020)\n"
    "//\n"
    "//   out[t,i] = f(gate[t,i]) · up[t,i]       gate[t,i] = in[t,i] + gate_bias[i],  up[t,i] = in[t,I + i] + up_bias[i]\n"
    "//\n"
    "//   silu_gated   f(x) = x / (1 + exp(−x))                                     Llama, Qwen: SwiGLU\n"
    "//   gelu_gated   f(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))            Gemma: GeGLU\n"
    "//\n"
    "// One thread per element, grid (I, T). gate and up are two products of the same input, whose results lie side by side in\n"
    "// the rows of `in`; the biases are those that the products have left to be added. Where exp overflows, silu is x / ∞ = −0, as it should be; precise::tanh as in activation.metal. What\n"
    "// comes out is of type Out: half where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "static float silu(float x) { return x / (1.0f + precise::exp(-x)); }\n"
    "static float gelu(float x)\n"
    "{\n"
    "    return 0.5f * x * (1.0f + precise::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));\n"
    "}\n"
    "\n"
    "template <typename Out>\n"
    "kernel void silu_gated(\n"
    "    device const float *in [[buffer(0)]],        // [T,2I]\n"
    "    device const float *gate_bias [[buffer(1)]], // [I]\n"
    "    device const float *up_bias [[buffer(2)]],   // [I]\n"
    "    device Out *out [[buffer(3)]],               // [T,I]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &I [[buffer(5)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint i = id.x, t = id.y;\n"
    "    if (i >= I || t >= T) return;\n"
    "    device const float *row = in + ulong(t) * 2 * I;\n"
    "    out[ulong(t) * I + i] = Out(silu(row[i] + gate_bias[i]) * (row[I + i] + up_bias[i]));\n"
    "}\n"
    "\n"
    "template <typename Out>\n"
    "kernel void gelu_gated(\n"
    "    device const float *in [[buffer(0)]],        // [T,2I]\n"
    "    device const float *gate_bias [[buffer(1)]], // [I]\n"
    "    device const float *up_bias [[buffer(2)]],   // [I]\n"
    "    device Out *out [[buffer(3)]],               // [T,I]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &I [[buffer(5)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint i = id.x, t = id.y;\n"
    "    if (i >= I || t >= T) return;\n"
    "    device const float *row = in + ulong(t) * 2 * I;\n"
    "    out[ulong(t) * I + i] = Out(gelu(row[i] + gate_bias[i]) * (row[I + i] + up_bias[i]));\n"
    "}\n"
    "\n"
    "template [[host_name(\"silu_gated\")]] kernel decltype(silu_gated<float>) silu_gated<float>;\n"
    "template [[host_name(\"silu_gated_f16\")]] kernel decltype(silu_gated<half>) silu_gated<half>;\n"
    "template [[host_name(\"gelu_gated\")]] kernel decltype(gelu_gated<float>) gelu_gated<float>;\n"
    "template [[host_name(\"gelu_gated_f16\")]] kernel decltype(gelu_gated<half>) gelu_gated<half>;\n"},
    {"head_norm.metal",
    "// head_norm.metal — an RMSNorm of each head of Q and K, before rope.metal (Dehghani et al. 2023)\n"
    "//\n"
    "//   x[d] ← x[d] / √(mean(x²) + ε) · weight[d]        for the hs channels x of a head\n"
    "//\n"
    "// Scores cannot grow without bound then. All heads of Q share a weight, and so do those of K. One simdgroup per\n"
    "// head, in place, grid rows · (nh + nkv): the heads of Q, then those of K; V stays as it is.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "kernel void head_norm(\n"
    "    device float *qkv [[buffer(0)]],            // [rows,(nh + 2 nkv)·hs]\n"
    "    device const float *q_weight [[buffer(1)]], // [hs]\n"
    "    device const float *k_weight [[buffer(2)]], // [hs]\n"
    "    constant uint &rows [[buffer(3)]],\n"
    "    constant uint &nh [[buffer(4)]],\n"
    "    constant uint &nkv [[buffer(5)]],\n"
    "    constant uint &hs [[buffer(6)]],\n"
    "    constant float &epsilon [[buffer(7)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, row = n / (nh + nkv), head = n % (nh + nkv);\n"
    "    if (row >= rows) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device float *x = qkv + ulong(row) * (nh + 2 * nkv) * hs + head * hs;\n"
    "    device const float *weight = head < nh ? q_weight : k_weight;\n"
    "    float squares = 0.0f;\n"
    "    for (uint d = lane; d < hs; d += lanes) squares += x[d] * x[d];\n"
    "    float shrink = 1.0f / sqrt(simd_sum(squares) / float(hs) + epsilon);\n"
    "    for (uint d = lane; d < hs; d += lanes) x[d] = x[d] * shrink * weight[d];\n"
    "}\n"},
    {"heads.metal",
    "// heads.metal — between the layout of the matrix products, [B,T,C], and that of attention,\n"
    "// [B,nh,T,hs], where C = nh · hs and head h owns the channels h·hs … (h+1)·hs − 1.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// As a cache of halves has it, what no half holds is NaN. An infinite key could make a score −∞, as a mask does, and\n"
    "// nobody would see that something is missing.\n"
    "static void keep(device float *to, float x) { *to = x; }\n"
    "static void keep(device half *to, float x) { *to = isinf(half(x)) ? half(NAN) : half(x); }\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "constant constexpr uint GPU_SHARE = 4; // host: tokens of a thread\n"
    "constant constexpr uint SHARE = SIMD_WIDTH == 1 ? 1 : GPU_SHARE;\n"
    "constant constexpr uint PAGE = 32; // tokens of a page of the KV cache\n"
    "\n"
    "// Split QKV into heads, and append K and V to the KV cache after the lengths[b] tokens it holds:\n"
    "//\n"
    "//   Q[b,h,t,d]                   = qkv[b,t, h·hs + d] + q_bias[h·hs + d]\n"
    "//   keys[b,h,lengths[b]+t,d]     = qkv[b,t, (nh + h)·hs + d] + k_bias[h·hs + d]          for t < counts[b]\n"
    "//   values[b,h,lengths[b]+t,d]   = qkv[b,t, (nh + nkv + h)·hs + d] + v_bias[h·hs + d]    for t < counts[b]\n"
    "//\n"
    "// with nh heads of Q and nkv of K and V, as many or a divisor. A thread takes a channel of a head, a GPU's of up to\n"
    "// SHARE tokens: their reads are on their way at once. Grid (hs, ⌈T / SHARE⌉, B·nh). Row b brings counts[b] ≤ T new\n"
    "// tokens; what is after them is padding and stays out of the cache. The biases are those of the matrix products\n"
    "// which made qkv, added here to save a pass over memory. The cache is of type KV, float or half, and in pages, as\n"
    "// pages.metal has it: token s of row b, keys[b,:,s,:] above, is token s % PAGE of page pages[b, s / PAGE].\n"
    "template <typename KV>\n"
    "kernel void split_heads(\n"
    "    device const float *qkv [[buffer(0)]],    // [B,T,(nh + 2 nkv)·hs]\n"
    "    device const float *q_bias [[buffer(1)]], // [nh·hs]\n"
    "    device const float *k_bias [[buffer(2)]], // [nkv·hs]\n"
    "    device const float *v_bias [[buffer(3)]], // [nkv·hs]\n"
    "    device const uint *lengths [[buffer(4)]], // [B]\n"
    "    device const uint *counts [[buffer(5)]],  // [B]\n"
    "    device float *q [[buffer(6)]],            // [B,nh,T,hs]\n"
    "    device KV *keys [[buffer(7)]],            // [page,nkv,PAGE,hs]\n"
    "    device KV *values [[buffer(8)]],          // [page,nkv,PAGE,hs]\n"
    "    device const uint *pages [[buffer(9)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    constant uint &T [[buffer(10)]],\n"
    "    constant uint &nh [[buffer(11)]],\n"
    "    constant uint &nkv [[buffer(12)]],\n"
    "    constant uint &hs [[buffer(13)]],\n"
    "    constant uint &capacity [[buffer(14)]], // tokens of a row, at most\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, b = id.z / nh, head = id.z % nh, channel = head * hs, N = (nh + 2 * nkv) * hs;\n"
    "    uint distance = (T + SHARE - 1) / SHARE, length = lengths[b];\n"
    "    uint count = min(counts[b], capacity - min(length, capacity));\n"
    "    if (d >= hs || id.y >= distance) return;\n"
    "    for (uint i = 0; i < SHARE; i++) {\n"
    "        uint t = id.y + i * distance;\n"
    "        if (t >= T) break;\n"
    "        ulong from = (ulong(b) * T + t) * N + channel;\n"
    "        q[(ulong(id.z) * T + t) * hs + d] = qkv[from + d] + q_bias[channel + d];\n"
    "        if (t >= count || head >= nkv) continue;\n"
    "        uint s = length + t;\n"
    "        ulong page = pages[ulong(b) * ((capacity + PAGE - 1) / PAGE) + s / PAGE];\n"
    "        ulong to = ((page * nkv + head) * PAGE + s % PAGE) * hs;\n"
    "        keep(keys + to + d, qkv[from + nh * hs + d] + k_bias[channel + d]);\n"
    "        keep(values + to + d, qkv[from + (nh + nkv) * hs + d] + v_bias[channel + d]);\n"
    "    }\n"
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
    {"layernorm.metal",
    "// layernorm.metal — normalise rows to mean 0, std 1, then scale and shift (Ba et al. 2016)\n"
    "//\n"
    "//   out[n,c] = (x[n,c] − mean) / sqrt(variance + epsilon) · weight[c] + bias[c]\n"
    "//\n"
    "// One threadgroup per row n of x[N,C]; its threads stride over the C channels. The variance is taken\n"
    "// in a second pass, from the differences to the mean: the one-pass formula E[x²] − E[x]² loses every\n"
    "// digit when the mean is large. Were the mean exact, the differences would sum to 0; what they sum to instead\n"
    "// is C times its rounding error, which is added to it. Out is half where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "// The sum of `value` over all threads of the threadgroup, returned to each of them.\n"
    "static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup,\n"
    "                             uint simdgroups)\n"
    "{\n"
    "    value = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the reads of the previous call → this write\n"
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
    "    threadgroup float partial[32]; // one for each simdgroup: 1,024 threads are at most 32\n"
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
    "    float mean_error = threadgroup_sum(differences, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    mean += mean_error;\n"
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
    "// One simdgroup per weight row n: its lanes stride over the K inputs and add up their parts. Every weight is read once,\n"
    "// whatever T is; decoding is bound by those bytes. The weights are of type Weight, float, half or ushort (bf16);\n"
    "// linear_blocks.metal does the same for packed ones.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"formats/bf16.h\"\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT, typename Weight>\n"
    "static void row_times_tokens(device const Weight *weight, device const float *x, float bias, device float *out, uint K,\n"
    "                             uint stride, uint lane, uint lanes)\n"
    "{\n"
    "    float sum[COUNT];\n"
    "    for (uint t = 0; t < COUNT; t++) sum[t] = 0.0f;\n"
    "    for (uint k = lane; k < K; k += lanes)\n"
    "        for (uint t = 0; t < COUNT; t++) sum[t] += as_float(weight[k]) * x[ulong(t) * K + k];\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum[t]);\n"
    "        if (lane == 0) out[ulong(t) * stride] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Weight>\n"
    "kernel void linear(\n"
    "    device const float *x [[buffer(0)]],       // [T,K]\n"
    "    device const Weight *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],    // [N]\n"
    "    device float *out [[buffer(3)]],           // [T,stride]: N columns of it\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    constant uint &stride [[buffer(7)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, t = 0;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const Weight *row = weight + ulong(n) * K;\n"
    "    for (; t + 8 <= T; t += 8)\n"
    "        row_times_tokens<8>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "}\n"
    "\n"
    "template [[host_name(\"linear_f32\")]] kernel decltype(linear<float>) linear<float>;\n"
    "template [[host_name(\"linear_f16\")]] kernel decltype(linear<half>) linear<half>;\n"
    "template [[host_name(\"linear_bf16\")]] kernel decltype(linear<ushort>) linear<ushort>;\n"},
    {"linear_blocks.metal",
    "// linear_blocks.metal — weights × vector with packed weights: linear.metal for the block formats\n"
    "//\n"
    "//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// One simdgroup per weight row n; its tokens are taken by 4, by 2 and one by one. A row is made of blocks, a block of\n"
    "// PARTS, a part of PIECES (formats/blocks.h; each format has a page there). The lanes form teams, and a team takes a\n"
    "// part at a time: of 32 lanes each owns one piece of it; the only lane of a CPU owns all pieces and keeps a sum for\n"
    "// each, which the compiler turns into vectors. If a part has fewer pieces than the simdgroup has lanes, several teams\n"
    "// work side by side. Lanes share nothing but the final simd_sum, so there is no barrier.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"formats/all.h\"\n"
    "\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "\n"
    "// sum[t] += part number `part` of a row · x[t] for COUNT tokens: the pieces of one member of a team.\n"
    "template <uint COUNT, uint SUMS, typename Block>\n"
    "static void add_part(device const Block *row, uint part, device const float *x, uint K, uint member,\n"
    "                     uint members, thread float (&sum)[COUNT][SUMS])\n"
    "{\n"
    "    device const Block *block = row + part / Block::PARTS;\n"
    "    float scale = scale_of(block);\n"
    "    x += part * (Block::VALUES / Block::PARTS);\n"
    "    for (uint i = member; i < Block::PIECES; i += members) {\n"
    "        auto piece = unpack(block, part % Block::PARTS, i);\n"
    "        for (uint t = 0; t < COUNT; t++)\n"
    "            sum[t][i / members % SUMS] += scale * piece_times(piece, x + ulong(t) * K + i, Block::PIECES);\n"
    "    }\n"
    "}\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "// Parts go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT, typename Block>\n"
    "static void row_times_tokens(device const Block *row, device const float *x, float bias, device float *out, uint K,\n"
    "                             uint stride, uint lane, uint lanes)\n"
    "{\n"
    "    constexpr bool IN_TEAMS = Block::PIECES < SIMD_WIDTH;\n"
    "    constexpr uint SUMS = (Block::PIECES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token\n"
    "    float even[COUNT][SUMS] = {}, odd[COUNT][SUMS] = {};\n"
    "    uint members = IN_TEAMS ? min(lanes, Block::PIECES) : lanes, teams = IN_TEAMS ? lanes / members : 1;\n"
    "    uint parts = K / Block::VALUES * Block::PARTS, team = IN_TEAMS ? lane / members : 0;\n"
    "    uint member = IN_TEAMS ? lane % members : lane;\n"
    "    uint begin = team < teams ? team : parts; // the lanes left over, too few for a team, have nothing to do\n"
    "    for (uint part = begin; part < parts; part += 2 * teams) {\n"
    "        add_part(row, part, x, K, member, members, even);\n"
    "        if (part + teams >= parts) break;\n"
    "        add_part(row, part + teams, x, K, member, members, odd);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];\n"
    "        total = simd_sum(total);\n"
    "        if (lane == 0) out[ulong(t) * stride] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Block>\n"
    "kernel void linear_blocks(\n"
    "    device const float *x [[buffer(0)]],      // [T,K]\n"
    "    device const Block *weight [[buffer(1)]], // [N,K/VALUES]\n"
    "    device const float *bias [[buffer(2)]],   // [N]\n"
    "    device float *out [[buffer(3)]],          // [T,stride]: N columns of it\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]], // a multiple of VALUES\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    constant uint &stride [[buffer(7)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, t = 0;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const Block *row = weight + ulong(n) * (K / Block::VALUES);\n"
    "    for (; t + 4 <= T; t += 4)\n"
    "        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);\n"
    "}\n"
    "\n"
    "template [[host_name(\"linear_iq4_nl\")]] kernel decltype(linear_blocks<block_iq4_nl>) linear_blocks<block_iq4_nl>;\n"
    "template [[host_name(\"linear_q2_K\")]] kernel decltype(linear_blocks<block_q2_K>) linear_blocks<block_q2_K>;\n"
    "template [[host_name(\"linear_q3_K\")]] kernel decltype(linear_blocks<block_q3_K>) linear_blocks<block_q3_K>;\n"
    "template [[host_name(\"linear_q4_0\")]] kernel decltype(linear_blocks<block_q4_0>) linear_blocks<block_q4_0>;\n"
    "template [[host_name(\"linear_q4_1\")]] kernel decltype(linear_blocks<block_q4_1>) linear_blocks<block_q4_1>;\n"
    "template [[host_name(\"linear_q4_K\")]] kernel decltype(linear_blocks<block_q4_K>) linear_blocks<block_q4_K>;\n"
    "template [[host_name(\"linear_q5_0\")]] kernel decltype(linear_blocks<block_q5_0>) linear_blocks<block_q5_0>;\n"
    "template [[host_name(\"linear_q5_1\")]] kernel decltype(linear_blocks<block_q5_1>) linear_blocks<block_q5_1>;\n"
    "template [[host_name(\"linear_q5_K\")]] kernel decltype(linear_blocks<block_q5_K>) linear_blocks<block_q5_K>;\n"
    "template [[host_name(\"linear_q6_K\")]] kernel decltype(linear_blocks<block_q6_K>) linear_blocks<block_q6_K>;\n"
    "template [[host_name(\"linear_q8_0\")]] kernel decltype(linear_blocks<block_q8_0>) linear_blocks<block_q8_0>;\n"},
    {"logit_bias.metal",
    "// logit_bias.metal — make tokens likelier or less likely: out[b,v] = logits[b,v] + bias[b,v]; −∞ forbids a token\n"
    "//\n"
    "// Out of place: what changes the logits from here on changes a copy, and the model's own stay for logprobs.metal.\n"
    "// Grid (V, B).\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "kernel void add_logit_bias(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const float *bias [[buffer(2)]],           // [B,V] of the rows that have one\n"
    "    device float *out [[buffer(3)]],                  // [B,V]\n"
    "    constant uint &B [[buffer(4)]],\n"
    "    constant uint &V [[buffer(5)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint v = id.x, b = id.y;\n"
    "    if (v >= V || b >= B) return;\n"
    "    ulong at = ulong(b) * V + v;\n"
    "    out[at] = sampling[b].flags & BIASED ? logits[at] + bias[at] : logits[at];\n"
    "}\n"},
    {"logprobs.metal",
    "// logprobs.metal — how likely the token that was taken is, and which would have been the likeliest\n"
    "//\n"
    "//   ln p[v] = logits[v] − max − ln Σ_v exp(logits[v] − max)\n"
    "//\n"
    "// of the chosen token, then of the likeliest, the likeliest first, of two alike the one of the lower index, until as many\n"
    "// are told as the row wants. The logits are the model's own, before bias, penalties and temperature. One threadgroup per\n"
    "// row of logits[B,V]; the result of a position lies in slot `position % SLOTS` of its row, until the host has collected it.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
    "#include \"parts/sum.h\"\n"
    "\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;\n"
    "\n"
    "struct Best {\n"
    "    float logit;\n"
    "    uint index;\n"
    "};\n"
    "\n"
    "static bool is_better(Best a, Best b)\n"
    "{\n"
    "    return a.logit > b.logit || (a.logit == b.logit && a.index < b.index);\n"
    "}\n"
    "\n"
    "// The best of all threads of the threadgroup, returned to each of them.\n"
    "static Best threadgroup_best(\n"
    "    Best own, threadgroup float *best_logits, threadgroup uint *indices, uint lane, uint simdgroup, uint simdgroups)\n"
    "{\n"
    "    float logit = simd_max(own.logit);\n"
    "    uint index = simd_min(own.logit == logit ? own.index : NO_TOKEN);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // both arrays: reads of the one before ↔ these writes\n"
    "    if (lane == 0) {\n"
    "        best_logits[simdgroup] = logit;\n"
    "        indices[simdgroup] = index;\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // both arrays: the writes above → the reads below\n"
    "    Best best = {best_logits[0], indices[0]};\n"
    "    for (uint i = 1; i < simdgroups; i++) {\n"
    "        Best other = {best_logits[i], indices[i]};\n"
    "        if (is_better(other, best)) best = other;\n"
    "    }\n"
    "    return best;\n"
    "}\n"
    "\n"
    "kernel void top_logprobs(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass\n"
    "    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass\n"
    "    device const uint *ids [[buffer(4)]],             // [B] chosen\n"
    "    device uint *tokens [[buffer(5)]],                // [B, SLOTS, TOLD_MOST]\n"
    "    device float *logprobs [[buffer(6)]],             // the same\n"
    "    constant uint &V [[buffer(7)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32], best_logits[32];\n"
    "    threadgroup uint indices[32];\n"
    "    uint told = sampling[b].told;\n"
    "    if (told == 0) return;\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    ulong slot = (ulong(b) * SLOTS + (lengths[b] + counts[b]) % SLOTS) * TOLD_MOST;\n"
    "\n"
    "    Best last = {INFINITY, 0}; // the one before, after which the next comes\n"
    "    float largest = 0.0f, log_sum = 0.0f;\n"
    "    for (uint n = 0; n < max(told - 1, 1u); n++) {\n"
    "        Best best = {-INFINITY, NO_TOKEN};\n"
    "        for (uint v = thread_index; v < V; v += threads) {\n"
    "            Best other = {row[v], v};\n"
    "            if ((n == 0 || is_better(last, other)) && is_better(other, best)) best = other;\n"
    "        }\n"
    "        last = threadgroup_best(best, best_logits, indices, lane, simdgroup, simdgroups);\n"
    "        if (n == 0) {\n"
    "            float sum = 0.0f;\n"
    "            largest = last.logit;\n"
    "            for (uint v = thread_index; v < V; v += threads) sum += exp(row[v] - largest);\n"
    "            log_sum = log(threadgroup_sum(sum, partial, lane, simdgroup, simdgroups));\n"
    "        }\n"
    "        if (thread_index == 0 && 1 + n < told) {\n"
    "            tokens[slot + 1 + n] = last.index;\n"
    "            logprobs[slot + 1 + n] = last.logit - largest - log_sum;\n"
    "        }\n"
    "    }\n"
    "    if (thread_index != 0) return;\n"
    "    tokens[slot] = ids[b];\n"
    "    logprobs[slot] = row[min(ids[b], V - 1)] - largest - log_sum;\n"
    "}\n"},
    {"pages.metal",
    "// pages.metal — the KV cache lies in pages, which a row of the batch gets as it grows\n"
    "//\n"
    "//   keys or values of token s of row b, head h:   cache[pages[b, s / PAGE], h, s % PAGE, :]\n"
    "//\n"
    "// So memory is taken as tokens come, whatever a row may grow to, and rows that begin alike can share pages. The tokens\n"
    "// of a head in one page lie side by side: who walks over them looks a page up once for PAGE of them. The table `pages`\n"
    "// has an entry for every page that a row could have; those that it does not have are not looked at.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint PAGE = 32; // host: tokens\n"
    "\n"
    "// What the queries of a pass see of a row, the last `window` tokens before the first of them and the new ones, token\n"
    "// beside token, as attention.metal reads it. One thread per number, grid (hs, capacity, B·nkv).\n"
    "template <typename KV>\n"
    "kernel void gather_pages(\n"
    "    device const KV *cache [[buffer(0)]],     // [page,nkv,PAGE,hs]\n"
    "    device const uint *pages [[buffer(1)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device const uint *lengths [[buffer(2)]], // [B]\n"
    "    device const uint *counts [[buffer(3)]],  // [B]\n"
    "    device KV *out [[buffer(4)]],             // [B,nkv,capacity,hs]\n"
    "    constant uint &nkv [[buffer(5)]],\n"
    "    constant uint &hs [[buffer(6)]],\n"
    "    constant uint &capacity [[buffer(7)]],\n"
    "    constant uint &window [[buffer(8)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint d = id.x, s = id.y, b = id.z / nkv, head = id.z % nkv;\n"
    "    if (d >= hs || s >= capacity) return;\n"
    "    uint first = lengths[b] + min(1u, counts[b]); // of the queries, what it sees ends here\n"
    "    if (s < first - min(first, window) || s >= lengths[b] + counts[b]) return;\n"
    "    ulong page = pages[ulong(b) * ((capacity + PAGE - 1) / PAGE) + s / PAGE];\n"
    "    out[(ulong(id.z) * capacity + s) * hs + d] = cache[((page * nkv + head) * PAGE + s % PAGE) * hs + d];\n"
    "}\n"
    "\n"
    "template [[host_name(\"gather_pages_f32\")]] kernel decltype(gather_pages<float>) gather_pages<float>;\n"
    "template [[host_name(\"gather_pages_f16\")]] kernel decltype(gather_pages<half>) gather_pages<half>;\n"
    "\n"
    "// To a larger cache: out[i] = in[i], whatever it is that has four bytes. One thread per word, grid N.\n"
    "kernel void copy_pages(\n"
    "    device const uint *in [[buffer(0)]], // [N]\n"
    "    device uint *out [[buffer(1)]],      // [N]\n"
    "    constant uint &N [[buffer(2)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i < N) out[i] = in[i];\n"
    "}\n"
    "\n"
    "// A page that rows share, and that one of them is about to write to, is copied first: to page `own`. One thread per\n"
    "// word of a page, grid N.\n"
    "kernel void copy_page(\n"
    "    device uint *cache [[buffer(0)]], // [page,N]\n"
    "    constant uint &shared [[buffer(1)]],\n"
    "    constant uint &own [[buffer(2)]],\n"
    "    constant uint &N [[buffer(3)]],\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i < N) cache[ulong(own) * N + i] = cache[ulong(shared) * N + i];\n"
    "}\n"},
    {"penalties.metal",
    "// penalties.metal — make what has just been said less likely\n"
    "//\n"
    "//   n = how often token v is among the last `window` tokens of the row, the prompt's too; for n > 0\n"
    "//   logits[v] is divided by `repetition` if it is positive, else multiplied by it   (Keskar et al. 2019)\n"
    "//   logits[v] −= presence + n · frequency\n"
    "//\n"
    "// as llama.cpp does. One thread per place in a window, grid (the longest, B): the thread of a token's last occurrence\n"
    "// counts the others and changes its logit, so no two threads change the same.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "kernel void penalise_repeats(\n"
    "    device const uint *history [[buffer(0)]],         // [B, capacity + 1] the tokens of each row, at their positions\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass\n"
    "    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass\n"
    "    device float *logits [[buffer(4)]],               // [B,V]\n"
    "    constant uint &B [[buffer(5)]],\n"
    "    constant uint &V [[buffer(6)]],\n"
    "    constant uint &capacity [[buffer(7)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint b = id.y;\n"
    "    if (b >= B) return;\n"
    "    device const RowSampling &wanted = sampling[b];\n"
    "    uint length = lengths[b] + counts[b], seen = min(length, wanted.window);\n"
    "    if (id.x >= seen) return;\n"
    "    device const uint *last = history + ulong(b) * (capacity + 1) + (length - seen); // the window\n"
    "    uint place = id.x, token = last[place], n = 0, later = 0;\n"
    "    for (uint i = 0; i < seen; i++) {\n"
    "        n += uint(last[i] == token);\n"
    "        later += uint(i > place && last[i] == token);\n"
    "    }\n"
    "    if (later || token >= V) return; // not below V: the sentinel of a failed sample\n"
    "    device float *logit = logits + ulong(b) * V + token;\n"
    "    float value = *logit > 0.0f ? *logit / wanted.repetition : *logit * wanted.repetition;\n"
    "    *logit = value - (wanted.presence + float(n) * wanted.frequency);\n"
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
    "#include \"parts/sum.h\"\n"
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
    {"rmsnorm.metal",
    "// rmsnorm.metal — scale rows to a mean square of 1, then each channel by its weight (Zhang & Sennrich 2019)\n"
    "//\n"
    "//   rmsnorm_forward    out[n,c] = x[n,c] / sqrt(Σ_c x[n,c]² / C + epsilon) · weight[c]\n"
    "//   residual_rmsnorm   res[n,c] = x[n,c] + (y[n,c] + y_bias[c]),   out = rmsnorm of res\n"
    "//\n"
    "// layernorm.metal without the mean and without the shift: Llama and its relatives learn as well with half of the work.\n"
    "// One threadgroup per row n; its threads stride over the C channels. As residual.metal does, residual_rmsnorm adds what\n"
    "// a block of the transformer has made to the stream, on the way to the norm of the next. What comes out is of type Out:\n"
    "// half where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sum.h\"\n"
    "\n"
    "template <typename Out>\n"
    "kernel void rmsnorm_forward(\n"
    "    device const float *x [[buffer(0)]],      // [N,C]\n"
    "    device const float *weight [[buffer(1)]], // [C]\n"
    "    device Out *out [[buffer(2)]],            // [N,C]\n"
    "    constant uint &C [[buffer(3)]],\n"
    "    constant float &epsilon [[buffer(4)]],\n"
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
    "    float squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) squares += x[start + c] * x[start + c];\n"
    "    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    float scale = 1.0f / sqrt(mean + epsilon);\n"
    "    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(x[start + c] * scale * weight[c]);\n"
    "}\n"
    "\n"
    "template <typename Out>\n"
    "kernel void residual_rmsnorm(\n"
    "    device const float *x [[buffer(0)]],      // [N,C]\n"
    "    device const float *y [[buffer(1)]],      // [N,C]\n"
    "    device const float *y_bias [[buffer(2)]], // [C]\n"
    "    device const float *weight [[buffer(3)]], // [C]\n"
    "    device float *res [[buffer(4)]],          // [N,C]\n"
    "    device Out *out [[buffer(5)]],            // [N,C]\n"
    "    constant uint &C [[buffer(6)]],\n"
    "    constant float &epsilon [[buffer(7)]],\n"
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
    "    float squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) {\n"
    "        float value = x[start + c] + (y[start + c] + y_bias[c]);\n"
    "        res[start + c] = value;\n"
    "        squares += value * value;\n"
    "    }\n"
    "    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    float scale = 1.0f / sqrt(mean + epsilon);\n"
    "    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(res[start + c] * scale * weight[c]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"rmsnorm_forward\")]] kernel decltype(rmsnorm_forward<float>) rmsnorm_forward<float>;\n"
    "template [[host_name(\"rmsnorm_forward_f16\")]] kernel decltype(rmsnorm_forward<half>) rmsnorm_forward<half>;\n"
    "template [[host_name(\"residual_rmsnorm\")]] kernel decltype(residual_rmsnorm<float>) residual_rmsnorm<float>;\n"
    "template [[host_name(\"residual_rmsnorm_f16\")]] kernel decltype(residual_rmsnorm<half>) residual_rmsnorm<half>;\n"},
    {"rope.metal",
    "// rope.metal — positions as angles: pairs of channels of Q and K are turned (Su et al. 2021)\n"
    "//\n"
    "//   (a, b) → magnitude · (a cos φ − b sin φ, a sin φ + b cos φ)        φ = (lengths[b] + t) · frequencies[p]\n"
    "//\n"
    "// Two turned vectors have the dot product that the distance of their positions gives them. Pair p of a head is\n"
    "// channels (2p, 2p + 1), `rope_adjacent`, or (p, p + rotary / 2), `rope_halves`; channels from `rotary` on are not\n"
    "// turned. The frequencies, and what scaling does to them, come from the host; the magnitude is YaRN's, else 1.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/cos_sin.h\"\n"
    "\n"
    "// A thread takes a pair, in place; grid (⌈hs / 2⌉, nh + nkv, B·T): the heads of Q, then those of K. The biases are\n"
    "// those of the matrix products which made qkv, added here to save a pass over memory; that of V is still owed.\n"
    "template <bool HALVES>\n"
    "kernel void rope(\n"
    "    device float *qkv [[buffer(0)]],               // [B,T,(nh + 2 nkv)·hs]\n"
    "    device const float *q_bias [[buffer(1)]],      // [nh·hs]\n"
    "    device const float *k_bias [[buffer(2)]],      // [nkv·hs]\n"
    "    device const uint *lengths [[buffer(3)]],      // [B] tokens before these\n"
    "    device const float *frequencies [[buffer(4)]], // [rotary / 2]\n"
    "    constant uint &T [[buffer(5)]],\n"
    "    constant uint &nh [[buffer(6)]],\n"
    "    constant uint &nkv [[buffer(7)]],\n"
    "    constant uint &hs [[buffer(8)]],\n"
    "    constant uint &rotary [[buffer(9)]], // ≤ hs, even\n"
    "    constant float &magnitude [[buffer(10)]],\n"
    "    uint3 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint head = id.y, row = id.z, pairs = rotary / 2, N = (nh + 2 * nkv) * hs, channel = head * hs;\n"
    "    ulong p = id.x, x = ulong(row) * N + channel;\n"
    "    float position = float(lengths[row / T] + row % T);\n"
    "    device const float *bias = head < nh ? q_bias + channel : k_bias + (channel - nh * hs);\n"
    "    if (p >= (hs + 1) / 2 || head >= nh + nkv) return;\n"
    "    if (p < pairs) {\n"
    "        ulong first = HALVES ? p : 2 * p, second = HALVES ? p + pairs : 2 * p + 1;\n"
    "        float2 turn = cos_sin(position * frequencies[p]) * magnitude;\n"
    "        float a = qkv[x + first] + bias[first], b = qkv[x + second] + bias[second];\n"
    "        qkv[x + first] = a * turn.x - b * turn.y;\n"
    "        qkv[x + second] = a * turn.y + b * turn.x;\n"
    "    } else {\n"
    "        qkv[x + 2 * p] += bias[2 * p];\n"
    "        if (2 * p + 1 < hs) qkv[x + 2 * p + 1] += bias[2 * p + 1];\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"rope_adjacent\")]] kernel decltype(rope<false>) rope<false>;\n"
    "template [[host_name(\"rope_halves\")]] kernel decltype(rope<true>) rope<true>;\n"},
    {"sampling.metal",
    "// sampling.metal — draw a token: temperature, top-k, top-p, min-p, then one random number per row\n"
    "//\n"
    "//   p[v] = exp((logits[v] − max) / temperature)\n"
    "//   keep the top_k largest p, of these the largest that make up top_p of their sum, of these all p ≥ min_p\n"
    "//   id   = the first kept v whose running sum exceeds u · Σ p, u uniform in [0, 1)\n"
    "//\n"
    "// in that order, as Hugging Face's generate does; ties at a cut are all kept. One threadgroup per row of logits[B,V]. u\n"
    "// is Philox4x32-10 (Salmon et al. 2011) of (the row's seed, position of the new token): one seed gives one text. A NaN\n"
    "// or +∞ gives NO_TOKEN, which the host reports.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/draw.h\"\n"
    "#include \"parts/random.h\"\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "kernel void top_k_top_p_sample(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass\n"
    "    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass\n"
    "    device float *scratch [[buffer(4)]],              // [B,V] for p\n"
    "    device uint *ids [[buffer(5)]],                   // [B]\n"
    "    constant uint &V [[buffer(6)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32];\n"
    "    device const RowSampling &wanted = sampling[b];\n"
    "    if (wanted.method != DRAWN) return;\n"
    "    float temperature = wanted.temperature, top_p = wanted.top_p;\n"
    "    Team team = {partial, lane, simdgroup, simdgroups};\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    device float *p = scratch + ulong(b) * V;\n"
    "    // A thread owns neighbours; their p take turns with those of the others, so that what a simdgroup reads at a time\n"
    "    // lies side by side.\n"
    "    Range mine = share_of(V, thread_index, threads);\n"
    "    Share own = {p + thread_index, mine.count, threads};\n"
    "\n"
    "    float largest = -INFINITY;\n"
    "    for (uint v = thread_index; v < V; v += threads) largest = max(largest, row[v]);\n"
    "    largest = threadgroup_max(largest, team);\n"
    "    for (uint i = 0; i < mine.count; i++) own.weight[i * threads] = exp((row[mine.begin + i] - largest) / temperature);\n"
    "\n"
    "    uint cut = wanted.top_k < V ? find_cut(own, float(wanted.top_k), true, team) : 0;\n"
    "    if (top_p < 1.0f) cut = max(cut, find_cut(own, top_p * kept_by(own, cut, false, team), false, team));\n"
    "    cut = max(cut, as_type<uint>(wanted.min_p));\n"
    "    threadgroup_barrier(mem_flags::mem_device); // p: the writes above → the reads of other threads below\n"
    "    float u = uniform_random(wanted.seed, lengths[b] + counts[b]);\n"
    "    uint id;\n"
    "    if (draw(p, V, cut, u, thread_index, threads, team, id)) ids[b] = id;\n"
    "}\n"},
    {"sandwich_norm.metal",
    "// sandwich_norm.metal — a norm after a block of the transformer and one before the next, for Gemma\n"
    "//\n"
    "//   res[n,c] = x[n,c] + rmsnorm(y)[n,c] · after[c]\n"
    "//   out[n,c] = rmsnorm(res)[n,c] · weight[c]              rmsnorm(x)[n,c] = x[n,c] / sqrt(Σ_c x[n,c]² / C + epsilon)\n"
    "//\n"
    "// residual_rmsnorm of rmsnorm.metal, but that the stream gets what the block has made, y, only once that is normalised\n"
    "// itself: so a deep stream does not grow without bound. One threadgroup per row n; its threads stride over the C\n"
    "// channels. What comes out is of type Out: half where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sum.h\"\n"
    "\n"
    "template <typename Out>\n"
    "kernel void sandwich_rmsnorm(\n"
    "    device const float *x [[buffer(0)]],      // [N,C]\n"
    "    device const float *y [[buffer(1)]],      // [N,C]\n"
    "    device const float *after [[buffer(2)]],  // [C]\n"
    "    device const float *weight [[buffer(3)]], // [C]\n"
    "    device float *res [[buffer(4)]],          // [N,C]\n"
    "    device Out *out [[buffer(5)]],            // [N,C]\n"
    "    constant uint &C [[buffer(6)]],\n"
    "    constant float &epsilon [[buffer(7)]],\n"
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
    "    float squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) squares += y[start + c] * y[start + c];\n"
    "    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    // Each thread reads back only the elements of res that it wrote itself: no barrier is needed.\n"
    "    float scale = 1.0f / sqrt(mean + epsilon);\n"
    "    squares = 0.0f;\n"
    "    for (uint c = thread_index; c < C; c += threads) {\n"
    "        float value = x[start + c] + y[start + c] * scale * after[c];\n"
    "        res[start + c] = value;\n"
    "        squares += value * value;\n"
    "    }\n"
    "    mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);\n"
    "\n"
    "    scale = 1.0f / sqrt(mean + epsilon);\n"
    "    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(res[start + c] * scale * weight[c]);\n"
    "}\n"
    "\n"
    "template [[host_name(\"sandwich_rmsnorm\")]] kernel decltype(sandwich_rmsnorm<float>) sandwich_rmsnorm<float>;\n"
    "template [[host_name(\"sandwich_rmsnorm_f16\")]] kernel decltype(sandwich_rmsnorm<half>) sandwich_rmsnorm<half>;\n"},
    {"softmax.metal",
    "// softmax.metal — scores → weights that add up to 1, between the two kernels of attention.metal\n"
    "//\n"
    "//   att[n,s] = exp(att[n,s] − max) / Σ_s exp(att[n,s] − max)      max = the largest of the row\n"
    "//\n"
    "// The row's maximum is subtracted before exp, so nothing overflows. One threadgroup per row of att[N,S], its threads\n"
    "// stride over S. An element −∞ becomes 0.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
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
    "}\n"},
    {"step.metal",
    "// step.metal — what moves from one pass to the next, kept on the device so that the host need not look\n"
    "//\n"
    "// Row b of the batch has lengths[b] tokens in the KV cache and brings counts[b] new ones in this pass:\n"
    "// a prompt, one token while decoding, or none when it is full or unused.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
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
    "// written to history[b, lengths[b]], and where the host collects it. One thread per row, grid B.\n"
    "kernel void advance_step(\n"
    "    device const uint *ids [[buffer(0)]], // [B] sampled\n"
    "    device uint *lengths [[buffer(1)]],   // [B]\n"
    "    device uint *counts [[buffer(2)]],    // [B]\n"
    "    device uint *history [[buffer(3)]],   // [B, capacity + 1]\n"
    "    device uint *drawn [[buffer(4)]],     // [B, SLOTS]\n"
    "    constant uint &B [[buffer(5)]],\n"
    "    constant uint &capacity [[buffer(6)]],\n"
    "    uint b [[thread_position_in_grid]])\n"
    "{\n"
    "    if (b >= B || counts[b] == 0) return;\n"
    "    uint length = lengths[b] + counts[b];\n"
    "    lengths[b] = length;\n"
    "    counts[b] = length < capacity ? 1 : 0;\n"
    "    history[ulong(b) * (capacity + 1) + length] = ids[b];\n"
    "    drawn[b * SLOTS + length % SLOTS] = ids[b];\n"
    "}\n"},
    {"token_mask.metal",
    "// token_mask.metal — leave over the tokens that may come next: the logits of all others become −∞\n"
    "//\n"
    "// Which these are is the host's to say, a bit for each token: bit v % 32 of word v / 32. Grid (V, B).\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "kernel void mask_tokens(\n"
    "    device const RowSampling *sampling [[buffer(0)]], // [B]\n"
    "    device const uint *allowed [[buffer(1)]],         // [B, ⌈V / 32⌉] of the rows that have a mask\n"
    "    device float *logits [[buffer(2)]],               // [B,V]\n"
    "    constant uint &B [[buffer(3)]],\n"
    "    constant uint &V [[buffer(4)]],\n"
    "    uint2 id [[thread_position_in_grid]])\n"
    "{\n"
    "    uint v = id.x, b = id.y;\n"
    "    if (v >= V || b >= B || !(sampling[b].flags & MASKED)) return;\n"
    "    uint words = (V + 31) / 32;\n"
    "    if (!(allowed[ulong(b) * words + v / 32] >> (v % 32) & 1)) logits[ulong(b) * V + v] = -INFINITY;\n"
    "}\n"},
    {"typical.metal",
    "// typical.metal — keep the tokens that are about as surprising as is to be expected (Meister et al. 2022)\n"
    "//\n"
    "//   p[v]     = exp((logits[v] − max) / temperature), of the top_k largest; P = Σ p\n"
    "//   d[v]     = (max − logits[v]) / temperature, the surprise −ln (p[v] / P) but for ln P\n"
    "//   mean     = Σ p · d / P, so that |d − mean| is how far a surprise is from the entropy\n"
    "//   keep the tokens of the least |d − mean| that make up `typical` of P; the logits of the others become −∞\n"
    "//\n"
    "// One threadgroup per row of logits[B,V]; ties at a cut are all kept. A row with a NaN or +∞, or of nothing but −∞,\n"
    "// stays as it is.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/cut.h\"\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "// How far the surprise of a token is from the mean, as an integer of the same order.\n"
    "static uint distance(float logit, float largest, float temperature, float mean)\n"
    "{\n"
    "    return as_type<uint>(fabs((largest - logit) / temperature - mean));\n"
    "}\n"
    "\n"
    "kernel void keep_typical(\n"
    "    device float *logits [[buffer(0)]],               // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device float *scratch [[buffer(2)]],              // [B,V] for p\n"
    "    constant uint &V [[buffer(3)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[32];\n"
    "    device const RowSampling &wanted = sampling[b];\n"
    "    if (wanted.typical == 0.0f) return;\n"
    "    float temperature = wanted.temperature;\n"
    "    Team team = {partial, lane, simdgroup, simdgroups};\n"
    "    // Each thread owns every threads-th token, and reads only what it wrote itself.\n"
    "    device float *row = logits + ulong(b) * V + thread_index;\n"
    "    uint count = V / threads + uint(thread_index < V % threads);\n"
    "    Share own = {scratch + ulong(b) * V + thread_index, count, threads};\n"
    "\n"
    "    float largest = -INFINITY, product = 0.0f;\n"
    "    for (uint i = 0; i < count; i++) largest = max(largest, row[i * threads]);\n"
    "    largest = threadgroup_max(largest, team);\n"
    "    for (uint i = 0; i < count; i++) own.weight[i * threads] = exp((row[i * threads] - largest) / temperature);\n"
    "    uint cut = wanted.top_k < V ? find_cut(own, float(wanted.top_k), true, team) : 0;\n"
    "\n"
    "    for (uint i = 0; i < count; i++) {\n"
    "        float weight = own.weight[i * threads];\n"
    "        if (as_type<uint>(weight) < cut || weight == 0.0f)\n"
    "            own.weight[i * threads] = 0.0f;\n"
    "        else\n"
    "            product += weight * ((largest - row[i * threads]) / temperature);\n"
    "    }\n"
    "    float sum = kept_by(own, 0, false, team);\n"
    "    float mean = threadgroup_sum(product, team) / sum;\n"
    "    if (isnan(mean)) return;\n"
    "\n"
    "    // The largest distance below which too little lies, bit by bit: what lies no further is enough.\n"
    "    uint farthest = 0;\n"
    "    for (uint bit = 1u << 30; bit; bit >>= 1) {\n"
    "        float nearer = 0.0f;\n"
    "        for (uint i = 0; i < count; i++) {\n"
    "            uint far = distance(row[i * threads], largest, temperature, mean);\n"
    "            nearer += far < (farthest | bit) ? own.weight[i * threads] : 0.0f;\n"
    "        }\n"
    "        nearer = threadgroup_sum(nearer, team);\n"
    "        if (nearer < wanted.typical * sum) farthest |= bit;\n"
    "    }\n"
    "    for (uint i = 0; i < count; i++) {\n"
    "        bool is_near = distance(row[i * threads], largest, temperature, mean) <= farthest;\n"
    "        row[i * threads] = own.weight[i * threads] > 0.0f && is_near ? row[i * threads] : -INFINITY;\n"
    "    }\n"
    "}\n"},
    {"fast/block_planes.metal",
    "// block_planes.metal — blocks with their scales apart, so that a lane reads 16 bytes of weights at once\n"
    "//\n"
    "//   in    scale values │ scale values │ …      or the scale after the values\n"
    "//   out   values values … │ scale scale …\n"
    "//\n"
    "// A block of q8_0 is 34 bytes and one of q6_K 210, so that hardly any begins where vectors do. Without the scale they\n"
    "// are 32 and 208, and after all of them there is one plane of scales: as many bytes as before, each of them the same.\n"
    "// `size` halves, of 2 bytes, are a block, and half number `scale` is its scale. Grid: as many threads as `count`.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "kernel void block_planes(\n"
    "    device const char2 *in [[buffer(0)]], // [count]\n"
    "    device char2 *out [[buffer(1)]],      // [count]\n"
    "    constant uint &count [[buffer(2)]],    // size times the number of blocks\n"
    "    constant uint &size [[buffer(3)]],\n"
    "    constant uint &scale [[buffer(4)]], // 0 or size − 1\n"
    "    uint i [[thread_position_in_grid]])\n"
    "{\n"
    "    if (i >= count) return;\n"
    "    uint block = i / size, at = i % size, values = size - 1;\n"
    "    ulong plane = ulong(count / size) * values;\n"
    "    if (at == scale)\n"
    "        out[plane + block] = in[i];\n"
    "    else\n"
    "        out[ulong(block) * values + at - (at > scale ? 1 : 0)] = in[i];\n"
    "}\n"},
    {"fast/flash_attention_prompt.metal",
    "// flash_attention_prompt.metal — flash_attention.metal for the many queries of a prompt, heads of HS channels\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per block of QUERIES queries, grid (⌈T · nh / nkv / QUERIES⌉, nkv, B), which are those of\n"
    "// flash_attention_shared.metal; a thread has SHARE of them, one on a GPU and all on a CPU, where they lie side by side\n"
    "// in a vector. Together they go through the keys, a page at a time: a number of K or V is read once for all of them,\n"
    "// maxima, totals and exponentials are vectors as well, and nothing is ever added up across one. As in\n"
    "// flash_attention.metal each query keeps a running maximum m, total l and weighted sum of V. Token t of row b sees the\n"
    "// last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). The KV cache is of type KV.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/pages.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint QUERIES = 32; // host: per threadgroup\n"
    "constant constexpr uint SHARE = QUERIES / SIMD_WIDTH;\n"
    "constant constexpr uint KEYS = 8; // of a page, whose sums stay in registers\n"
    "\n"
    "// What a thread knows of its queries.\n"
    "template <uint HS> struct Queries {\n"
    "    float q[HS][SHARE];   // · scale\n"
    "    float sum[HS][SHARE]; // of V, weighted\n"
    "    float m[SHARE], l[SHARE];\n"
    "    uint from[SHARE], limit[SHARE]; // of the keys that it sees\n"
    "};\n"
    "\n"
    "// weight[s][j] = K[s] · q[j] for COUNT keys\n"
    "template <uint COUNT, uint HS, typename KV>\n"
    "static void score(thread const Queries<HS> &queries, device const KV *keys, thread float (*weight)[SHARE])\n"
    "{\n"
    "    float sum[COUNT][SHARE];\n"
    "    for (uint s = 0; s < COUNT; s++)\n"
    "        for (uint j = 0; j < SHARE; j++) sum[s][j] = 0.0f;\n"
    "    for (uint d = 0; d < HS; d++) {\n"
    "        float q[SHARE];\n"
    "        for (uint j = 0; j < SHARE; j++) q[j] = queries.q[d][j];\n"
    "        for (uint s = 0; s < COUNT; s++)\n"
    "            for (uint j = 0; j < SHARE; j++) sum[s][j] += float(keys[s * HS + d]) * q[j];\n"
    "    }\n"
    "    for (uint s = 0; s < COUNT; s++)\n"
    "        for (uint j = 0; j < SHARE; j++) weight[s][j] = sum[s][j];\n"
    "}\n"
    "\n"
    "// From scores to their exponentials; what was summed up so far shrinks by as much as the maximum has grown.\n"
    "template <uint HS>\n"
    "static void soften(thread Queries<HS> &queries, thread float (*weight)[SHARE], uint from, uint count)\n"
    "{\n"
    "    float largest[SHARE], shrink[SHARE], total[SHARE];\n"
    "    for (uint j = 0; j < SHARE; j++) largest[j] = queries.m[j];\n"
    "    for (uint s = 0; s < count; s++)\n"
    "        for (uint j = 0; j < SHARE; j++) {\n"
    "            bool seen = from + s >= queries.from[j] && from + s < queries.limit[j];\n"
    "            weight[s][j] = seen ? weight[s][j] : -INFINITY;\n"
    "            largest[j] = max(largest[j], weight[s][j]);\n"
    "        }\n"
    "    for (uint j = 0; j < SHARE; j++) {\n"
    "        shrink[j] = exp(queries.m[j] - largest[j]); // 0 when the first key is seen\n"
    "        queries.m[j] = largest[j];\n"
    "        total[j] = 0.0f;\n"
    "    }\n"
    "    for (uint s = 0; s < count; s++)\n"
    "        for (uint j = 0; j < SHARE; j++) {\n"
    "            weight[s][j] = exp(weight[s][j] - largest[j]);\n"
    "            total[j] += weight[s][j];\n"
    "        }\n"
    "    for (uint j = 0; j < SHARE; j++) queries.l[j] = queries.l[j] * shrink[j] + total[j];\n"
    "    for (uint d = 0; d < HS; d++)\n"
    "        for (uint j = 0; j < SHARE; j++) queries.sum[d][j] *= shrink[j];\n"
    "}\n"
    "\n"
    "// sum[j] += Σ_s weight[s][j] · V[s] for COUNT keys\n"
    "template <uint COUNT, uint HS, typename KV>\n"
    "static void mix(thread Queries<HS> &queries, device const KV *values, thread const float (*weight)[SHARE])\n"
    "{\n"
    "    float w[COUNT][SHARE];\n"
    "    for (uint s = 0; s < COUNT; s++)\n"
    "        for (uint j = 0; j < SHARE; j++) w[s][j] = weight[s][j];\n"
    "    for (uint d = 0; d < HS; d++) {\n"
    "        float sum[SHARE];\n"
    "        for (uint j = 0; j < SHARE; j++) sum[j] = queries.sum[d][j];\n"
    "        for (uint s = 0; s < COUNT; s++)\n"
    "            for (uint j = 0; j < SHARE; j++) sum[j] += float(values[s * HS + d]) * w[s][j];\n"
    "        for (uint j = 0; j < SHARE; j++) queries.sum[d][j] = sum[j];\n"
    "    }\n"
    "}\n"
    "\n"
    "// Keys from … from + count − 1.\n"
    "template <uint HS, typename KV>\n"
    "static void attend(thread Queries<HS> &queries, device const KV *keys, device const KV *values, uint from, uint count)\n"
    "{\n"
    "    float weight[PAGE][SHARE];\n"
    "    uint whole = count / KEYS * KEYS;\n"
    "    for (uint s = 0; s < whole; s += KEYS) score<KEYS>(queries, keys + s * HS, weight + s);\n"
    "    for (uint s = whole; s < count; s++) score<1>(queries, keys + s * HS, weight + s);\n"
    "    soften(queries, weight, from, count);\n"
    "    for (uint s = 0; s < whole; s += KEYS) mix<KEYS>(queries, values + s * HS, weight + s);\n"
    "    for (uint s = whole; s < count; s++) mix<1>(queries, values + s * HS, weight + s);\n"
    "}\n"
    "\n"
    "template <uint HS, typename KV>\n"
    "kernel void flash_attention_prompt(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,HS]\n"
    "    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,HS]\n"
    "    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,HS]\n"
    "    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device const uint *lengths [[buffer(4)]], // [B]\n"
    "    device const uint *counts [[buffer(5)]],  // [B]\n"
    "    device float *out [[buffer(6)]],          // [B,T,nh,HS]\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &nh [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    constant uint &window [[buffer(10)]],\n"
    "    constant float &scale [[buffer(11)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]])\n"
    "{\n"
    "    uint b = group.z, nkv = groups.y, heads = nh / nkv;\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "    for (uint begin = thread_index * SHARE; begin < QUERIES; begin += group_size.x * SHARE) {\n"
    "        uint first = group.x * QUERIES + begin; // of this thread's queries\n"
    "        if (first >= T * heads) break;\n"
    "        Queries<HS> queries;\n"
    "        for (uint j = 0; j < SHARE; j++) { // what is after the last query is that query again\n"
    "            uint n = min(first + j, T * heads - 1), t = n / heads, head = group.y * heads + n % heads;\n"
    "            queries.m[j] = -FLT_MAX; // not −∞, if no key is seen yet: exponents are never NaN\n"
    "            queries.l[j] = 0.0f;\n"
    "            queries.limit[j] = lengths[b] + min(t + 1, counts[b]);\n"
    "            queries.from[j] = queries.limit[j] - min(queries.limit[j], window);\n"
    "            for (uint d = 0; d < HS; d++) {\n"
    "                queries.q[d][j] = q[((ulong(b) * nh + head) * T + t) * HS + d] * scale;\n"
    "                queries.sum[d][j] = 0.0f;\n"
    "            }\n"
    "        }\n"
    "        uint end = queries.limit[SHARE - 1]; // of what they see together\n"
    "        for (uint s = queries.from[0], next = 0; s < end; s = next) {\n"
    "            next = min(end, (s / PAGE + 1) * PAGE);\n"
    "            ulong start = page_start(row[s / PAGE], nkv, group.y, HS) + s % PAGE * HS;\n"
    "            attend(queries, keys + start, values + start, s, next - s);\n"
    "        }\n"
    "        for (uint j = 0; j < min(SHARE, T * heads - first); j++) {\n"
    "            uint t = (first + j) / heads, head = group.y * heads + (first + j) % heads;\n"
    "            for (uint d = 0; d < HS; d++)\n"
    "                out[((ulong(b) * T + t) * nh + head) * HS + d] = queries.sum[d][j] / queries.l[j];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_prompt_hs64_f32\")]] kernel decltype(flash_attention_prompt<64, float>) flash_attention_prompt<64, float>;\n"
    "template [[host_name(\"flash_attention_prompt_hs64_f16\")]] kernel decltype(flash_attention_prompt<64, half>) flash_attention_prompt<64, half>;\n"
    "template [[host_name(\"flash_attention_prompt_hs128_f32\")]] kernel decltype(flash_attention_prompt<128, float>) flash_attention_prompt<128, float>;\n"
    "template [[host_name(\"flash_attention_prompt_hs128_f16\")]] kernel decltype(flash_attention_prompt<128, half>) flash_attention_prompt<128, half>;\n"
    "template [[host_name(\"flash_attention_prompt_hs256_f32\")]] kernel decltype(flash_attention_prompt<256, float>) flash_attention_prompt<256, float>;\n"
    "template [[host_name(\"flash_attention_prompt_hs256_f16\")]] kernel decltype(flash_attention_prompt<256, half>) flash_attention_prompt<256, half>;\n"},
    {"fast/flash_attention_shared.metal",
    "// flash_attention_shared.metal — flash_attention.metal for heads of HS channels, several queries at once\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per tile of QUERIES queries, grid (⌈T · nh / nkv / QUERIES⌉, nkv, B): a key that is read serves all\n"
    "// of them, those of the nh / nkv heads that share it as well as those of neighbouring tokens, and sums of known length\n"
    "// stay in registers. Query n of a head of keys is that of token n / (nh / nkv). Otherwise as in flash_attention.metal:\n"
    "// simdgroups stride over tiles of keys, keep a running maximum m, total l and weighted sum of V for each query, and are\n"
    "// merged at the end. Token t of row b sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). The KV\n"
    "// cache is of type KV, float or half.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/pages.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint QUERIES = 4;            // host: per threadgroup\n"
    "constant constexpr uint TILE = 2 * PAGE;        // keys\n"
    "constant constexpr uint MAX_SUMS = 512;         // of each query; more simdgroups than have room rest\n"
    "constant constexpr uint DIMS = 64 / SIMD_WIDTH; // of a query's sum, per lane and at once\n"
    "\n"
    "// Keys or values of a tile, which are in two pages: those from `begin` to before `end`.\n"
    "template <typename KV> struct Tile {\n"
    "    device const KV *pages[2];\n"
    "    uint begin, end;\n"
    "};\n"
    "\n"
    "template <uint HS, typename KV> static device const KV *at(thread const Tile<KV> &tile, uint s)\n"
    "{\n"
    "    return (s < PAGE ? tile.pages[0] : tile.pages[1]) + s % PAGE * HS;\n"
    "}\n"
    "\n"
    "// scores[i][s] = q[i] · keys[s] · scale for COUNT queries and the keys of a tile; lanes split the keys.\n"
    "template <uint COUNT, uint HS, typename KV>\n"
    "static void score_tile(device const float *const thread *q, thread const Tile<KV> &keys, float scale, uint lane,\n"
    "                       uint lanes, threadgroup float (*scores)[TILE])\n"
    "{\n"
    "    for (uint s = keys.begin + lane; s < keys.end; s += lanes) {\n"
    "        device const KV *key = at<HS>(keys, s);\n"
    "        float score[COUNT];\n"
    "        for (uint i = 0; i < COUNT; i++) score[i] = 0.0f;\n"
    "        for (uint d = 0; d < HS; d++)\n"
    "            for (uint i = 0; i < COUNT; i++) score[i] += q[i][d] * float(key[d]);\n"
    "        for (uint i = 0; i < COUNT; i++) scores[i][s] = score[i] * scale;\n"
    "    }\n"
    "}\n"
    "\n"
    "// sums[i] = sums[i] · shrink[i] + Σ_s weights[i][s] · values[s]; lanes split the channels of the head.\n"
    "template <uint COUNT, uint HS, typename KV>\n"
    "static void mix_tile(thread const Tile<KV> &values, uint lane, uint lanes, threadgroup const float (*weights)[TILE],\n"
    "                     thread const float *shrink, threadgroup float (*sums)[HS])\n"
    "{\n"
    "    for (uint begin = lane; begin < HS; begin += DIMS * lanes) { // once of 64, if the simdgroup is whole\n"
    "        uint dims = min(DIMS, (HS - begin + lanes - 1) / lanes);\n"
    "        float sum[COUNT][DIMS];\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            for (uint j = 0; j < dims; j++) sum[i][j] = sums[i][begin + j * lanes] * shrink[i];\n"
    "        for (uint s = values.begin; s < values.end; s++) {\n"
    "            device const KV *value = at<HS>(values, s) + begin;\n"
    "            for (uint i = 0; i < COUNT; i++)\n"
    "                for (uint j = 0; j < dims; j++) sum[i][j] += weights[i][s] * float(value[j * lanes]);\n"
    "        }\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            for (uint j = 0; j < dims; j++) sums[i][begin + j * lanes] = sum[i][j];\n"
    "    }\n"
    "}\n"
    "\n"
    "// Of `count` queries: four, or the two or three of heads that share keys, or one that is left.\n"
    "template <uint HS, typename KV>\n"
    "static void score_some(uint count, device const float *const thread *q, thread const Tile<KV> &keys, float scale,\n"
    "                       uint lane, uint lanes, threadgroup float (*scores)[TILE])\n"
    "{\n"
    "    if (count == 4) score_tile<4, HS>(q, keys, scale, lane, lanes, scores);\n"
    "    if (count == 3) score_tile<3, HS>(q, keys, scale, lane, lanes, scores);\n"
    "    if (count == 2) score_tile<2, HS>(q, keys, scale, lane, lanes, scores);\n"
    "    if (count == 1) score_tile<1, HS>(q, keys, scale, lane, lanes, scores);\n"
    "}\n"
    "\n"
    "template <uint HS, typename KV>\n"
    "static void mix_some(uint count, thread const Tile<KV> &values, uint lane, uint lanes,\n"
    "                     threadgroup const float (*weights)[TILE], thread const float *shrink,\n"
    "                     threadgroup float (*sums)[HS])\n"
    "{\n"
    "    if (count == 4) mix_tile<4, HS>(values, lane, lanes, weights, shrink, sums);\n"
    "    if (count == 3) mix_tile<3, HS>(values, lane, lanes, weights, shrink, sums);\n"
    "    if (count == 2) mix_tile<2, HS>(values, lane, lanes, weights, shrink, sums);\n"
    "    if (count == 1) mix_tile<1, HS>(values, lane, lanes, weights, shrink, sums);\n"
    "}\n"
    "\n"
    "template <uint HS, typename KV>\n"
    "kernel void flash_attention_shared(\n"
    "    device const float *q [[buffer(0)]],      // [B,nh,T,HS]\n"
    "    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,HS]\n"
    "    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,HS]\n"
    "    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device const uint *lengths [[buffer(4)]], // [B]\n"
    "    device const uint *counts [[buffer(5)]],  // [B]\n"
    "    device float *out [[buffer(6)]],          // [B,T,nh,HS]\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &nh [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    constant uint &window [[buffer(10)]],\n"
    "    constant float &scale [[buffer(11)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    constexpr uint MAX_SIMDGROUPS = MAX_SUMS / HS, SLOTS = MAX_SIMDGROUPS * QUERIES;\n"
    "    threadgroup float weights[SLOTS][TILE]; // slot: simdgroup · QUERIES + query of the tile\n"
    "    threadgroup float sums[SLOTS][HS];\n"
    "    threadgroup float maxima[SLOTS];\n"
    "    threadgroup float totals[SLOTS];\n"
    "    uint threads = group_size.x, nkv = groups.y, heads = nh / nkv, b = group.z, first_query = group.x * QUERIES;\n"
    "    uint count = min(QUERIES, T * heads - first_query);\n"
    "    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS), slot = simdgroup * QUERIES;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    uint length = lengths[b], begin = 0, end = 0; // of the keys that they see\n"
    "    device const float *query[QUERIES];\n"
    "    ulong to[QUERIES];\n"
    "    uint from[QUERIES], limit[QUERIES]; // of each\n"
    "    for (uint i = 0; i < count; i++) {\n"
    "        uint t = (first_query + i) / heads, head = group.y * heads + (first_query + i) % heads;\n"
    "        query[i] = q + ((ulong(b) * nh + head) * T + t) * HS;\n"
    "        to[i] = ((ulong(b) * T + t) * nh + head) * HS;\n"
    "        end = limit[i] = length + min(t + 1, counts[b]);\n"
    "        from[i] = end - min(end, window);\n"
    "        if (i == 0) begin = from[0];\n"
    "    }\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "\n"
    "    if (simdgroup < simdgroups) {\n"
    "        float m[QUERIES], l[QUERIES], shrink[QUERIES];\n"
    "        for (uint i = 0; i < count; i++) {\n"
    "            m[i] = -INFINITY;\n"
    "            l[i] = 0.0f;\n"
    "            for (uint d = lane; d < HS; d += lanes) sums[slot + i][d] = 0.0f;\n"
    "        }\n"
    "        for (uint first = begin / PAGE * PAGE + simdgroup * TILE; first < end; first += simdgroups * TILE) {\n"
    "            uint tile = min(TILE, end - first), before = max(begin, first) - first;\n"
    "            ulong left = page_start(row[first / PAGE], nkv, group.y, HS);\n"
    "            ulong right = tile > PAGE ? page_start(row[first / PAGE + 1], nkv, group.y, HS) : left;\n"
    "            Tile<KV> key_tile = {{keys + left, keys + right}, before, tile};\n"
    "            Tile<KV> value_tile = {{values + left, values + right}, before, tile};\n"
    "            score_some<HS>(count, query, key_tile, scale, lane, lanes, weights + slot);\n"
    "            for (uint i = 0; i < count; i++) {\n"
    "                uint last = limit[i] > first ? min(tile, limit[i] - first) : 0; // of the keys that it sees\n"
    "                uint hidden = from[i] > first ? min(last, from[i] - first) : 0; // before them\n"
    "                float largest = m[i], sum = 0.0f;\n"
    "                for (uint s = before + lane; s < last; s += lanes) // those that this lane has scored\n"
    "                    largest = max(largest, s < hidden ? -INFINITY : weights[slot + i][s]);\n"
    "                largest = simd_max(largest);\n"
    "                for (uint s = before + lane; s < tile; s += lanes) {\n"
    "                    float weight = s >= hidden && s < last ? exp(weights[slot + i][s] - largest) : 0.0f;\n"
    "                    weights[slot + i][s] = weight;\n"
    "                    sum += weight;\n"
    "                }\n"
    "                shrink[i] = m[i] == -INFINITY ? 0.0f : exp(m[i] - largest);\n"
    "                l[i] = l[i] * shrink[i] + simd_sum(sum);\n"
    "                m[i] = largest;\n"
    "            }\n"
    "            simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below\n"
    "            mix_some<HS>(count, value_tile, lane, lanes, weights + slot, shrink, sums + slot);\n"
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
    "            out[to[i] + d] = sum / total;\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_hs64_f32\")]] kernel decltype(flash_attention_shared<64, float>) flash_attention_shared<64, float>;\n"
    "template [[host_name(\"flash_attention_hs64_f16\")]] kernel decltype(flash_attention_shared<64, half>) flash_attention_shared<64, half>;\n"
    "template [[host_name(\"flash_attention_hs128_f32\")]] kernel decltype(flash_attention_shared<128, float>) flash_attention_shared<128, float>;\n"
    "template [[host_name(\"flash_attention_hs128_f16\")]] kernel decltype(flash_attention_shared<128, half>) flash_attention_shared<128, half>;\n"
    "template [[host_name(\"flash_attention_hs256_f32\")]] kernel decltype(flash_attention_shared<256, float>) flash_attention_shared<256, float>;\n"
    "template [[host_name(\"flash_attention_hs256_f16\")]] kernel decltype(flash_attention_shared<256, half>) flash_attention_shared<256, half>;\n"},
    {"fast/flash_attention_tiles.metal",
    "// flash_attention_tiles.metal — flash_attention_shared.metal by the matrix units, in halves, for prompts\n"
    "//\n"
    "//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h\n"
    "//\n"
    "// One threadgroup per 64 queries, with heads of 256 channels per 32, grid (⌈T · nh / nkv / queries⌉, nkv, B), which are\n"
    "// those of flash_attention_shared.metal. Keys and values come to threadgroup memory a tile at a time, while the next are\n"
    "// on their way. A simdgroup has 16 queries and 64 channels of what comes out, in registers, as scores and weights are:\n"
    "// matrices of which every lane has some elements. With heads of 64 channels two simdgroups split the keys of every\n"
    "// tile, and what they have found is merged in the end; with wider ones two or four have the same queries and keys, each\n"
    "// for its own channels. Token t of row b sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). What\n"
    "// comes out are halves, as the next matrix product takes them. Only whole simdgroups take part, so there must be one.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/cached_tiles.h\"\n"
    "#include \"parts/matrix_products.h\"\n"
    "#include \"parts/matrix_softmax.h\"\n"
    "\n"
    "constant constexpr uint QUERIES = 64, WIDE_QUERIES = 32; // host: of a threadgroup, the second with heads of 256\n"
    "constant constexpr uint THREADS = 256;                   // host: that are wanted\n"
    "constant constexpr uint CHANNELS = 64;                   // of a simdgroup\n"
    "constant constexpr float LOG2_E = 1.44269504f;\n"
    "\n"
    "// Blocks of 16 queries, simdgroups that split a block's keys, and those that split its channels; the keys of a\n"
    "// tile that a simdgroup takes at once.\n"
    "template <uint HS> struct Sizes {\n"
    "    enum : uint { BLOCKS = (HS > 128 ? WIDE_QUERIES : QUERIES) / 16,\n"
    "                  KEY_PARTS = HS > CHANNELS ? 1 : 2 };\n"
    "    enum : uint { CHANNEL_PARTS = HS / CHANNELS,\n"
    "                  SPAN = TileSizes<HS>::KEYS / KEY_PARTS };\n"
    "};\n"
    "\n"
    "template <uint HS, typename KV4>\n"
    "kernel void flash_attention_tiles(\n"
    "    device const float4 *q [[buffer(0)]],     // [B,nh,T,HS / 4]\n"
    "    device const KV4 *keys [[buffer(1)]],     // [page,nkv,PAGE,HS / 4]\n"
    "    device const KV4 *values [[buffer(2)]],   // [page,nkv,PAGE,HS / 4]\n"
    "    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device const uint *lengths [[buffer(4)]], // [B]\n"
    "    device const uint *counts [[buffer(5)]],  // [B]\n"
    "    device half2 *out [[buffer(6)]],          // [B,T,nh,HS / 2]\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &nh [[buffer(8)]],\n"
    "    constant uint &capacity [[buffer(9)]],\n"
    "    constant uint &window [[buffer(10)]],\n"
    "    constant float &scale [[buffer(11)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    constexpr uint VECTORS = HS / 4, STRIDE = TileSizes<HS>::STRIDE, KEYS = TileSizes<HS>::KEYS;\n"
    "    constexpr uint BLOCKS = Sizes<HS>::BLOCKS, SPAN = Sizes<HS>::SPAN, UNITS = BLOCKS * Sizes<HS>::CHANNEL_PARTS;\n"
    "    // Of keys and of values, at first of the queries; in the end what is to be merged.\n"
    "    threadgroup half4 tiles[2 * KEYS * STRIDE];\n"
    "    threadgroup half4 *key_tile = tiles, *value_tile = tiles + KEYS * STRIDE;\n"
    "    uint threads = group_size.x, simdgroups = threads / SIMD_WIDTH;\n"
    "    uint parts = simdgroups < 2 ? 1 : uint(Sizes<HS>::KEY_PARTS), at_once = min(simdgroups / parts, UNITS);\n"
    "    uint part = simdgroup / at_once; // of the keys of a tile\n"
    "    uint b = group.z, length = lengths[b], count = counts[b], nkv = groups.y, heads = nh / nkv, rows = T * heads;\n"
    "    uint first_query = (groups.x - 1 - group.x) * 16 * BLOCKS; // those with most keys begin first\n"
    "    ulong head_start = page_start(0, nkv, group.y, VECTORS), page_size = page_start(1, nkv, 0, VECTORS);\n"
    "    uint limit = length + min(first_query / heads + 1, count), begin = limit - min(limit, window);\n"
    "    uint end = length + min((first_query + 16 * BLOCKS - 1) / heads + 1, count);\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "    Cached<KV4> cached_keys = {keys + head_start, row, page_size, begin, end};\n"
    "    Cached<KV4> cached_values = {values + head_start, row, page_size, begin, end};\n"
    "\n"
    "    for (uint units = 0; units < UNITS; units += at_once) { // once, if there are as many simdgroups as are wanted\n"
    "        uint unit = units + simdgroup % at_once, block = unit / Sizes<HS>::CHANNEL_PARTS;\n"
    "        uint channel = unit % Sizes<HS>::CHANNEL_PARTS * CHANNELS, first_row = first_query + block * 16;\n"
    "        uint block_end = length + min((first_row + 15) / heads + 1, count); // of the keys that its rows see,\n"
    "        uint all_see = length + min(first_row / heads + 1, count);          // that all of them see,\n"
    "        uint hidden = block_end - min(block_end, window);                   // and that not all see any more\n"
    "        bool takes_part = part < parts && unit < UNITS && first_row < rows;\n"
    "        simdgroup_half8x8 query[2][HS / 8];\n"
    "        simdgroup_float8x8 sum[2][CHANNELS / 8]; // of its own channels\n"
    "        Softmax softmax;\n"
    "        for (uint i = 0; i < 2 * LANE_ROWS; i++) {\n"
    "            softmax.m[i] = -FLT_MAX; // not −∞, if no key is seen: exponents are never NaN\n"
    "            softmax.l[i] = 0.0f;\n"
    "        }\n"
    "        clear(sum);\n"
    "        for (uint n = thread_index; n < 16 * BLOCKS * VECTORS; n += threads) {\n"
    "            uint row = min(first_query + n / VECTORS, rows - 1), t = row / heads;\n"
    "            ulong head = ulong(b) * nh + group.y * heads + row % heads;\n"
    "            place<HS>(q[(head * T + t) * VECTORS + n % VECTORS] * (scale * LOG2_E), tiles, n);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the queries' writes → the reads below\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint i = 0; i < HS / 4; i++) {\n"
    "            uint r = i / (HS / 8), c = i % (HS / 8);\n"
    "            if (!takes_part) continue;\n"
    "            threadgroup const half4 *from = tiles + (block * 16 + r * 8) * STRIDE + c * 2;\n"
    "            simdgroup_load(query[r][c], (threadgroup const half *)from, 4 * STRIDE);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the keys' writes\n"
    "\n"
    "        KV4 next_keys[TileSizes<HS>::AHEAD], next_values[TileSizes<HS>::AHEAD];\n"
    "        uint first = begin / PAGE * PAGE;\n"
    "        if (first < end) fetch_ahead<HS>(cached_keys, first, next_keys, thread_index, threads);\n"
    "        if (first < end) fetch_ahead<HS>(cached_values, first, next_values, thread_index, threads);\n"
    "        for (; first < end; first += KEYS) {\n"
    "            place_all<HS>(cached_keys, first, next_keys, key_tile, thread_index, threads);\n"
    "            place_all<HS>(cached_values, first, next_values, value_tile, thread_index, threads);\n"
    "            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below\n"
    "            if (first + KEYS < end) {\n"
    "                fetch_ahead<HS>(cached_keys, first + KEYS, next_keys, thread_index, threads);\n"
    "                fetch_ahead<HS>(cached_values, first + KEYS, next_values, thread_index, threads);\n"
    "            }\n"
    "            for (uint k = part * SPAN; k < KEYS && takes_part && first + k < block_end; k += parts * SPAN) {\n"
    "                simdgroup_float8x8 score[2][SPAN / 8];\n"
    "                simdgroup_half8x8 weights[2][SPAN / 8];\n"
    "                clear(score);\n"
    "#pragma unroll(UNROLL)\n"
    "                for (uint i = 0; i < SPAN / 16 * (HS / 16); i++) {\n"
    "                    uint n = i % (SPAN / 16), c = i / (SPAN / 16);\n"
    "                    threadgroup const half4 *from = key_tile + (k + n * 16) * STRIDE + c * 4;\n"
    "                    multiply_16x16(score, n, query, c, (threadgroup const half *)from, 4 * STRIDE, true);\n"
    "                }\n"
    "                if (first + k + SPAN > all_see || first + k < hidden)\n"
    "                    hide(score, first_row, heads, int(length) - int(first + k), count, window, lane);\n"
    "                weigh(score, softmax, weights, sum);\n"
    "#pragma unroll(UNROLL)\n"
    "                for (uint i = 0; i < SPAN / 16 * (CHANNELS / 16); i++) {\n"
    "                    uint n = i % (CHANNELS / 16), c = i / (CHANNELS / 16);\n"
    "                    threadgroup const half4 *from = value_tile + (k + c * 16) * STRIDE + channel / 4 + n * 4;\n"
    "                    multiply_16x16(sum, n, weights, c, (threadgroup const half *)from, 4 * STRIDE, false);\n"
    "                }\n"
    "            }\n"
    "            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next writes\n"
    "        }\n"
    "\n"
    "        // A simdgroup of the second part hands over to that of the first: each lane to the one with the same elements.\n"
    "        threadgroup float *other = (threadgroup float *)tiles + unit * handed_over(CHANNELS / 8) * SIMD_WIDTH + lane;\n"
    "        if (takes_part && part == 1) hand_over(sum, softmax, other);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below\n"
    "        if (takes_part && part == 0) {\n"
    "            if (parts == 2) merge(sum, softmax, other);\n"
    "#pragma unroll(UNROLL)\n"
    "            for (uint i = 0; i < 2 * LANE_ROWS; i++) {\n"
    "                uint r = i / LANE_ROWS, e = i % LANE_ROWS * COLUMNS;\n"
    "                uint row = first_row + r * 8 + matrix_row(lane) + i % LANE_ROWS;\n"
    "                float share = 1.0f / row_sum(softmax.l[i]);\n"
    "                ulong head = (ulong(b) * T + row / heads) * nh + group.y * heads + row % heads;\n"
    "                if (row >= rows) continue;\n"
    "#pragma unroll(UNROLL)\n"
    "                for (uint c = 0; c < CHANNELS / 8; c++)\n"
    "                    for (uint j = 0; j < COLUMNS; j += 2) {\n"
    "                        thread auto &elements = sum[r][c].thread_elements();\n"
    "                        out[(head * HS + channel + matrix_column(lane) + 8 * c + j) / 2] =\n"
    "                            half2(float2(elements[e + j], elements[e + j + 1]) * share);\n"
    "                    }\n"
    "            }\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next queries' writes\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"flash_attention_tiles_hs64_halves_f32\")]] kernel decltype(flash_attention_tiles<64, float4>) flash_attention_tiles<64, float4>;\n"
    "template [[host_name(\"flash_attention_tiles_hs64_halves_f16\")]] kernel decltype(flash_attention_tiles<64, half4>) flash_attention_tiles<64, half4>;\n"
    "template [[host_name(\"flash_attention_tiles_hs128_halves_f32\")]] kernel decltype(flash_attention_tiles<128, float4>) flash_attention_tiles<128, float4>;\n"
    "template [[host_name(\"flash_attention_tiles_hs128_halves_f16\")]] kernel decltype(flash_attention_tiles<128, half4>) flash_attention_tiles<128, half4>;\n"
    "template [[host_name(\"flash_attention_tiles_hs256_halves_f32\")]] kernel decltype(flash_attention_tiles<256, float4>) flash_attention_tiles<256, float4>;\n"
    "template [[host_name(\"flash_attention_tiles_hs256_halves_f16\")]] kernel decltype(flash_attention_tiles<256, half4>) flash_attention_tiles<256, half4>;\n"},
    {"fast/fused_bias_gelu.metal",
    "// fused_bias_gelu.metal — the bias of a matrix product and GELU in one pass over memory\n"
    "//\n"
    "//   out[t,n] = gelu(in[t,n] + bias[n]),   gelu(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))\n"
    "//\n"
    "// A GPU's thread takes SHARE elements of a row, which are far apart so that neighbours in a simdgroup are neighbours in\n"
    "// memory: their reads are on their way at once. Grid (⌈N / SHARE⌉, T). A pass for the bias and another for GELU\n"
    "// (activation.metal) would each be as slow as the memory they walk through. What comes out is of type Out: half\n"
    "// where the next matrix product takes halves.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint GPU_SHARE = 4; // host: elements of a thread\n"
    "constant constexpr uint SHARE = SIMD_WIDTH == 1 ? 1 : GPU_SHARE;\n"
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
    "    uint distance = (N + SHARE - 1) / SHARE, t = id.y;\n"
    "    if (id.x >= distance || t >= T) return;\n"
    "    for (uint i = 0; i < SHARE; i++) {\n"
    "        uint n = id.x + i * distance;\n"
    "        if (n >= N) break;\n"
    "        out[ulong(t) * N + n] = Out(gelu_of(in[ulong(t) * N + n] + bias[n]));\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"bias_gelu\")]] kernel decltype(add_bias_then_gelu<float>) add_bias_then_gelu<float>;\n"
    "template [[host_name(\"bias_gelu_f16\")]] kernel decltype(add_bias_then_gelu<half>) add_bias_then_gelu<half>;\n"},
    {"fast/fused_decode_attention.metal",
    "// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention\n"
    "//\n"
    "//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]\n"
    "//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]\n"
    "//\n"
    "// split_heads (heads.metal) and flash_attention_shared.metal in one kernel, for decoding with heads of 4 VECTORS\n"
    "// channels. One threadgroup per head and row, grid (nh, B): its simdgroups split the keys, the last `window` of\n"
    "// them, and SHARE lanes together take one key at a time, a running softmax for each such team. The teams are merged at\n"
    "// the end. nh / nkv neighbouring heads share keys and values, which the first of them writes. The KV cache is of type\n"
    "// KV4, float4 or half4, what comes out of type Out4: halves where the next product takes them.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/decode_keys.h\"\n"
    "\n"
    "constant constexpr uint MAX_SIMDGROUPS = 16; // host: that take part\n"
    "\n"
    "template <uint VECTORS, typename KV4, typename Out4>\n"
    "kernel void decode_attention(\n"
    "    device const float4 *qkv [[buffer(0)]],   // [B,nh + 2 nkv,VECTORS]\n"
    "    device const uint *lengths [[buffer(1)]], // [B]\n"
    "    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done\n"
    "    device KV4 *keys [[buffer(3)]],           // [page,nkv,PAGE,VECTORS]\n"
    "    device KV4 *values [[buffer(4)]],         // [page,nkv,PAGE,VECTORS]\n"
    "    device const uint *pages [[buffer(5)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device Out4 *out [[buffer(6)]],           // [B,nh,VECTORS]\n"
    "    constant uint &nkv [[buffer(7)]],\n"
    "    constant uint &capacity [[buffer(8)]],\n"
    "    constant uint &window [[buffer(9)]],\n"
    "    constant float &scale [[buffer(10)]],\n"
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
    "    threadgroup float shrink[MAX_SIMDGROUPS];\n"
    "    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];\n"
    "    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);\n"
    "    bool is_new = counts[b] > 0;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    uint kv_head = group.x / (nh / nkv), seen = length + is_new, begin = seen - min(seen, window);\n"
    "    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);\n"
    "    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS, *query = token + group.x * VECTORS;\n"
    "    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;\n"
    "    for (uint i = simdgroups * VECTORS + thread_index; i < MAX_SIMDGROUPS * VECTORS; i += threads) {\n"
    "        sums[i / VECTORS][i % VECTORS] = 0.0f; // of simdgroups that are not there\n"
    "        if (i % VECTORS == 0) softmax[i / VECTORS] = float2(-FLT_MAX, 0.0f);\n"
    "    }\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "    Heads<device const float4 *, KV4> heads = {query, key, value, keys + start, values + start, row, stride, scale * LOG2_E};\n"
    "    uint share = (length - begin + simdgroups - 1) / simdgroups;\n"
    "    uint first = min(length, begin + simdgroup * share), last = min(length, first + share);\n"
    "    bool is_mine = is_new && simdgroup == simdgroups - 1;\n"
    "    if (simdgroup < simdgroups && SIMD_WIDTH > SHARE && lanes == SIMD_WIDTH) {\n"
    "        Running<VECTORS / SHARE> running = run_through<VECTORS>(heads, first, last, is_mine, lane / SHARE, lane % SHARE);\n"
    "        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)\n"
    "            merge(running, other(running, ushort(distance)));\n"
    "        if (lane == 0) softmax[simdgroup] = float2(running.m, running.l);\n"
    "        if (lane < SHARE)\n"
    "            for (uint i = 0; i < VECTORS / SHARE; i++) sums[simdgroup][lane + i * SHARE] = running.sum[i];\n"
    "    } else if (simdgroup < simdgroups && lane == 0) {\n"
    "        softmax[simdgroup] = run_alone<VECTORS>(heads, 0, first, last, is_mine, sums[simdgroup]);\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below\n"
    "    for (uint i = thread_index; i < MAX_SIMDGROUPS; i += threads) {\n"
    "        float largest = softmax[0][0];\n"
    "        for (uint j = 1; j < MAX_SIMDGROUPS; j++) largest = max(largest, softmax[j][0]);\n"
    "        shrink[i] = fast::exp2(softmax[i][0] - largest);\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // shrink: the writes above → the reads below\n"
    "    for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "        float4 sum = float4(0.0f);\n"
    "        float total = 0.0f;\n"
    "        for (uint i = 0; i < MAX_SIMDGROUPS; i++) {\n"
    "            total += softmax[i][1] * shrink[i];\n"
    "            sum += sums[i][c] * shrink[i];\n"
    "        }\n"
    "        store(out + (ulong(b) * nh + group.x) * VECTORS + c, sum * (1.0f / total));\n"
    "    }\n"
    "    if (is_new && length < capacity && group.x % (nh / nkv) == 0) {\n"
    "        ulong to = start + token_start<VECTORS>(row, stride, length);\n"
    "        for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "            store(keys + to + c, kept(heads.keys, key[c]));\n"
    "            store(values + to + c, kept(heads.values, value[c]));\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"decode_attention_hs64_f32\")]] kernel decltype(decode_attention<16, float4, float4>) decode_attention<16, float4, float4>;\n"
    "template [[host_name(\"decode_attention_hs64_f16\")]] kernel decltype(decode_attention<16, half4, float4>) decode_attention<16, half4, float4>;\n"
    "template [[host_name(\"decode_attention_hs64_halves_f32\")]] kernel decltype(decode_attention<16, float4, half4>) decode_attention<16, float4, half4>;\n"
    "template [[host_name(\"decode_attention_hs64_halves_f16\")]] kernel decltype(decode_attention<16, half4, half4>) decode_attention<16, half4, half4>;\n"
    "template [[host_name(\"decode_attention_hs128_f32\")]] kernel decltype(decode_attention<32, float4, float4>) decode_attention<32, float4, float4>;\n"
    "template [[host_name(\"decode_attention_hs128_f16\")]] kernel decltype(decode_attention<32, half4, float4>) decode_attention<32, half4, float4>;\n"
    "template [[host_name(\"decode_attention_hs128_halves_f32\")]] kernel decltype(decode_attention<32, float4, half4>) decode_attention<32, float4, half4>;\n"
    "template [[host_name(\"decode_attention_hs128_halves_f16\")]] kernel decltype(decode_attention<32, half4, half4>) decode_attention<32, half4, half4>;\n"
    "template [[host_name(\"decode_attention_hs256_f32\")]] kernel decltype(decode_attention<64, float4, float4>) decode_attention<64, float4, float4>;\n"
    "template [[host_name(\"decode_attention_hs256_f16\")]] kernel decltype(decode_attention<64, half4, float4>) decode_attention<64, half4, float4>;\n"
    "template [[host_name(\"decode_attention_hs256_halves_f32\")]] kernel decltype(decode_attention<64, float4, half4>) decode_attention<64, float4, half4>;\n"
    "template [[host_name(\"decode_attention_hs256_halves_f16\")]] kernel decltype(decode_attention<64, half4, half4>) decode_attention<64, half4, half4>;\n"},
    {"fast/fused_integer_linear.metal",
    "// fused_integer_linear.metal — norm, rounding to 16 bits, block formats × vector, and what becomes of it, for decoding\n"
    "//\n"
    "//   y[n] = Σ_k round(norm(x))[k] · weight[n,k] + bias[n]\n"
    "//   integer_read    out[n] = f(y[n])                               f = gelu, or nothing\n"
    "//   integer_gated   out[n] = f(y of gate[n]) · y of up[n]          f = silu or gelu\n"
    "//   integer_write   stream[n] += y[n]                              x is not normalised\n"
    "//\n"
    "// One token, weights that stay blocks: a GPU reads half or a quarter of the bytes of halves, and would lose by making\n"
    "// floats of them, so it multiplies bytes: x has two for a value. Each threadgroup normalises and rounds x for itself;\n"
    "// then its whole simdgroups, of which there must be one, take ROWS rows at a time. A lane has several pieces of them on\n"
    "// their way, the first before x is there, and asks for the next one where one has been multiplied, also of the rows\n"
    "// that come next. K is a multiple of 32 and of a block's weights, and at most MAX_INPUTS. The grid has as many\n"
    "// simdgroups as the device runs at once, or as there are rows to take if that is less.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/integer_rows.h\"\n"
    "#include \"parts/normal_row.h\"\n"
    "#include \"parts/silu.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "constant constexpr uint READ_ROWS = 2, WRITE_ROWS = 1; // host: of weights, at a time\n"
    "\n"
    "template <typename Piece, uint ROWS>\n"
    "kernel void integer_read(\n"
    "    device const float4 *x [[buffer(0)]],           // [K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const float4 *norm_bias [[buffer(2)]],   // [K/4], of layernorm\n"
    "    device const uint4 *weight_a [[buffer(3)]],     // [A,K] in pieces\n"
    "    device const uint4 *weight_b [[buffer(4)]],     // [B,K]\n"
    "    device const uint4 *weight_c [[buffer(5)]],     // [C,K]\n"
    "    device const float *bias_a [[buffer(6)]],       // [A]\n"
    "    device const float *bias_b [[buffer(7)]],       // [B]\n"
    "    device const float *bias_c [[buffer(8)]],       // [C]\n"
    "    device float *out [[buffer(9)]],                // [A+B+C]\n"
    "    constant uint &K [[buffer(10)]],\n"
    "    constant uint &A [[buffer(11)]],\n"
    "    constant uint &B [[buffer(12)]],\n"
    "    constant uint &C [[buffer(13)]],\n"
    "    constant uint &centred [[buffer(14)]], // 1: layernorm, 0: RMSNorm\n"
    "    constant uint &gelu [[buffer(15)]],    // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(16)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];\n"
    "    threadgroup float2 scales[MAX_INPUTS / 32];\n"
    "    threadgroup float partial[3][32];\n"
    "    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;\n"
    "    uint whole = threads / SIMD_WIDTH, N = A + B + C, step = groups * whole * ROWS, pieces = K / Piece::WEIGHTS;\n"
    "    uint n = simdgroup < whole ? (group * whole + simdgroup) * ROWS : N;\n"
    "    Matrices all = {weight_a, weight_b, weight_c, bias_a, bias_b, bias_c, A, B, C, K};\n"
    "    Row row[ROWS], next[ROWS];\n"
    "    Piece piece[ROWS][AHEAD];\n"
    "    Line line[TURNS][EACH];\n"
    "    float bias[ROWS];\n"
    "    Normal norm = {norm_weight, norm_bias, 0.0f, 1.0f, centred != 0};\n"
    "    rows_at<Piece>(row, all, n);\n"
    "    read_first(piece, row, pieces, lane); // weights, norms and biases never change: they need not wait\n"
    "    read_lines(line, norm, simdgroup * BLOCKS, whole * BLOCKS, K / 32, lane);\n"
    "    for (uint r = 0; r < ROWS; r++) bias[r] = bias_at(all, n + r);\n"
    "    wait_for_previous_kernel();\n"
    "    RoundedRow rounded = {high, low, scales};\n"
    "    float factor = norm_and_round(x, norm, line, epsilon, rounded, K, whole, partial,\n"
    "                                  {lane, simdgroup, simdgroups}, thread_index, threads);\n"
    "    for (; n < N; n += step) {\n"
    "        float sum[ROWS], next_bias[ROWS];\n"
    "        for (uint r = 0; r < ROWS; r++) next_bias[r] = bias_at(all, n + step + r);\n"
    "        rows_at<Piece>(next, all, n + step);\n"
    "        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);\n"
    "        for (uint r = 0; r < ROWS; r++) {\n"
    "            float y = sum[r] * factor + bias[r];\n"
    "            if (lane == 0 && n + r < N) out[n + r] = gelu ? gelu_of(y) : y;\n"
    "            row[r] = next[r];\n"
    "            bias[r] = next_bias[r];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Piece, uint ROWS>\n"
    "kernel void integer_gated(\n"
    "    device const float4 *x [[buffer(0)]],           // [K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4], of RMSNorm\n"
    "    device const uint4 *gate [[buffer(2)]],         // [N,K] in pieces\n"
    "    device const uint4 *up [[buffer(3)]],           // [N,K]\n"
    "    device const float *gate_bias [[buffer(4)]],    // [N]\n"
    "    device const float *up_bias [[buffer(5)]],      // [N]\n"
    "    device float *out [[buffer(6)]],                // [N]\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &gelu [[buffer(9)]], // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(10)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];\n"
    "    threadgroup float2 scales[MAX_INPUTS / 32];\n"
    "    threadgroup float partial[3][32];\n"
    "    uint whole = threads / SIMD_WIDTH, step = groups * whole, pieces = K / Piece::WEIGHTS;\n"
    "    uint n = simdgroup < whole ? group * whole + simdgroup : N;\n"
    "    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;\n"
    "    Row row[ROWS] = {row_of<Piece>(gate, n, N, K), row_of<Piece>(up, n, N, K)};\n"
    "    Piece piece[ROWS][AHEAD];\n"
    "    Line line[TURNS][EACH];\n"
    "    Normal norm = {norm_weight, norm_weight, 0.0f, 1.0f, false};\n"
    "    uint at = min(n, N - 1);\n"
    "    float bias[ROWS] = {gate_bias[at], up_bias[at]};\n"
    "    read_first(piece, row, pieces, lane); // weights, norms and biases never change: they need not wait\n"
    "    read_lines(line, norm, simdgroup * BLOCKS, whole * BLOCKS, K / 32, lane);\n"
    "    wait_for_previous_kernel();\n"
    "    RoundedRow rounded = {high, low, scales};\n"
    "    float factor = norm_and_round(x, norm, line, epsilon, rounded, K, whole, partial,\n"
    "                                  {lane, simdgroup, simdgroups}, thread_index, threads);\n"
    "    for (; n < N; n += step) {\n"
    "        at = min(n + step, N - 1);\n"
    "        float sum[ROWS], next_bias[ROWS] = {gate_bias[at], up_bias[at]};\n"
    "        Row next[ROWS] = {row_of<Piece>(gate, n + step, N, K), row_of<Piece>(up, n + step, N, K)};\n"
    "        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);\n"
    "        float open = sum[0] * factor + bias[0], y = sum[1] * factor + bias[1];\n"
    "        open = gelu ? gelu_of(open) : silu_of(open);\n"
    "        if (lane == 0) out[n] = open * y;\n"
    "        for (uint r = 0; r < ROWS; r++) {\n"
    "            row[r] = next[r];\n"
    "            bias[r] = next_bias[r];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Piece, uint ROWS>\n"
    "kernel void integer_write(\n"
    "    device const float4 *x [[buffer(0)]],     // [K/4]\n"
    "    device const uint4 *weight [[buffer(1)]], // [N,K] in pieces\n"
    "    device const float *bias [[buffer(2)]],   // [N]\n"
    "    device float *stream [[buffer(3)]],       // [N]\n"
    "    constant uint &K [[buffer(4)]],\n"
    "    constant uint &N [[buffer(5)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]])\n"
    "{\n"
    "    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];\n"
    "    threadgroup float2 scales[MAX_INPUTS / 32];\n"
    "    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;\n"
    "    uint whole = threads / SIMD_WIDTH, step = groups * whole * ROWS, pieces = K / Piece::WEIGHTS;\n"
    "    uint n = simdgroup < whole ? (group * whole + simdgroup) * ROWS : N;\n"
    "    Matrices all = {weight, weight, weight, bias, bias, bias, N, 0, 0, K};\n"
    "    Row row[ROWS], next[ROWS];\n"
    "    Piece piece[ROWS][AHEAD];\n"
    "    Line none[TURNS][EACH];\n"
    "    float before[ROWS]; // bias, and what is added to\n"
    "    rows_at<Piece>(row, all, n);\n"
    "    read_first(piece, row, pieces, lane); // weights and biases never change: they need not wait\n"
    "    for (uint r = 0; r < ROWS; r++) before[r] = bias_at(all, n + r);\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint r = 0; r < ROWS; r++)\n"
    "        if (lane == 0 && n + r < N) before[r] += stream[n + r];\n"
    "    RoundedRow rounded = {high, low, scales};\n"
    "    round_row(x, NoNorm(), none, rounded, K / 32, whole, {lane, simdgroup, simdgroups});\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // rounded: the writes above → the reads below\n"
    "    for (; n < N; n += step) {\n"
    "        float sum[ROWS], following[ROWS] = {};\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            if (lane == 0 && n + step + r < N) following[r] = bias_at(all, n + step + r) + stream[n + step + r];\n"
    "        rows_at<Piece>(next, all, n + step);\n"
    "        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);\n"
    "        for (uint r = 0; r < ROWS; r++) {\n"
    "            if (lane == 0 && n + r < N) stream[n + r] = before[r] + sum[r];\n"
    "            row[r] = next[r];\n"
    "            before[r] = following[r];\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"integer_read_q4_K\")]] kernel decltype(integer_read<piece_q4_K, READ_ROWS>) integer_read<piece_q4_K, READ_ROWS>;\n"
    "template [[host_name(\"integer_read_q5_K\")]] kernel decltype(integer_read<piece_q5_K, READ_ROWS>) integer_read<piece_q5_K, READ_ROWS>;\n"
    "template [[host_name(\"integer_read_q6_K\")]] kernel decltype(integer_read<piece_q6_K, READ_ROWS>) integer_read<piece_q6_K, READ_ROWS>;\n"
    "template [[host_name(\"integer_read_q8_0\")]] kernel decltype(integer_read<piece_q8_0, READ_ROWS>) integer_read<piece_q8_0, READ_ROWS>;\n"
    "template [[host_name(\"integer_gated_q4_K\")]] kernel decltype(integer_gated<piece_q4_K, 2>) integer_gated<piece_q4_K, 2>;\n"
    "template [[host_name(\"integer_gated_q5_K\")]] kernel decltype(integer_gated<piece_q5_K, 2>) integer_gated<piece_q5_K, 2>;\n"
    "template [[host_name(\"integer_gated_q6_K\")]] kernel decltype(integer_gated<piece_q6_K, 2>) integer_gated<piece_q6_K, 2>;\n"
    "template [[host_name(\"integer_gated_q8_0\")]] kernel decltype(integer_gated<piece_q8_0, 2>) integer_gated<piece_q8_0, 2>;\n"
    "template [[host_name(\"integer_write_q4_K\")]] kernel decltype(integer_write<piece_q4_K, WRITE_ROWS>) integer_write<piece_q4_K, WRITE_ROWS>;\n"
    "template [[host_name(\"integer_write_q5_K\")]] kernel decltype(integer_write<piece_q5_K, WRITE_ROWS>) integer_write<piece_q5_K, WRITE_ROWS>;\n"
    "template [[host_name(\"integer_write_q6_K\")]] kernel decltype(integer_write<piece_q6_K, WRITE_ROWS>) integer_write<piece_q6_K, WRITE_ROWS>;\n"
    "template [[host_name(\"integer_write_q8_0\")]] kernel decltype(integer_write<piece_q8_0, WRITE_ROWS>) integer_write<piece_q8_0, WRITE_ROWS>;\n"},
    {"fast/fused_linear_batch.metal",
    "// fused_linear_batch.metal — weights × the vectors of a batch by the matrix units, and what follows, for decoding\n"
    "//\n"
    "//   linear_batch            out[t,n] = y[t,n]             y[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//   linear_batch_gelu       out[t,n] = gelu(y[t,n])\n"
    "//   linear_batch_residual   out[t,n] += y[t,n]\n"
    "//\n"
    "// A batch decodes as fast as one row as long as each weight is read once for all of its rows and multiplying costs\n"
    "// nothing. A threadgroup takes ROWS weight rows at a time and TILES tiles of eight tokens, grid (≤ ⌈N / ROWS⌉,\n"
    "// ⌈T / 8 TILES⌉). Its simdgroups split the columns, PART at a time: each makes 8×8 matrices of float sums from\n"
    "// 8×8 matrices of halves, which all simdgroups add up in threadgroup memory. K is a multiple of PART, N at least\n"
    "// ROWS; x has a whole number of tiles, and what its rows past T hold does not matter. Only whole simdgroups\n"
    "// multiply, so there must be one.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/batch_products.h\"\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "template <uint TILES, typename Out, bool GELU, bool ADD>\n"
    "kernel void linear_batch(\n"
    "    device const half *x [[buffer(0)]],      // [⌈T/8⌉·8,K]\n"
    "    device const half *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],  // [N]\n"
    "    device Out *out [[buffer(3)]],           // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB\n"
    "    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];\n"
    "    threadgroup float shift[ROWS]; // the bias\n"
    "    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);\n"
    "    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};\n"
    "    bool takes_part = simdgroup < simdgroups;\n"
    "    simdgroup_half8x8 ahead[AHEAD][2][4];\n"
    "    // Weights never change: the first of them are read before the kernel that makes x has ended.\n"
    "    if (takes_part) read_ahead(block_of(weight, begin_of(group.x, N), K), simdgroup, simdgroups, K, ahead);\n"
    "    for (uint block = group.x; block * ROWS < N; block += groups.x) {\n"
    "        uint first_row = begin_of(block, N), next = block + groups.x;\n"
    "        for (uint i = thread_index; i < ROWS; i += threads) shift[i] = bias[first_row + i];\n"
    "        if (block == group.x) wait_for_previous_kernel();\n"
    "        if (takes_part) {\n"
    "            simdgroup_float8x8 sum[TILES][2];\n"
    "            multiply(block_of(weight, first_row, K), tiles, simdgroup, simdgroups, K, ahead, sum);\n"
    "            if (next * ROWS < N) read_ahead(block_of(weight, begin_of(next, N), K), simdgroup, simdgroups, K, ahead);\n"
    "            store_sums(sum, sums[simdgroup]);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the writes above → the reads below\n"
    "        for (uint i = thread_index; i < ROWS * 8 * TILES; i += threads) {\n"
    "            uint r = i / (64 * TILES), tile = i / 64 % TILES, n = 8 * r + i % 64 / 8;\n"
    "            ulong t = 8 * (tiles.first + tile) + i % 8, at = t * N + first_row + n;\n"
    "            if (t >= T || first_row + n < block * ROWS) continue; // the block before has these rows\n"
    "            float before = ADD ? float(out[at]) : 0.0f, y = shift[n];\n"
    "            for (uint s = 0; s < simdgroups; s++) y += sums[s][r][tile][i % 64];\n"
    "            out[at] = Out(before + (GELU ? gelu_of(y) : y));\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"linear_batch_8\")]] kernel decltype(linear_batch<1, float, false, false>) linear_batch<1, float, false, false>;\n"
    "template [[host_name(\"linear_batch_16\")]] kernel decltype(linear_batch<2, float, false, false>) linear_batch<2, float, false, false>;\n"
    "template [[host_name(\"linear_batch_32\")]] kernel decltype(linear_batch<4, float, false, false>) linear_batch<4, float, false, false>;\n"
    "template [[host_name(\"linear_batch_gelu_8\")]] kernel decltype(linear_batch<1, half, true, false>) linear_batch<1, half, true, false>;\n"
    "template [[host_name(\"linear_batch_gelu_16\")]] kernel decltype(linear_batch<2, half, true, false>) linear_batch<2, half, true, false>;\n"
    "template [[host_name(\"linear_batch_gelu_32\")]] kernel decltype(linear_batch<4, half, true, false>) linear_batch<4, half, true, false>;\n"
    "template [[host_name(\"linear_batch_residual_8\")]] kernel decltype(linear_batch<1, float, false, true>) linear_batch<1, float, false, true>;\n"
    "template [[host_name(\"linear_batch_residual_16\")]] kernel decltype(linear_batch<2, float, false, true>) linear_batch<2, float, false, true>;\n"},
    {"fast/fused_linear_batch_parts.metal",
    "// fused_linear_batch_parts.metal — several products of a batch in one kernel, for decoding Llama and its relatives\n"
    "//\n"
    "//   linear_batch_parts   out[t,n] = y[t,n]       y[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//   linear_batch_gated   out[t,n] = f(y of gate[t,n]) · y of up[t,n],   f = silu or gelu\n"
    "//\n"
    "// fused_linear_batch.metal, of which a block of ROWS weight rows may as well come from several matrices. What are three\n"
    "// products for the model, q, k and v, is one here: their rows follow each other, and each matrix has a multiple of eight.\n"
    "// linear_batch_gated takes eight rows of gate and the same eight of up, so that a threadgroup has both sums of a channel.\n"
    "// K is a multiple of PART, N at least ROWS, for linear_batch_gated eight. Grid (≤ ⌈N / ROWS⌉, ⌈T / 8 TILES⌉), for\n"
    "// linear_batch_gated (≤ ⌈N / 8⌉, …).\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/batch_products.h\"\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/side_by_side.h\"\n"
    "#include \"parts/silu.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "// A number of the sums of all simdgroups.\n"
    "template <uint TILES>\n"
    "static float sum_of(threadgroup float (*sums)[2][TILES][64], uint simdgroups, uint r, uint tile, uint i)\n"
    "{\n"
    "    float sum = 0.0f;\n"
    "    for (uint s = 0; s < simdgroups; s++) sum += sums[s][r][tile][i];\n"
    "    return sum;\n"
    "}\n"
    "\n"
    "// Rows of three matrices from n on.\n"
    "static Block block_of(device const half *a, device const half *b, device const half *c, uint n, uint A, uint B, uint K)\n"
    "{\n"
    "    return {{row_of(a, b, c, n, A, B, K), row_of(a, b, c, n + 8, A, B, K)}};\n"
    "}\n"
    "\n"
    "template <uint TILES>\n"
    "kernel void linear_batch_parts(\n"
    "    device const half *x [[buffer(0)]],        // [⌈T/8⌉·8,K]\n"
    "    device const half *weight_a [[buffer(1)]], // [A,K]\n"
    "    device const half *weight_b [[buffer(2)]], // [B,K]\n"
    "    device const half *weight_c [[buffer(3)]], // [C,K]\n"
    "    device const float *bias_a [[buffer(4)]],  // [A]\n"
    "    device const float *bias_b [[buffer(5)]],  // [B]\n"
    "    device const float *bias_c [[buffer(6)]],  // [C]\n"
    "    device float *out [[buffer(7)]],           // [T,A+B+C]\n"
    "    constant uint &T [[buffer(8)]],\n"
    "    constant uint &K [[buffer(9)]],\n"
    "    constant uint &A [[buffer(10)]],\n"
    "    constant uint &B [[buffer(11)]],\n"
    "    constant uint &C [[buffer(12)]],\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB\n"
    "    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];\n"
    "    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS), N = A + B + C;\n"
    "    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};\n"
    "    Block rows = block_of(weight_a, weight_b, weight_c, begin_of(group.x, N), A, B, K);\n"
    "    bool takes_part = simdgroup < simdgroups;\n"
    "    simdgroup_half8x8 ahead[AHEAD][2][4];\n"
    "    // Weights never change: the first of them are read before the kernel that makes x has ended.\n"
    "    if (takes_part) read_ahead(rows, simdgroup, simdgroups, K, ahead);\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint block = group.x; block * ROWS < N; block += groups.x) {\n"
    "        uint first_row = begin_of(block, N), next = block + groups.x;\n"
    "        if (takes_part) {\n"
    "            simdgroup_float8x8 sum[TILES][2];\n"
    "            multiply(rows, tiles, simdgroup, simdgroups, K, ahead, sum);\n"
    "            rows = block_of(weight_a, weight_b, weight_c, begin_of(next, N), A, B, K);\n"
    "            if (next * ROWS < N) read_ahead(rows, simdgroup, simdgroups, K, ahead);\n"
    "            store_sums(sum, sums[simdgroup]);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below\n"
    "        for (uint i = thread_index; i < ROWS * 8 * TILES; i += threads) {\n"
    "            uint r = i / (64 * TILES), tile = i / 64 % TILES, n = first_row + 8 * r + i % 64 / 8;\n"
    "            ulong t = 8 * (tiles.first + tile) + i % 8;\n"
    "            if (t >= T || n < block * ROWS) continue; // the block before has these rows\n"
    "            out[t * N + n] = sum_of(sums, simdgroups, r, tile, i % 64) + *row_of(bias_a, bias_b, bias_c, n, A, B, 1);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "// Where a block of eight rows of gate and of up begins.\n"
    "static uint gated_begin(uint block, uint N) { return min(block * 8, N - 8); }\n"
    "\n"
    "// Eight rows of two matrices from n on.\n"
    "static Block block_of(device const half *gate, device const half *up, uint n, uint K)\n"
    "{\n"
    "    return {{gate + ulong(n) * K, up + ulong(n) * K}};\n"
    "}\n"
    "\n"
    "template <uint TILES>\n"
    "kernel void linear_batch_gated(\n"
    "    device const half *x [[buffer(0)]],          // [⌈T/8⌉·8,K]\n"
    "    device const half *gate [[buffer(1)]],       // [N,K]\n"
    "    device const half *up [[buffer(2)]],         // [N,K]\n"
    "    device const float *gate_bias [[buffer(3)]], // [N]\n"
    "    device const float *up_bias [[buffer(4)]],   // [N]\n"
    "    device half *out [[buffer(5)]],              // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &gelu [[buffer(9)]], // 1: f = gelu\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB\n"
    "    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];\n"
    "    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);\n"
    "    Tiles tiles = {x, group.y * TILES, (T - 1) / 8};\n"
    "    Block rows = block_of(gate, up, gated_begin(group.x, N), K);\n"
    "    bool takes_part = simdgroup < simdgroups;\n"
    "    simdgroup_half8x8 ahead[AHEAD][2][4];\n"
    "    // Weights never change: the first of them are read before the kernel that makes x has ended.\n"
    "    if (takes_part) read_ahead(rows, simdgroup, simdgroups, K, ahead);\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint block = group.x; block * 8 < N; block += groups.x) {\n"
    "        uint first_row = gated_begin(block, N), next = block + groups.x;\n"
    "        if (takes_part) {\n"
    "            simdgroup_float8x8 sum[TILES][2];\n"
    "            multiply(rows, tiles, simdgroup, simdgroups, K, ahead, sum);\n"
    "            rows = block_of(gate, up, gated_begin(next, N), K);\n"
    "            if (next * 8 < N) read_ahead(rows, simdgroup, simdgroups, K, ahead);\n"
    "            store_sums(sum, sums[simdgroup]);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below\n"
    "        for (uint i = thread_index; i < 64 * TILES; i += threads) {\n"
    "            uint tile = i / 64, n = first_row + i % 64 / 8;\n"
    "            ulong t = 8 * (tiles.first + tile) + i % 8;\n"
    "            if (t >= T || n < block * 8) continue; // the block before has these rows\n"
    "            float open = sum_of(sums, simdgroups, 0, tile, i % 64) + gate_bias[n];\n"
    "            open = gelu ? gelu_of(open) : silu_of(open);\n"
    "            out[t * N + n] = half(open * (sum_of(sums, simdgroups, 1, tile, i % 64) + up_bias[n]));\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"linear_batch_parts_8\")]] kernel decltype(linear_batch_parts<1>) linear_batch_parts<1>;\n"
    "template [[host_name(\"linear_batch_parts_16\")]] kernel decltype(linear_batch_parts<2>) linear_batch_parts<2>;\n"
    "template [[host_name(\"linear_batch_parts_32\")]] kernel decltype(linear_batch_parts<4>) linear_batch_parts<4>;\n"
    "template [[host_name(\"linear_batch_gated_8\")]] kernel decltype(linear_batch_gated<1>) linear_batch_gated<1>;\n"
    "template [[host_name(\"linear_batch_gated_16\")]] kernel decltype(linear_batch_gated<2>) linear_batch_gated<2>;\n"
    "template [[host_name(\"linear_batch_gated_32\")]] kernel decltype(linear_batch_gated<4>) linear_batch_gated<4>;\n"},
    {"fast/fused_linear_residual.metal",
    "// fused_linear_residual.metal — weights × vector, added to the residual stream, for decoding\n"
    "//\n"
    "//   stream[t,n] += Σ_k x[t,k] · weight[n,k] + bias[n]\n"
    "//\n"
    "// linear.metal and the addition of residual.metal in one kernel, whose layernorm is the beginning of the\n"
    "// kernel that comes next (fused_norm_linear.metal). A threadgroup takes ROWS weight rows; its threads split\n"
    "// the columns, in vectors of four or of eight halves (vectors.h), of which K is a multiple. Grid ⌈N / ROWS⌉ threadgroups.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/vectors.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "constant constexpr uint ROWS = 2; // host: of the weight, per threadgroup\n"
    "constant constexpr uint FOURS_AHEAD = 7, EIGHTS_AHEAD = 4; // host: vectors of each row that a thread has on their way at once\n"
    "\n"
    "// A thread's next vectors of each row; past the end the last one, which x has zeros for.\n"
    "template <typename Vector, uint AHEAD>\n"
    "static void read_part(thread Vector (&part)[ROWS][AHEAD], device const Vector *weight, uint n, uint N, uint vectors,\n"
    "                      uint first, uint threads)\n"
    "{\n"
    "    for (uint r = 0; r < ROWS; r++)\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            part[r][i] = weight[ulong(min(n + r, N - 1)) * vectors + min(first + i * threads, vectors - 1)];\n"
    "}\n"
    "\n"
    "// Their products with COUNT tokens.\n"
    "template <uint FOURS, typename Vector, uint AHEAD, uint COUNT>\n"
    "static void multiply_part(thread const Vector (&part)[ROWS][AHEAD], device const float4 *x, uint vectors, uint first,\n"
    "                          uint threads, uint count, thread float (&sum)[ROWS][COUNT])\n"
    "{\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        device const float4 *row = x + ulong(min(t, count - 1)) * vectors * FOURS;\n"
    "        float4 value[AHEAD][FOURS];\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            for (uint j = 0; j < FOURS; j++) value[i][j] = row[min(first + i * threads, vectors - 1) * FOURS + j];\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            for (uint j = 0; j < FOURS; j++) {\n"
    "                if (first + i * threads >= vectors) value[i][j] = float4(0.0f);\n"
    "                for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value[i][j], four_of(part[r][i], j));\n"
    "            }\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>\n"
    "kernel void linear_residual(\n"
    "    device const float4 *x [[buffer(0)]],      // [T,K/4]\n"
    "    device const Vector *weight [[buffer(1)]], // [N,vectors]\n"
    "    device const float *bias [[buffer(2)]],    // [N]\n"
    "    device float *stream [[buffer(3)]],        // [T,N]\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float partial[ROWS][COUNT][32];\n"
    "    uint n = group * ROWS, vectors = K / (4 * FOURS);\n"
    "    Vector part[ROWS][AHEAD];\n"
    "    // Weights never change: they are read before the kernel that makes x has ended.\n"
    "    read_part(part, weight, n, N, vectors, thread_index, threads);\n"
    "    float row_bias[ROWS];\n"
    "    for (uint r = 0; r < ROWS; r++) row_bias[r] = bias[min(n + r, N - 1)];\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint begin = 0; begin < T; begin += COUNT) {\n"
    "        uint count = min(COUNT, T - begin);\n"
    "        float sum[ROWS][COUNT], before[ROWS][COUNT]; // read early: it takes as long as a part of the weights\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                sum[r][t] = 0.0f;\n"
    "                if (thread_index == 0) before[r][t] = stream[ulong(begin + min(t, count - 1)) * N + min(n + r, N - 1)];\n"
    "            }\n"
    "        for (uint first = thread_index; first < vectors; first += AHEAD * threads) {\n"
    "            if (first != thread_index) read_part(part, weight, n, N, vectors, first, threads);\n"
    "            multiply_part<FOURS>(part, x + ulong(begin) * (K / 4), vectors, first, threads, count, sum);\n"
    "        }\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                float total = simd_sum(sum[r][t]);\n"
    "                if (lane == 0) partial[r][t][simdgroup] = total;\n"
    "            }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the writes above → the reads below\n"
    "        for (uint r = 0; r < ROWS && thread_index == 0; r++)\n"
    "            for (uint t = 0; t < count && n + r < N; t++) {\n"
    "                float total = row_bias[r];\n"
    "                for (uint i = 0; i < simdgroups; i++) total += partial[r][t][i];\n"
    "                stream[ulong(begin + t) * N + n + r] = before[r][t] + total;\n"
    "            }\n"
    "        if (begin + COUNT >= T) break;\n"
    "        if (vectors > AHEAD * threads) read_part(part, weight, n, N, vectors, thread_index, threads);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "// In pairs two tokens at a time.\n"
    "template [[host_name(\"linear_residual_f32\")]] kernel decltype(linear_residual<float4, 1, FOURS_AHEAD, 1>) linear_residual<float4, 1, FOURS_AHEAD, 1>;\n"
    "template [[host_name(\"linear_residual_f16\")]] kernel decltype(linear_residual<half4, 1, FOURS_AHEAD, 1>) linear_residual<half4, 1, FOURS_AHEAD, 1>;\n"
    "template [[host_name(\"linear_residual_eights_f16\")]] kernel decltype(linear_residual<uint4, 2, EIGHTS_AHEAD, 1>) linear_residual<uint4, 2, EIGHTS_AHEAD, 1>;\n"
    "template [[host_name(\"linear_residual_pair_f32\")]] kernel decltype(linear_residual<float4, 1, FOURS_AHEAD, 2>) linear_residual<float4, 1, FOURS_AHEAD, 2>;\n"},
    {"fast/fused_norm_linear.metal",
    "// fused_norm_linear.metal — layernorm, weights × vector and, where wanted, GELU in one kernel, for decoding\n"
    "//\n"
    "//   out[t,n] = f(Σ_k norm(x[t])[k] · weight[n,k] + bias[n]),   f(y) = gelu(y) or y\n"
    "//\n"
    "// On a GPU a step of decoding is a chain of short kernels, and starting one costs as much as what it does:\n"
    "// this one takes the place of layernorm.metal, linear.metal and activation.metal. Every threadgroup makes\n"
    "// COUNT normalised vectors for itself, all its threads together; then its simdgroups take rows of the weights in\n"
    "// turn, ROWS at a time, of which the first are on their way meanwhile. Lanes read four neighbours at a time.\n"
    "// K is a multiple of 4 and at most 4 · SIMD_WIDTH · LANE_VECTORS. Only whole simdgroups take rows, so there must\n"
    "// be one. The grid has as many simdgroups as the device runs at once, or N if that is less.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "#include \"parts/sums.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "constant constexpr uint MAX_VECTORS = 416, NARROW_VECTORS = 256; // host: of four channels\n"
    "constant constexpr uint WIDE = MAX_VECTORS / SIMD_WIDTH, NARROW = NARROW_VECTORS / SIMD_WIDTH;\n"
    "constant constexpr uint AHEAD = 4; // vectors that a thread has on their way at once\n"
    "\n"
    "// The threads split the vectors, always in the same way: each reads back only what it wrote.\n"
    "static void copy(device const float4 *from, threadgroup float4 *to, uint vectors, uint thread_index, uint threads)\n"
    "{\n"
    "    for (uint first = thread_index; first < vectors; first += AHEAD * threads) {\n"
    "        float4 value[AHEAD];\n"
    "        for (uint i = 0; i < AHEAD; i++) value[i] = from[min(first + i * threads, vectors - 1)];\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            if (first + i * threads < vectors) to[first + i * threads] = value[i];\n"
    "    }\n"
    "}\n"
    "\n"
    "// A lane's vectors of a weight row; those past its end keep what they have, zeros.\n"
    "template <typename Vector, uint LANE_VECTORS> struct Row {\n"
    "    Vector part[LANE_VECTORS];\n"
    "    float bias;\n"
    "};\n"
    "\n"
    "template <typename Vector, uint LANE_VECTORS>\n"
    "static void read_row(thread Row<Vector, LANE_VECTORS> &row, device const Vector *weight, device const float *bias,\n"
    "                     uint n, uint N, uint vectors, uint lane)\n"
    "{\n"
    "    device const Vector *from = weight + ulong(min(n, N - 1)) * vectors + lane;\n"
    "    for (uint i = 0; i < LANE_VECTORS; i++)\n"
    "        if (lane + i * SIMD_WIDTH < vectors) row.part[i] = from[i * SIMD_WIDTH];\n"
    "    row.bias = bias[min(n, N - 1)];\n"
    "}\n"
    "\n"
    "template <typename Vector, uint LANE_VECTORS, uint COUNT, uint ROWS>\n"
    "kernel void norm_linear(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const float4 *norm_bias [[buffer(2)]],   // [K/4]\n"
    "    device const Vector *weight [[buffer(3)]],      // [N,K/4]\n"
    "    device const float *bias [[buffer(4)]],         // [N]\n"
    "    device float *out [[buffer(5)]],                // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &gelu [[buffer(9)]], // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(10)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float4 scale[MAX_VECTORS], shift[MAX_VECTORS], normal[COUNT][MAX_VECTORS];\n"
    "    threadgroup float partial[3 * COUNT][32];\n"
    "    uint vectors = K / 4, whole = threads / SIMD_WIDTH;\n"
    "    uint first = simdgroup < whole ? group * whole + simdgroup : N, step = groups * whole;\n"
    "    float share = 1.0f / float(K);\n"
    "    Row<Vector, LANE_VECTORS> rows[ROWS] = {};\n"
    "    // Weights never change: they are read before the kernel that makes x has ended.\n"
    "    for (uint r = 0; r < ROWS; r++) read_row(rows[r], weight, bias, first + r * step, N, vectors, lane);\n"
    "    copy(norm_weight, scale, vectors, thread_index, threads);\n"
    "    copy(norm_bias, shift, vectors, thread_index, threads);\n"
    "    wait_for_previous_kernel();\n"
    "\n"
    "    for (uint begin = 0; begin < T; begin += COUNT) {\n"
    "        // To mean 0 and standard deviation 1, as layernorm.metal does it.\n"
    "        float sum[COUNT] = {}, rest[2 * COUNT] = {}; // of the differences to the mean, and of their squares\n"
    "        for (uint t = 0; t < COUNT; t++)\n"
    "            copy(x + ulong(min(begin + t, T - 1)) * vectors, normal[t], vectors, thread_index, threads);\n"
    "        for (uint k = thread_index; k < vectors; k += threads)\n"
    "            for (uint t = 0; t < COUNT; t++) sum[t] += dot(normal[t][k], float4(1.0f));\n"
    "        threadgroup_sums(sum, partial, lane, simdgroup, simdgroups);\n"
    "        for (uint k = thread_index; k < vectors; k += threads)\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                float4 difference = normal[t][k] - sum[t] * share;\n"
    "                rest[2 * t] += dot(difference, float4(1.0f));\n"
    "                rest[2 * t + 1] += dot(difference, difference);\n"
    "            }\n"
    "        threadgroup_sums(rest, partial + COUNT, lane, simdgroup, simdgroups);\n"
    "        for (uint k = thread_index; k < vectors; k += threads)\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                float mean = (sum[t] + rest[2 * t]) * share, part = rsqrt(rest[2 * t + 1] * share + epsilon);\n"
    "                normal[t][k] = (normal[t][k] - mean) * part * scale[k] + shift[k];\n"
    "            }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below\n"
    "\n"
    "        for (uint next = first; next < N; next += ROWS * step) {\n"
    "            float y[ROWS][COUNT] = {}, row_bias[ROWS];\n"
    "            for (uint i = 0; i < LANE_VECTORS; i++)\n"
    "                for (uint t = 0; t < COUNT; t++) {\n"
    "                    float4 value = normal[t][min(lane + i * SIMD_WIDTH, vectors - 1)];\n"
    "                    for (uint r = 0; r < ROWS; r++) y[r][t] += dot(value, float4(rows[r].part[i]));\n"
    "                }\n"
    "            for (uint r = 0; r < ROWS; r++) {\n"
    "                uint n = next + r * step, following = n + ROWS * step;\n"
    "                row_bias[r] = rows[r].bias;\n"
    "                if (following >= N && begin + COUNT < T) following = first + r * step; // for the next tokens\n"
    "                if (following < N) read_row(rows[r], weight, bias, following, N, vectors, lane);\n"
    "            }\n"
    "            for (uint r = 0; r < ROWS; r++)\n"
    "                for (uint t = 0; t < COUNT; t++) {\n"
    "                    uint n = next + r * step;\n"
    "                    float result = simd_sum(y[r][t]) + row_bias[r];\n"
    "                    if (lane == 0 && n < N && begin + t < T)\n"
    "                        out[ulong(begin + t) * N + n] = gelu ? gelu_of(result) : result;\n"
    "                }\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal, partial: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "// For K ≤ 1,024 and ≤ 1,664; in pairs two tokens at a time.\n"
    "template [[host_name(\"norm_linear_f32\")]] kernel decltype(norm_linear<float4, NARROW, 1, 2>) norm_linear<float4, NARROW, 1, 2>;\n"
    "template [[host_name(\"norm_linear_f16\")]] kernel decltype(norm_linear<half4, NARROW, 1, 2>) norm_linear<half4, NARROW, 1, 2>;\n"
    "template [[host_name(\"norm_linear_wide_f32\")]] kernel decltype(norm_linear<float4, WIDE, 1, 1>) norm_linear<float4, WIDE, 1, 1>;\n"
    "template [[host_name(\"norm_linear_wide_f16\")]] kernel decltype(norm_linear<half4, WIDE, 1, 2>) norm_linear<half4, WIDE, 1, 2>;\n"
    "template [[host_name(\"norm_linear_pair_f32\")]] kernel decltype(norm_linear<float4, NARROW, 2, 2>) norm_linear<float4, NARROW, 2, 2>;\n"
    "template [[host_name(\"norm_linear_pair_wide_f32\")]] kernel decltype(norm_linear<float4, WIDE, 2, 1>) norm_linear<float4, WIDE, 2, 1>;\n"},
    {"fast/fused_norm_linear_batch.metal",
    "// fused_norm_linear_batch.metal — layernorm and weights × vectors by the matrix units, for decoding up to eight rows\n"
    "//\n"
    "//   norm_linear_batch        out[t,n] = y[t,n]         y[t,n] = Σ_k norm(x[t])[k] · weight[n,k] + bias[n]\n"
    "//   norm_linear_batch_gelu   out[t,n] = gelu(y[t,n])\n"
    "//\n"
    "// fused_linear_batch.metal with layernorm.metal in front: for few rows it costs less to normalise them in every\n"
    "// threadgroup than to start another kernel. The simdgroups split the rows, which go to threadgroup memory as\n"
    "// halves; then each multiplies its columns of them with those of ROWS weight rows. T is at most 8, K a multiple of\n"
    "// PART and at most MAX_CHANNELS, N at least ROWS. Grid at most ⌈N / ROWS⌉ threadgroups, of at least one simdgroup.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/batch_products.h\"\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "constant constexpr uint MAX_SIMDGROUPS = 8; // that take part\n"
    "constant constexpr uint MAX_CHANNELS = 1024, MAX_TOKENS = 8; // host: of x\n"
    "constant constexpr uint STRIDE = MAX_CHANNELS + PART; // rows begin in different banks\n"
    "constant constexpr uint SHARE = (MAX_CHANNELS / 4 + SIMD_WIDTH - 1) / SIMD_WIDTH; // a lane's vectors of a row\n"
    "\n"
    "// To mean 0 and standard deviation 1, then scaled and shifted, as layernorm.metal does it.\n"
    "static void normalise(device const float4 *x, threadgroup const float4 *scales, threadgroup const float4 *shifts,\n"
    "                      threadgroup half *out, uint vectors, float epsilon, uint lane)\n"
    "{\n"
    "    float4 value[SHARE];\n"
    "    float sum = 0.0f, differences = 0.0f, squares = 0.0f, count = float(4 * vectors);\n"
    "    for (uint i = 0; i < SHARE; i++) {\n"
    "        uint k = lane + i * SIMD_WIDTH;\n"
    "        value[i] = k < vectors ? x[k] : float4(0.0f);\n"
    "        sum += dot(value[i], float4(1.0f));\n"
    "    }\n"
    "    float mean = simd_sum(sum) / count;\n"
    "    for (uint i = 0; i < SHARE; i++) {\n"
    "        float4 difference = lane + i * SIMD_WIDTH < vectors ? value[i] - mean : float4(0.0f);\n"
    "        differences += dot(difference, float4(1.0f));\n"
    "        squares += dot(difference, difference);\n"
    "    }\n"
    "    float factor = 1.0f / sqrt(simd_sum(squares) / count + epsilon);\n"
    "    mean += simd_sum(differences) / count;\n"
    "    for (uint i = 0; i < SHARE; i++) {\n"
    "        uint k = lane + i * SIMD_WIDTH;\n"
    "        float4 normal = (value[i] - mean) * factor * scales[k] + shifts[k];\n"
    "        for (uint j = 0; j < 4; j++) out[4 * k + j] = half(normal[j]);\n"
    "    }\n"
    "}\n"
    "\n"
    "// Parts begin, begin + step … of a block and of the tokens; `ahead` has the first ones of the block.\n"
    "static void multiply(Block block, threadgroup const half (*normal)[STRIDE], uint begin, uint step, uint K,\n"
    "                     thread simdgroup_half8x8 (&ahead)[AHEAD][2][4], thread simdgroup_float8x8 (&sum)[2])\n"
    "{\n"
    "    for (uint r = 0; r < 2; r++) sum[r] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);\n"
    "    for (uint first = begin; first < K / PART; first += AHEAD * step) {\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "            if (first + i * step < K / PART) {\n"
    "                simdgroup_half8x8 tokens[4];\n"
    "                load_part(tokens, &normal[0][(first + i * step) * PART], STRIDE, true);\n"
    "                multiply_part(sum, ahead[i], tokens);\n"
    "            }\n"
    "        read_ahead(block, first + AHEAD * step, step, K, ahead);\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Out, bool GELU>\n"
    "kernel void norm_linear_batch(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const float4 *norm_bias [[buffer(2)]],   // [K/4]\n"
    "    device const half *weight [[buffer(3)]],        // [N,K]\n"
    "    device const float *bias [[buffer(4)]],         // [N]\n"
    "    device Out *out [[buffer(5)]],                  // [T,N]\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]],\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant float &epsilon [[buffer(9)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]])\n"
    "{\n"
    "    threadgroup half normal[MAX_TOKENS][STRIDE];\n"
    "    threadgroup float4 scales[MAX_CHANNELS / 4], shifts[MAX_CHANNELS / 4]; // of layernorm\n"
    "    threadgroup float sums[MAX_SIMDGROUPS][2][64];\n"
    "    threadgroup float shift[ROWS]; // the bias\n"
    "    uint simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);\n"
    "    bool takes_part = simdgroup < simdgroups;\n"
    "    simdgroup_half8x8 ahead[AHEAD][2][4];\n"
    "    // Weights never change: the first of them are read before the kernel that makes x has ended.\n"
    "    if (takes_part) read_ahead(block_of(weight, begin_of(group, N), K), simdgroup, simdgroups, K, ahead);\n"
    "    for (uint k = thread_index; k < MAX_CHANNELS / 4; k += threads) {\n"
    "        scales[k] = norm_weight[min(k, K / 4 - 1)];\n"
    "        shifts[k] = norm_bias[min(k, K / 4 - 1)];\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // scales, shifts: the writes above → the reads below\n"
    "    for (uint block = group; block * ROWS < N; block += groups) {\n"
    "        uint first_row = begin_of(block, N), next = block + groups;\n"
    "        for (uint i = thread_index; i < ROWS; i += threads) shift[i] = bias[first_row + i];\n"
    "        if (block == group) {\n"
    "            wait_for_previous_kernel();\n"
    "            for (uint t = simdgroup; takes_part && t < MAX_TOKENS; t += simdgroups) // after the last row the last one again\n"
    "                normalise(x + ulong(min(t, T - 1)) * (K / 4), scales, shifts, normal[t], K / 4, epsilon, lane);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // normal, shift: the writes above → the reads below\n"
    "        if (takes_part) {\n"
    "            simdgroup_float8x8 sum[2];\n"
    "            multiply(block_of(weight, first_row, K), normal, simdgroup, simdgroups, K, ahead, sum);\n"
    "            if (next * ROWS < N) read_ahead(block_of(weight, begin_of(next, N), K), simdgroup, simdgroups, K, ahead);\n"
    "            for (uint r = 0; r < 2; r++) simdgroup_store(sum[r], sums[simdgroup][r], 8);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below\n"
    "        for (uint i = thread_index; i < ROWS * 8; i += threads) {\n"
    "            uint n = first_row + i / 8, t = i % 8;\n"
    "            if (t >= T || n < block * ROWS) continue; // the block before has these rows\n"
    "            float y = shift[i / 8];\n"
    "            for (uint s = 0; s < simdgroups; s++) y += sums[s][i / 64][i % 64];\n"
    "            out[ulong(t) * N + n] = Out(GELU ? gelu_of(y) : y);\n"
    "        }\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"norm_linear_batch\")]] kernel decltype(norm_linear_batch<float, false>) norm_linear_batch<float, false>;\n"
    "template [[host_name(\"norm_linear_batch_gelu\")]] kernel decltype(norm_linear_batch<half, true>) norm_linear_batch<half, true>;\n"},
    {"fast/fused_rmsnorm_linear.metal",
    "// fused_rmsnorm_linear.metal — RMSNorm, products of its result and, where wanted, a gated activation, for decoding\n"
    "//\n"
    "//   rmsnorm_linear   out[t,n] = y[t,n]        y[t,n] = Σ_k norm(x[t])[k] · weight[n,k] + bias[n]\n"
    "//   rmsnorm_gated    out[t,n] = f(y of gate[t,n]) · y of up[t,n],   f = silu or gelu\n"
    "//\n"
    "// Of a row RMSNorm is a factor, 1 / sqrt(Σ_k x[k]² / K + epsilon), which may as well be multiplied in after the sum: a\n"
    "// simdgroup adds up the squares on the way, and no thread waits for another. What are three products for the model, q, k\n"
    "// and v, is one here: their rows follow each other. A simdgroup takes ROWS rows, for rmsnorm_gated one of gate and the\n"
    "// same one of up; its lanes stride over vectors of four floats or eight halves (vectors.h), of which the first ones of the\n"
    "// weights are on their way before x is made. K is a multiple of a vector's columns. Grid ⌈N / ROWS⌉ simdgroups, for\n"
    "// rmsnorm_gated N.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/gelu.h\"\n"
    "#include \"parts/side_by_side.h\"\n"
    "#include \"parts/silu.h\"\n"
    "#include \"parts/vectors.h\"\n"
    "#include \"parts/wait.h\"\n"
    "\n"
    "constant constexpr uint ROWS = 2; // host: of the weights, per simdgroup\n"
    "// Vectors of each row that a lane has on their way at once; more of them leave room for fewer simdgroups.\n"
    "constant constexpr uint FLOATS_AHEAD = 4, HALVES_AHEAD = 2;\n"
    "constant constexpr uint NARROW_AHEAD = 3; // host: of rows so short that all lanes together have them on their way\n"
    "\n"
    "// A lane's next vectors of each row; past the end the last one, which x has zeros for.\n"
    "template <typename Vector, uint AHEAD>\n"
    "static void read_part(thread Vector (&part)[ROWS][AHEAD], device const Vector *first_row, device const Vector *second_row,\n"
    "                      uint vectors, uint first, uint lanes)\n"
    "{\n"
    "    for (uint i = 0; i < AHEAD; i++) {\n"
    "        uint k = min(first + i * lanes, vectors - 1);\n"
    "        part[0][i] = first_row[k];\n"
    "        part[1][i] = second_row[k];\n"
    "    }\n"
    "}\n"
    "\n"
    "// norm(x) · each row, for COUNT tokens from x on, of which the last one stands for those that are not there. `part` has\n"
    "// the rows' first vectors.\n"
    "template <uint FOURS, typename Vector, uint AHEAD, uint COUNT>\n"
    "static void multiply(thread Vector (&part)[ROWS][AHEAD], device const Vector *first_row, device const Vector *second_row,\n"
    "                     device const float4 *x, device const float4 *norm, float epsilon, uint vectors, uint count, uint lane,\n"
    "                     uint lanes, thread float (&sum)[ROWS][COUNT])\n"
    "{\n"
    "    float squares[COUNT] = {};\n"
    "    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;\n"
    "    for (uint first = lane; first < vectors; first += AHEAD * lanes) {\n"
    "        if (first != lane) read_part(part, first_row, second_row, vectors, first, lanes);\n"
    "        for (uint i = 0; i < AHEAD; i++) {\n"
    "            uint k = first + i * lanes;\n"
    "            for (uint j = 0; j < FOURS; j++) {\n"
    "                uint at = min(k, vectors - 1) * FOURS + j;\n"
    "                float4 weight = norm[at];\n"
    "                for (uint t = 0; t < COUNT; t++) {\n"
    "                    float4 value = x[ulong(min(t, count - 1)) * vectors * FOURS + at];\n"
    "                    if (k >= vectors) value = float4(0.0f);\n"
    "                    squares[t] += dot(value, value);\n"
    "                    value *= weight;\n"
    "                    for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value, four_of(part[r][i], j));\n"
    "                }\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float factor = 1.0f / sqrt(simd_sum(squares[t]) / float(4 * FOURS * vectors) + epsilon);\n"
    "        for (uint r = 0; r < ROWS; r++) sum[r][t] = simd_sum(sum[r][t]) * factor;\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>\n"
    "kernel void rmsnorm_linear(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const Vector *weight_a [[buffer(2)]],    // [A,vectors]\n"
    "    device const Vector *weight_b [[buffer(3)]],    // [B,vectors]\n"
    "    device const Vector *weight_c [[buffer(4)]],    // [C,vectors]\n"
    "    device const float *bias_a [[buffer(5)]],       // [A]\n"
    "    device const float *bias_b [[buffer(6)]],       // [B]\n"
    "    device const float *bias_c [[buffer(7)]],       // [C]\n"
    "    device float *out [[buffer(8)]],                // [T,A+B+C]\n"
    "    constant uint &T [[buffer(9)]],\n"
    "    constant uint &K [[buffer(10)]],\n"
    "    constant uint &A [[buffer(11)]],\n"
    "    constant uint &B [[buffer(12)]],\n"
    "    constant uint &C [[buffer(13)]],\n"
    "    constant float &epsilon [[buffer(14)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = (group * simdgroups + simdgroup) * ROWS, N = A + B + C, vectors = K / (4 * FOURS);\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width), last = min(n + 1, N - 1);\n"
    "    device const Vector *first_row = row_of(weight_a, weight_b, weight_c, n, A, B, vectors);\n"
    "    device const Vector *second_row = row_of(weight_a, weight_b, weight_c, last, A, B, vectors);\n"
    "    float bias[ROWS] = {*row_of(bias_a, bias_b, bias_c, n, A, B, 1), *row_of(bias_a, bias_b, bias_c, last, A, B, 1)};\n"
    "    Vector part[ROWS][AHEAD];\n"
    "    // Weights never change: they are read before the kernel that makes x has ended.\n"
    "    read_part(part, first_row, second_row, vectors, lane, lanes);\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint begin = 0; begin < T; begin += COUNT) {\n"
    "        float y[ROWS][COUNT];\n"
    "        uint count = min(COUNT, T - begin);\n"
    "        multiply<FOURS>(part, first_row, second_row, x + ulong(begin) * (K / 4), norm_weight, epsilon, vectors, count,\n"
    "                        lane, lanes, y);\n"
    "        for (uint t = 0; t < count && lane == 0; t++)\n"
    "            for (uint r = 0; r < ROWS && n + r < N; r++) out[ulong(begin + t) * N + n + r] = y[r][t] + bias[r];\n"
    "        if (begin + COUNT < T) read_part(part, first_row, second_row, vectors, lane, lanes);\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>\n"
    "kernel void rmsnorm_gated(\n"
    "    device const float4 *x [[buffer(0)]],           // [T,K/4]\n"
    "    device const float4 *norm_weight [[buffer(1)]], // [K/4]\n"
    "    device const Vector *gate [[buffer(2)]],        // [N,vectors]\n"
    "    device const Vector *up [[buffer(3)]],          // [N,vectors]\n"
    "    device const float *gate_bias [[buffer(4)]],    // [N]\n"
    "    device const float *up_bias [[buffer(5)]],      // [N]\n"
    "    device float *out [[buffer(6)]],                // [T,N]\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &K [[buffer(8)]],\n"
    "    constant uint &N [[buffer(9)]],\n"
    "    constant uint &gelu [[buffer(10)]], // 1: f = gelu\n"
    "    constant float &epsilon [[buffer(11)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, vectors = K / (4 * FOURS);\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width);\n"
    "    device const Vector *gate_row = gate + ulong(n) * vectors, *up_row = up + ulong(n) * vectors;\n"
    "    float bias[ROWS] = {gate_bias[n], up_bias[n]};\n"
    "    Vector part[ROWS][AHEAD];\n"
    "    // Weights never change: they are read before the kernel that makes x has ended.\n"
    "    read_part(part, gate_row, up_row, vectors, lane, lanes);\n"
    "    wait_for_previous_kernel();\n"
    "    for (uint begin = 0; begin < T; begin += COUNT) {\n"
    "        float y[ROWS][COUNT];\n"
    "        uint count = min(COUNT, T - begin);\n"
    "        multiply<FOURS>(part, gate_row, up_row, x + ulong(begin) * (K / 4), norm_weight, epsilon, vectors, count, lane,\n"
    "                        lanes, y);\n"
    "        for (uint t = 0; t < count && lane == 0; t++) {\n"
    "            float open = y[0][t] + bias[0];\n"
    "            open = gelu ? gelu_of(open) : silu_of(open);\n"
    "            out[ulong(begin + t) * N + n] = open * (y[1][t] + bias[1]);\n"
    "        }\n"
    "        if (begin + COUNT < T) read_part(part, gate_row, up_row, vectors, lane, lanes);\n"
    "    }\n"
    "}\n"
    "\n"
    "// In fours four tokens at a time.\n"
    "template [[host_name(\"rmsnorm_linear_f32\")]] kernel decltype(rmsnorm_linear<float4, 1, FLOATS_AHEAD, 1>) rmsnorm_linear<float4, 1, FLOATS_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_linear_f16\")]] kernel decltype(rmsnorm_linear<uint4, 2, HALVES_AHEAD, 1>) rmsnorm_linear<uint4, 2, HALVES_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_linear_narrow_f16\")]] kernel decltype(rmsnorm_linear<uint4, 2, NARROW_AHEAD, 1>) rmsnorm_linear<uint4, 2, NARROW_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_linear_fours_f32\")]] kernel decltype(rmsnorm_linear<float4, 1, FLOATS_AHEAD, 4>) rmsnorm_linear<float4, 1, FLOATS_AHEAD, 4>;\n"
    "template [[host_name(\"rmsnorm_linear_fours_f16\")]] kernel decltype(rmsnorm_linear<uint4, 2, HALVES_AHEAD, 4>) rmsnorm_linear<uint4, 2, HALVES_AHEAD, 4>;\n"
    "template [[host_name(\"rmsnorm_gated_f32\")]] kernel decltype(rmsnorm_gated<float4, 1, FLOATS_AHEAD, 1>) rmsnorm_gated<float4, 1, FLOATS_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_gated_f16\")]] kernel decltype(rmsnorm_gated<uint4, 2, HALVES_AHEAD, 1>) rmsnorm_gated<uint4, 2, HALVES_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_gated_narrow_f16\")]] kernel decltype(rmsnorm_gated<uint4, 2, NARROW_AHEAD, 1>) rmsnorm_gated<uint4, 2, NARROW_AHEAD, 1>;\n"
    "template [[host_name(\"rmsnorm_gated_fours_f32\")]] kernel decltype(rmsnorm_gated<float4, 1, FLOATS_AHEAD, 4>) rmsnorm_gated<float4, 1, FLOATS_AHEAD, 4>;\n"
    "template [[host_name(\"rmsnorm_gated_fours_f16\")]] kernel decltype(rmsnorm_gated<uint4, 2, HALVES_AHEAD, 4>) rmsnorm_gated<uint4, 2, HALVES_AHEAD, 4>;\n"},
    {"fast/fused_split_attention.metal",
    "// fused_split_attention.metal — fused_turned_attention.metal for long contexts: the keys split over threadgroups\n"
    "//\n"
    "//   split_attention   keys[b,h,length] = K,  values[b,h,length] = V       as turned_attention writes them, and of each\n"
    "//                     split of the keys m = max_s (Q · keys[b,h,s] · scale · log2 e),  l = Σ_s 2^(score[s] − m),\n"
    "//                     sums = Σ_s 2^(score[s] − m) · values[b,h,s]\n"
    "//   merge_splits      out[b,h] = Σ_splits 2^(m − max m) · sums / Σ_splits 2^(m − max m) · l\n"
    "//\n"
    "// A threadgroup takes one split of a row's keys for COUNT of the nh / nkv heads that share them, so that they are read\n"
    "// once for all of those, grid (nkv ⌈nh / nkv / COUNT⌉, splits, B). Its simdgroups divide the split, and teams of lanes\n"
    "// have a key each (turned_keys.h). merge_splits has one threadgroup per head and row, grid (nh, B).\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/turned_heads.h\"\n"
    "\n"
    "constant constexpr uint MAX_SIMDGROUPS = 8; // host: of split_attention that take part\n"
    "constant constexpr uint MAX_SHARERS = 256;  // host: threads that add up the splits' sums\n"
    "\n"
    "template <uint VECTORS, uint COUNT, typename KV4>\n"
    "kernel void split_attention(\n"
    "    device const float4 *qkv [[buffer(0)]],   // [B,nh + 2 nkv,VECTORS]\n"
    "    device const uint *lengths [[buffer(1)]], // [B]\n"
    "    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done\n"
    "    device KV4 *keys [[buffer(3)]],           // [page,nkv,PAGE,VECTORS]\n"
    "    device KV4 *values [[buffer(4)]],         // [page,nkv,PAGE,VECTORS]\n"
    "    device const uint *pages [[buffer(5)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device float4 *split_sums [[buffer(6)]],  // [B,nh,splits,VECTORS]\n"
    "    device float2 *split_softmax [[buffer(7)]], // [B,nh,splits] m and l\n"
    "    constant uint &nh [[buffer(8)]],\n"
    "    constant uint &nkv [[buffer(9)]],\n"
    "    constant uint &capacity [[buffer(10)]],\n"
    "    constant uint &window [[buffer(11)]],\n"
    "    constant float &scale [[buffer(12)]],\n"
    "    device const float *q_norm [[buffer(13)]],      // [hs]\n"
    "    device const float *k_norm [[buffer(14)]],      // [hs]\n"
    "    device const float *frequencies [[buffer(15)]], // [rotary / 2]\n"
    "    constant uint &norms [[buffer(16)]],            // 1: heads are normalised\n"
    "    constant float &epsilon [[buffer(17)]],\n"
    "    constant uint &rotary [[buffer(18)]], // channels of a head that are turned, even\n"
    "    constant uint &halves [[buffer(19)]], // 1: pairs (p, p + rotary / 2), else (2p, 2p + 1)\n"
    "    constant float &magnitude [[buffer(20)]],\n"
    "    uint3 group [[threadgroup_position_in_grid]],\n"
    "    uint3 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint3 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float4 sums[MAX_SIMDGROUPS][COUNT][VECTORS], fresh[COUNT + 2][VECTORS]; // queries, key, value\n"
    "    threadgroup float2 softmax[MAX_SIMDGROUPS][COUNT]; // m and l\n"
    "    uint threads = group_size.x, split = group.y, splits = groups.y, b = group.z, length = lengths[b];\n"
    "    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);\n"
    "    bool is_new = counts[b] > 0;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    // This threadgroup's heads, and the cached tokens of its split and of this simdgroup.\n"
    "    uint sharing = nh / nkv, turns = groups.x / nkv, kv_head = group.x / turns, turn = group.x % turns;\n"
    "    uint first_head = kv_head * sharing + turn * COUNT, count = min(COUNT, sharing - turn * COUNT);\n"
    "    uint seen = length + is_new, begin = seen - min(seen, window);\n"
    "    uint split_share = (length - begin + splits - 1) / splits;\n"
    "    uint split_first = min(length, begin + split * split_share), split_last = min(length, split_first + split_share);\n"
    "    uint share = (split_last - split_first + simdgroups - 1) / simdgroups;\n"
    "    uint first = min(split_last, split_first + simdgroup * share), last = min(split_last, first + share);\n"
    "    bool has_new = is_new && split == splits - 1, is_mine = has_new && simdgroup == simdgroups - 1;\n"
    "    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);\n"
    "    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS;\n"
    "    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "    uint page = look_up(row, first, last, lane); // what needs no waiting for is read first\n"
    "    Turning turning = {norms == 1, halves == 1, rotary / 2, frequencies, float(length), magnitude, epsilon};\n"
    "    for (uint i = simdgroup; i < COUNT + 2; i += all_simdgroups)\n"
    "        if (i < COUNT)\n"
    "            turn_head<4 * VECTORS>(turning, token + (first_head + min(i, count - 1)) * VECTORS, q_norm, fresh[i], lane,\n"
    "                                   lanes);\n"
    "        else if (i == COUNT)\n"
    "            turn_head<4 * VECTORS>(turning, key, k_norm, fresh[i], lane, lanes);\n"
    "        else\n"
    "            for (uint c = lane; c < VECTORS; c += lanes) fresh[i][c] = value[c];\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // fresh: the writes above → the reads below\n"
    "    TurnedHeads<KV4> heads = {fresh[0], fresh[COUNT], fresh[COUNT + 1], keys + start, values + start, row, stride,\n"
    "                              scale * LOG2_E};\n"
    "    if (simdgroup < simdgroups)\n"
    "        look_through<VECTORS, COUNT>(heads, first, last, is_mine, page, lane, lanes, sums[simdgroup][0], softmax[simdgroup]);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below\n"
    "    for (uint i = thread_index; i < count * VECTORS; i += threads) {\n"
    "        uint h = i / VECTORS, c = i % VECTORS;\n"
    "        ulong to = (ulong(b) * nh + first_head + h) * splits + split;\n"
    "        float2 all;\n"
    "        split_sums[to * VECTORS + c] = merged<COUNT, VECTORS>(sums[0][0], softmax[0], simdgroups, h, c, all);\n"
    "        if (c == 0) split_softmax[to] = all;\n"
    "    }\n"
    "    if (has_new && length < capacity && turn == 0) {\n"
    "        ulong to = start + token_start<VECTORS>(row, stride, length);\n"
    "        for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "            store(keys + to + c, kept(heads.keys, fresh[COUNT][c]));\n"
    "            store(values + to + c, kept(heads.values, fresh[COUNT + 1][c]));\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Out4>\n"
    "kernel void merge_splits(\n"
    "    device const float4 *sums [[buffer(0)]],    // [B,nh,splits,vectors]\n"
    "    device const float2 *softmax [[buffer(1)]], // [B,nh,splits] m and l\n"
    "    device Out4 *out [[buffer(2)]],             // [B,nh,vectors]\n"
    "    constant uint &splits [[buffer(3)]],\n"
    "    constant uint &vectors [[buffer(4)]],\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    threadgroup float4 part[MAX_SHARERS];\n"
    "    threadgroup float part_total[MAX_SHARERS];\n"
    "    uint threads = min(group_size.x, MAX_SHARERS), sharers = max(1u, threads / vectors);\n"
    "    ulong head = ulong(group.y) * groups.x + group.x;\n"
    "    sums += head * splits * vectors, softmax += head * splits;\n"
    "    uint lanes = min(simd_width, group_size.x - simdgroup * simd_width); // the last one may be partial\n"
    "    float largest = -FLT_MAX;\n"
    "    for (uint s = lane; s < splits; s += lanes) largest = max(largest, softmax[s][0]);\n"
    "    largest = simd_max(largest);\n"
    "    // Sharer i has the splits i, i + sharers …\n"
    "    for (uint i = thread_index; i < sharers * vectors; i += group_size.x) {\n"
    "        float4 sum = float4(0.0f);\n"
    "        float total = 0.0f;\n"
    "        for (uint s = i / vectors; s < splits; s += sharers) {\n"
    "            float2 of_split = softmax[s];\n"
    "            float weight = fast::exp2(of_split[0] - largest);\n"
    "            sum += sums[ulong(s) * vectors + i % vectors] * weight;\n"
    "            total += of_split[1] * weight;\n"
    "        }\n"
    "        part[i] = sum, part_total[i] = total;\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // part, part_total: the writes above → the reads below\n"
    "    for (uint c = thread_index; c < vectors; c += group_size.x) {\n"
    "        float4 sum = part[c];\n"
    "        float total = part_total[c];\n"
    "        for (uint i = 1; i < sharers; i++) sum += part[i * vectors + c], total += part_total[i * vectors + c];\n"
    "        store(out + head * vectors + c, sum * (1.0f / total));\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"merge_splits\")]] kernel decltype(merge_splits<float4>) merge_splits<float4>;\n"
    "template [[host_name(\"merge_splits_f16\")]] kernel decltype(merge_splits<half4>) merge_splits<half4>;\n"
    "template [[host_name(\"split_attention_hs64_f32\")]] kernel decltype(split_attention<16, 1, float4>) split_attention<16, 1, float4>;\n"
    "template [[host_name(\"split_attention_hs64_f16\")]] kernel decltype(split_attention<16, 1, half4>) split_attention<16, 1, half4>;\n"
    "template [[host_name(\"split_attention_hs64_pair_f32\")]] kernel decltype(split_attention<16, 2, float4>) split_attention<16, 2, float4>;\n"
    "template [[host_name(\"split_attention_hs64_pair_f16\")]] kernel decltype(split_attention<16, 2, half4>) split_attention<16, 2, half4>;\n"
    "template [[host_name(\"split_attention_hs64_fours_f32\")]] kernel decltype(split_attention<16, 4, float4>) split_attention<16, 4, float4>;\n"
    "template [[host_name(\"split_attention_hs64_fours_f16\")]] kernel decltype(split_attention<16, 4, half4>) split_attention<16, 4, half4>;\n"
    "template [[host_name(\"split_attention_hs128_f32\")]] kernel decltype(split_attention<32, 1, float4>) split_attention<32, 1, float4>;\n"
    "template [[host_name(\"split_attention_hs128_f16\")]] kernel decltype(split_attention<32, 1, half4>) split_attention<32, 1, half4>;\n"
    "template [[host_name(\"split_attention_hs128_pair_f32\")]] kernel decltype(split_attention<32, 2, float4>) split_attention<32, 2, float4>;\n"
    "template [[host_name(\"split_attention_hs128_pair_f16\")]] kernel decltype(split_attention<32, 2, half4>) split_attention<32, 2, half4>;\n"
    "template [[host_name(\"split_attention_hs128_fours_f32\")]] kernel decltype(split_attention<32, 4, float4>) split_attention<32, 4, float4>;\n"
    "template [[host_name(\"split_attention_hs128_fours_f16\")]] kernel decltype(split_attention<32, 4, half4>) split_attention<32, 4, half4>;\n"
    "template [[host_name(\"split_attention_hs256_f32\")]] kernel decltype(split_attention<64, 1, float4>) split_attention<64, 1, float4>;\n"
    "template [[host_name(\"split_attention_hs256_f16\")]] kernel decltype(split_attention<64, 1, half4>) split_attention<64, 1, half4>;\n"
    "template [[host_name(\"split_attention_hs256_pair_f32\")]] kernel decltype(split_attention<64, 2, float4>) split_attention<64, 2, float4>;\n"
    "template [[host_name(\"split_attention_hs256_pair_f16\")]] kernel decltype(split_attention<64, 2, half4>) split_attention<64, 2, half4>;\n"},
    {"fast/fused_turned_attention.metal",
    "// fused_turned_attention.metal — fused_decode_attention.metal for heads that are normalised or turned before they attend\n"
    "//\n"
    "//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b], Q and K still to be\n"
    "//                                                       normalised, where heads are, and turned (turned.h)\n"
    "//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]\n"
    "//\n"
    "// head_norm.metal and rope.metal, too, in one kernel, for heads of 4 VECTORS channels. One threadgroup per head and row, grid\n"
    "// (nh, B): a simdgroup each turns the query and the key, then all of them split the keys, the last `window` of them, and\n"
    "// teams of lanes take one key at a time (turned_keys.h), a running softmax for each. They are merged at the end. nh / nkv\n"
    "// neighbouring heads share keys and values, which the first of them writes. The KV cache is of type KV4, float4 or half4,\n"
    "// what comes out of type Out4: halves where the next product takes them.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/turned_heads.h\"\n"
    "\n"
    "constant constexpr uint MAX_SIMDGROUPS = 16; // that take part\n"
    "\n"
    "template <uint VECTORS, typename KV4, typename Out4>\n"
    "kernel void turned_attention(\n"
    "    device const float4 *qkv [[buffer(0)]],   // [B,nh + 2 nkv,VECTORS]\n"
    "    device const uint *lengths [[buffer(1)]], // [B]\n"
    "    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done\n"
    "    device KV4 *keys [[buffer(3)]],           // [page,nkv,PAGE,VECTORS]\n"
    "    device KV4 *values [[buffer(4)]],         // [page,nkv,PAGE,VECTORS]\n"
    "    device const uint *pages [[buffer(5)]],   // [B,⌈capacity / PAGE⌉]\n"
    "    device Out4 *out [[buffer(6)]],           // [B,nh,VECTORS]\n"
    "    constant uint &nkv [[buffer(7)]],\n"
    "    constant uint &capacity [[buffer(8)]],\n"
    "    constant uint &window [[buffer(9)]],\n"
    "    constant float &scale [[buffer(10)]],\n"
    "    device const float *q_norm [[buffer(11)]],      // [hs]\n"
    "    device const float *k_norm [[buffer(12)]],      // [hs]\n"
    "    device const float *frequencies [[buffer(13)]], // [rotary / 2]\n"
    "    constant uint &norms [[buffer(14)]],            // 1: heads are normalised\n"
    "    constant float &epsilon [[buffer(15)]],\n"
    "    constant uint &rotary [[buffer(16)]], // channels of a head that are turned, even\n"
    "    constant uint &halves [[buffer(17)]], // 1: pairs (p, p + rotary / 2), else (2p, 2p + 1)\n"
    "    constant float &magnitude [[buffer(18)]],\n"
    "    uint2 group [[threadgroup_position_in_grid]],\n"
    "    uint2 groups [[threadgroups_per_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint2 group_size [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint all_simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    threadgroup float4 sums[MAX_SIMDGROUPS][VECTORS], fresh[3][VECTORS]; // query, key, value\n"
    "    threadgroup float2 softmax[MAX_SIMDGROUPS];                          // m and l\n"
    "    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];\n"
    "    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);\n"
    "    bool is_new = counts[b] > 0;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    uint kv_head = group.x / (nh / nkv), seen = length + is_new, begin = seen - min(seen, window);\n"
    "    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);\n"
    "    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS, *query = token + group.x * VECTORS;\n"
    "    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;\n"
    "    device const uint *row = pages_of(pages, b, capacity);\n"
    "    uint share = (length - begin + simdgroups - 1) / simdgroups;\n"
    "    uint first = min(length, begin + simdgroup * share), last = min(length, first + share);\n"
    "    uint page = look_up(row, first, last, lane); // what needs no waiting for is read first\n"
    "    Turning turning = {norms == 1, halves == 1, rotary / 2, frequencies, float(length), magnitude, epsilon};\n"
    "    for (uint i = simdgroup; i < 3; i += all_simdgroups)\n"
    "        if (i < 2)\n"
    "            turn_head<4 * VECTORS>(turning, i ? key : query, i ? k_norm : q_norm, fresh[i], lane, lanes);\n"
    "        else\n"
    "            for (uint c = lane; c < VECTORS; c += lanes) fresh[i][c] = value[c];\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // fresh: the writes above → the reads below\n"
    "    TurnedHeads<KV4> heads = {fresh[0], fresh[1], fresh[2], keys + start, values + start, row, stride, scale * LOG2_E};\n"
    "    bool is_mine = is_new && simdgroup == simdgroups - 1;\n"
    "    if (simdgroup < simdgroups)\n"
    "        look_through<VECTORS, 1>(heads, first, last, is_mine, page, lane, lanes, sums[simdgroup], softmax + simdgroup);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below\n"
    "    for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "        float2 all;\n"
    "        float4 sum = merged<1, VECTORS>(sums[0], softmax, simdgroups, 0, c, all);\n"
    "        store(out + (ulong(b) * nh + group.x) * VECTORS + c, sum * (1.0f / all[1]));\n"
    "    }\n"
    "    if (is_new && length < capacity && group.x % (nh / nkv) == 0) {\n"
    "        ulong to = start + token_start<VECTORS>(row, stride, length);\n"
    "        for (uint c = thread_index; c < VECTORS; c += threads) {\n"
    "            store(keys + to + c, kept(heads.keys, fresh[1][c]));\n"
    "            store(values + to + c, kept(heads.values, fresh[2][c]));\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"turned_attention_hs64_f32\")]] kernel decltype(turned_attention<16, float4, float4>) turned_attention<16, float4, float4>;\n"
    "template [[host_name(\"turned_attention_hs64_f16\")]] kernel decltype(turned_attention<16, half4, float4>) turned_attention<16, half4, float4>;\n"
    "template [[host_name(\"turned_attention_hs64_halves_f32\")]] kernel decltype(turned_attention<16, float4, half4>) turned_attention<16, float4, half4>;\n"
    "template [[host_name(\"turned_attention_hs64_halves_f16\")]] kernel decltype(turned_attention<16, half4, half4>) turned_attention<16, half4, half4>;\n"
    "template [[host_name(\"turned_attention_hs128_f32\")]] kernel decltype(turned_attention<32, float4, float4>) turned_attention<32, float4, float4>;\n"
    "template [[host_name(\"turned_attention_hs128_f16\")]] kernel decltype(turned_attention<32, half4, float4>) turned_attention<32, half4, float4>;\n"
    "template [[host_name(\"turned_attention_hs128_halves_f32\")]] kernel decltype(turned_attention<32, float4, half4>) turned_attention<32, float4, half4>;\n"
    "template [[host_name(\"turned_attention_hs128_halves_f16\")]] kernel decltype(turned_attention<32, half4, half4>) turned_attention<32, half4, half4>;\n"
    "template [[host_name(\"turned_attention_hs256_f32\")]] kernel decltype(turned_attention<64, float4, float4>) turned_attention<64, float4, float4>;\n"
    "template [[host_name(\"turned_attention_hs256_f16\")]] kernel decltype(turned_attention<64, half4, float4>) turned_attention<64, half4, float4>;\n"
    "template [[host_name(\"turned_attention_hs256_halves_f32\")]] kernel decltype(turned_attention<64, float4, half4>) turned_attention<64, float4, half4>;\n"
    "template [[host_name(\"turned_attention_hs256_halves_f16\")]] kernel decltype(turned_attention<64, half4, half4>) turned_attention<64, half4, half4>;\n"},
    {"fast/group_maxima.metal",
    "// group_maxima.metal — what the groups of a large vocabulary have, and argmax.metal by means of it\n"
    "//\n"
    "//   largest[b,g] = max of group g's logits, NaN if one is        sums[b,g] = Σ exp((logit − largest[b,g]) / temperature)\n"
    "//   id[b]        = the lowest index among the largest logits of row b\n"
    "//\n"
    "// One threadgroup cannot read a row as fast as memory gives it. So a simdgroup looks through each group, and what is\n"
    "// left for one threadgroup per row is 256 groups, and the tokens of the one that has the largest.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/sampling.h\"\n"
    "#include \"parts/vocabulary.h\"\n"
    "\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;\n"
    "\n"
    "kernel void group_maxima(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device float *largest [[buffer(2)]],              // [B,GROUPS]\n"
    "    device float *sums [[buffer(3)]],                 // [B,GROUPS] 0 where all are −∞\n"
    "    constant uint &B [[buffer(4)]],\n"
    "    constant uint &V [[buffer(5)]],\n"
    "    uint threadgroup_index [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = threadgroup_index * simdgroups + simdgroup, b = n / GROUPS, first = n % GROUPS * BLOCK;\n"
    "    if (b >= B) return;\n"
    "    uint method = sampling[b].method;\n"
    "    if (method != LIKELIEST_OF_GROUPS && method != SHORTLISTED) return;\n"
    "    float temperature = sampling[b].temperature;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    float logit[AHEAD], most = -INFINITY, sum = 0.0f;\n"
    "    uint nan = 0;\n"
    "    for (uint block = first; block < V; block += AHEAD * STEP)\n"
    "        for (uint v = block + lane; v < block + BLOCK; v += lanes) {\n"
    "            read_ahead(row, v, V, logit);\n"
    "            for (uint i = 0; i < AHEAD; i++) {\n"
    "                most = max(most, logit[i]);\n"
    "                nan |= uint(isnan(logit[i]));\n"
    "            }\n"
    "        }\n"
    "    most = simd_max(most);\n"
    "    for (uint block = first; block < V; block += AHEAD * STEP)\n"
    "        for (uint v = block + lane; v < block + BLOCK; v += lanes) {\n"
    "            read_ahead(row, v, V, logit);\n"
    "            for (uint i = 0; i < AHEAD; i++) sum += exp((logit[i] - most) / temperature);\n"
    "        }\n"
    "    nan = simd_max(nan);\n"
    "    sum = simd_sum(sum);\n"
    "    if (lane != 0) return;\n"
    "    largest[n] = nan ? NAN : most;\n"
    "    sums[n] = most > -INFINITY ? sum : 0.0f;\n"
    "}\n"
    "\n"
    "// A row with a NaN gives NO_TOKEN.\n"
    "kernel void group_argmax(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const float *largest [[buffer(2)]],        // [B,GROUPS]\n"
    "    device uint *ids [[buffer(3)]],                   // [B]\n"
    "    constant uint &V [[buffer(4)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    threadgroup uint indices[32];\n"
    "    if (sampling[b].method != LIKELIEST_OF_GROUPS) return;\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "\n"
    "    // Each simdgroup finds the largest of all groups, then looks through its share of them.\n"
    "    float most = -INFINITY;\n"
    "    uint nan = 0, index = NO_TOKEN;\n"
    "    for (uint g = lane; g < GROUPS; g += lanes) {\n"
    "        most = max(most, largest[b * GROUPS + g]);\n"
    "        nan |= uint(isnan(largest[b * GROUPS + g]));\n"
    "    }\n"
    "    most = simd_max(most);\n"
    "    nan = simd_max(nan);\n"
    "    for (uint g = simdgroup; g < GROUPS; g += simdgroups) {\n"
    "        if (largest[b * GROUPS + g] != most) continue;\n"
    "        for (uint block = g * BLOCK; block < V; block += AHEAD * STEP)\n"
    "            for (uint v = block + lane; v < block + BLOCK; v += lanes) {\n"
    "                float logit[AHEAD];\n"
    "                read_ahead(row, v, V, logit);\n"
    "                for (uint i = 0; i < AHEAD; i++)\n"
    "                    if (v + i * STEP < V && logit[i] == most) index = min(index, v + i * STEP);\n"
    "            }\n"
    "    }\n"
    "    index = simd_min(index);\n"
    "    if (lane == 0) indices[simdgroup] = index;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // indices: the write above → the reads below\n"
    "    if (thread_index != 0) return;\n"
    "    for (uint i = 0; i < simdgroups; i++) index = min(index, indices[i]);\n"
    "    ids[b] = nan ? NO_TOKEN : index;\n"
    "}\n"},
    {"fast/integer_linear.metal",
    "// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time\n"
    "//\n"
    "//   x[t,k]   = scale · value + rounding,  value of 8 bits, 32 neighbours of a row share one scale\n"
    "//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]\n"
    "//\n"
    "// The same as linear_blocks.metal, but x is rounded first, to 8 bits: a CPU multiplies four\n"
    "// times as many small integers at once as floats. Weights stored with an offset stay as they are, since\n"
    "//   Σ (weight − 8) · x = Σ weight · x + offset,  offset = −8 · Σ x,\n"
    "// and those with a least value likewise.\n"
    "// One simdgroup per weight row n; its lanes split each block.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/products.h\"\n"
    "\n"
    "constant constexpr uint BLOCK = 32; // values of x that share a scale\n"
    "constant constexpr uint STEP = 8;   // blocks in a row, as many as the largest formats have in one\n"
    "\n"
    "// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.\n"
    "template <uint COUNT, typename Block>\n"
    "static void row_times_tokens(device const Block *row, Input x, uint t0, float bias, device float *out, uint stride,\n"
    "                             uint lane, uint lanes)\n"
    "{\n"
    "    Parts sum[2][COUNT];\n"
    "    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;\n"
    "    for (uint first = 0; first < x.blocks; first += STEP) {\n"
    "        constexpr uint STORED = STEP * BLOCK / Block::VALUES; // blocks of the format\n"
    "        read_ahead(row + first / STEP * STORED, STORED * sizeof(Block));\n"
    "        add_products(row, first, x, t0, lane, lanes, sum);\n"
    "    }\n"
    "    for (uint t = 0; t < COUNT; t++) {\n"
    "        float total = simd_sum(sum_of(sum[0][t] + sum[1][t]));\n"
    "        if (lane == 0) out[ulong(t0 + t) * stride] = total + bias;\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Block>\n"
    "kernel void integer_linear(\n"
    "    device const char *x [[buffer(0)]],        // [T,K]\n"
    "    device const int *x_offset [[buffer(1)]],  // [T,K/4]\n"
    "    device const int *x_block_offset [[buffer(2)]], // [T,K/32]\n"
    "    device const float *x_scale [[buffer(3)]], // [T,K/32]\n"
    "    device const Block *weight [[buffer(4)]],  // [N,K/VALUES]\n"
    "    device const float *bias [[buffer(5)]],    // [N]\n"
    "    device float *out [[buffer(6)]],           // [T,stride]: N columns of it\n"
    "    constant uint &T [[buffer(7)]],\n"
    "    constant uint &K [[buffer(8)]], // a multiple of VALUES\n"
    "    constant uint &N [[buffer(9)]],\n"
    "    constant uint &stride [[buffer(10)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint n = group * simdgroups + simdgroup, t = 0;\n"
    "    if (n >= N) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    device const Block *row = weight + ulong(n) * (K / Block::VALUES);\n"
    "    Input input = {x, x_offset, x_block_offset, x_scale, K / BLOCK};\n"
    "    for (; t + 4 <= T; t += 4) row_times_tokens<4>(row, input, t, bias[n], out + n, stride, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2) row_times_tokens<2>(row, input, t, bias[n], out + n, stride, lane, lanes);\n"
    "    for (; t < T; t++) row_times_tokens<1>(row, input, t, bias[n], out + n, stride, lane, lanes);\n"
    "}\n"
    "\n"
    "template [[host_name(\"integer_linear_iq4_nl\")]] kernel decltype(integer_linear<block_iq4_nl>) integer_linear<block_iq4_nl>;\n"
    "template [[host_name(\"integer_linear_q2_K\")]] kernel decltype(integer_linear<block_q2_K>) integer_linear<block_q2_K>;\n"
    "template [[host_name(\"integer_linear_q3_K\")]] kernel decltype(integer_linear<block_q3_K>) integer_linear<block_q3_K>;\n"
    "template [[host_name(\"integer_linear_q4_0\")]] kernel decltype(integer_linear<block_q4_0>) integer_linear<block_q4_0>;\n"
    "template [[host_name(\"integer_linear_q4_1\")]] kernel decltype(integer_linear<block_q4_1>) integer_linear<block_q4_1>;\n"
    "template [[host_name(\"integer_linear_q4_K\")]] kernel decltype(integer_linear<block_q4_K>) integer_linear<block_q4_K>;\n"
    "template [[host_name(\"integer_linear_q5_0\")]] kernel decltype(integer_linear<block_q5_0>) integer_linear<block_q5_0>;\n"
    "template [[host_name(\"integer_linear_q5_1\")]] kernel decltype(integer_linear<block_q5_1>) integer_linear<block_q5_1>;\n"
    "template [[host_name(\"integer_linear_q5_K\")]] kernel decltype(integer_linear<block_q5_K>) integer_linear<block_q5_K>;\n"
    "template [[host_name(\"integer_linear_q6_K\")]] kernel decltype(integer_linear<block_q6_K>) integer_linear<block_q6_K>;\n"
    "template [[host_name(\"integer_linear_q8_0\")]] kernel decltype(integer_linear<block_q8_0>) integer_linear<block_q8_0>;\n"},
    {"fast/integer_matmul.metal",
    "// integer_matmul.metal — block formats × the vectors of a prompt, in integers: a tile of the product at a time\n"
    "//\n"
    "//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i]\n"
    "//\n"
    "// What integer_linear.metal does for a few vectors, for many: x is rounded to 8 bits by quantise.metal. A threadgroup\n"
    "// makes COLUMNS columns of out for all T tokens. It unpacks a part of as many weight rows into threadgroup memory,\n"
    "// where the words of all rows lie side by side, four neighbouring values to a word; then its simdgroups take TOKENS\n"
    "// rows of x at a time, and a lane has a column. Values of weights are stored + 128, because processors multiply bytes\n"
    "// without a sign by bytes with one; to make up for it, a sum starts at −128 · Σ value_x. A block of 32 has SCALES\n"
    "// scales, each with a sum of its own: two where a format has a scale for 16 weights (q2_K, q3_K, q6_K), else one. How\n"
    "// the formats' values become such words, and what of a least value is left as a shift, is in parts/words.h and\n"
    "// parts/words_k.h. Later parts add to what the parts before them left in out. Grid ⌈N / COLUMNS⌉ threadgroups.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/columns.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "#include \"parts/words_k.h\"\n"
    "\n"
    "constant constexpr uint BLOCK = 32;     // values of x that share a scale\n"
    "constant constexpr uint WORDS = 8;      // of a block\n"
    "constant constexpr uint COLUMNS = 32;   // host: of out, per threadgroup\n"
    "constant constexpr uint TOKENS = 6;     // whose sums stay in registers\n"
    "\n"
    "// Blocks first … first + part − 1 of `rows` weight rows, which lie `apart`; zeros for the rows after them.\n"
    "template <uint SCALES, typename Block>\n"
    "static void unpack(device const Block *weight, uint rows, ulong apart, uint first, uint part, uint thread_index,\n"
    "                   uint threads, threadgroup uint (*words)[COLUMNS], threadgroup float (*scales)[COLUMNS],\n"
    "                   threadgroup float (*shifts)[COLUMNS])\n"
    "{\n"
    "    for (uint k = thread_index; k < part * WORDS; k += threads) {\n"
    "        for (uint n = 0; n < rows; n++) words[k][n] = word_of(weight + n * apart, first + k / WORDS, k % WORDS);\n"
    "        for (uint n = rows; n < COLUMNS; n++) words[k][n] = 0;\n"
    "    }\n"
    "    for (uint k = thread_index; k < part * SCALES; k += threads)\n"
    "        for (uint n = 0; n < COLUMNS; n++) {\n"
    "            scales[k][n] = n < rows ? row_scale(weight + n * apart, first * SCALES + k) : 0.0f;\n"
    "            if (is_shifted(weight)) shifts[k][n] = n < rows ? row_shift(weight + n * apart, first * SCALES + k) : 0.0f;\n"
    "        }\n"
    "}\n"
    "\n"
    "// What the kernel knows of x.\n"
    "struct Input {\n"
    "    device const char *values;      // [T,K]\n"
    "    device const int *offset;       // [T,K/4]\n"
    "    device const int *block_offset; // [T,K/32]\n"
    "    device const float *scale;      // [T,K/32]\n"
    "};\n"
    "\n"
    "// −128 · Σ value of a block, or of its words from `first` on that share a scale of the weights.\n"
    "template <uint SCALES>\n"
    "static int start_of(Input x, ulong block, uint first)\n"
    "{\n"
    "    if (SCALES == 1) return x.block_offset[block];\n"
    "    int sum = 0; // of −8 · Σ value\n"
    "    for (uint w = first; w < first + WORDS / SCALES; w++) sum += x.offset[block * WORDS + w];\n"
    "    return 16 * sum;\n"
    "}\n"
    "\n"
    "// COUNT rows of out, from t on, or what this part of the blocks, from `first` on, adds to them.\n"
    "template <uint COUNT, uint SCALES>\n"
    "static void tile(Input x, uint t, uint first, uint part, ulong blocks, threadgroup const uint (*words)[COLUMNS],\n"
    "                 threadgroup const float (*scales)[COLUMNS], threadgroup const float (*shifts)[COLUMNS],\n"
    "                 bool is_shifted, device float *out, uint columns, ulong stride, uint lane, uint lanes)\n"
    "{\n"
    "    constexpr uint EACH = WORDS / SCALES; // words with one scale\n"
    "    for (uint column = lane * AT_ONCE; column < columns; column += lanes * AT_ONCE) { // a GPU's whole simdgroup: once\n"
    "        FloatColumns total[COUNT];\n"
    "        for (uint i = 0; i < COUNT; i++) total[i] = FloatColumns(0.0f);\n"
    "        for (uint k = 0; k < part * SCALES; k++) {\n"
    "            ulong at = t * blocks + first + k / SCALES;\n"
    "            uint before = k % SCALES * EACH; // words of the block that have other scales\n"
    "            int start[COUNT];\n"
    "            IntColumns sum[COUNT];\n"
    "            for (uint i = 0; i < COUNT; i++) start[i] = start_of<SCALES>(x, at + i * blocks, before);\n"
    "            products<EACH>(&words[k * EACH][column], COLUMNS, x.values + at * BLOCK + 4 * before, blocks * BLOCK, start,\n"
    "                           sum);\n"
    "            for (uint i = 0; i < COUNT; i++)\n"
    "                total[i] += scaled(sum[i], &scales[k][column], x.scale[at + i * blocks]);\n"
    "            for (uint i = 0; i < COUNT && is_shifted; i++)\n"
    "                total[i] += scaled(IntColumns(start[i]), &shifts[k][column],\n"
    "                                   x.scale[at + i * blocks] * (-1.0f / 128.0f));\n"
    "        }\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            store(out + (t + i) * stride + column, total[i], columns - column, first > 0);\n"
    "    }\n"
    "}\n"
    "\n"
    "template <typename Block, uint SCALES>\n"
    "kernel void integer_matmul(\n"
    "    device const char *x [[buffer(0)]],        // [T,K]\n"
    "    device const int *x_offset [[buffer(1)]],  // [T,K/4]\n"
    "    device const int *x_block_offset [[buffer(2)]], // [T,K/32]\n"
    "    device const float *x_scale [[buffer(3)]], // [T,K/32]\n"
    "    device const Block *weight [[buffer(4)]],  // [N,K/VALUES]\n"
    "    device float *out [[buffer(5)]],           // [T,stride]: N columns of it\n"
    "    constant uint &T [[buffer(6)]],\n"
    "    constant uint &K [[buffer(7)]], // a multiple of VALUES\n"
    "    constant uint &N [[buffer(8)]],\n"
    "    constant uint &stride [[buffer(9)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]])\n"
    "{\n"
    "    constexpr uint PART = SCALES == 1 ? 24 : 20; // blocks of each row in threadgroup memory\n"
    "    threadgroup uint words[PART * WORDS][COLUMNS];\n"
    "    threadgroup float scales[PART * SCALES][COLUMNS], shifts[PART * SCALES][COLUMNS];\n"
    "    uint begin = group * COLUMNS, columns = min(COLUMNS, N - begin), blocks = K / BLOCK;\n"
    "    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial\n"
    "    Input input = {x, x_offset, x_block_offset, x_scale};\n"
    "    ulong apart = K / Block::VALUES; // rows\n"
    "    device const Block *rows = weight + begin * apart;\n"
    "    bool shifted = is_shifted(weight);\n"
    "    for (uint first = 0; first < blocks; first += PART) {\n"
    "        uint part = min(PART, blocks - first), t = simdgroup * TOKENS;\n"
    "        unpack<SCALES>(rows, columns, apart, first, part, thread_index, threads, words, scales, shifts);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // words, scales, shifts: the writes above → the reads below\n"
    "        for (; t + TOKENS <= T; t += simdgroups * TOKENS)\n"
    "            tile<TOKENS, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin, columns,\n"
    "                                 stride, lane, lanes);\n"
    "        uint end = min(t + TOKENS, T);\n"
    "        for (; t + TOKENS / 2 <= end; t += TOKENS / 2)\n"
    "            tile<TOKENS / 2, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin,\n"
    "                                     columns, stride, lane, lanes);\n"
    "        for (; t < end; t++)\n"
    "            tile<1, SCALES>(input, t, first, part, blocks, words, scales, shifts, shifted, out + begin, columns, stride,\n"
    "                            lane, lanes);\n"
    "        threadgroup_barrier(mem_flags::mem_threadgroup); // words, scales, shifts: the reads above ↔ the next writes\n"
    "    }\n"
    "}\n"
    "\n"
    "template [[host_name(\"integer_matmul_iq4_nl\")]] kernel decltype(integer_matmul<block_iq4_nl, 1>) integer_matmul<block_iq4_nl, 1>;\n"
    "template [[host_name(\"integer_matmul_q2_K\")]] kernel decltype(integer_matmul<block_q2_K, 2>) integer_matmul<block_q2_K, 2>;\n"
    "template [[host_name(\"integer_matmul_q3_K\")]] kernel decltype(integer_matmul<block_q3_K, 2>) integer_matmul<block_q3_K, 2>;\n"
    "template [[host_name(\"integer_matmul_q4_0\")]] kernel decltype(integer_matmul<block_q4_0, 1>) integer_matmul<block_q4_0, 1>;\n"
    "template [[host_name(\"integer_matmul_q4_1\")]] kernel decltype(integer_matmul<block_q4_1, 1>) integer_matmul<block_q4_1, 1>;\n"
    "template [[host_name(\"integer_matmul_q4_K\")]] kernel decltype(integer_matmul<block_q4_K, 1>) integer_matmul<block_q4_K, 1>;\n"
    "template [[host_name(\"integer_matmul_q5_0\")]] kernel decltype(integer_matmul<block_q5_0, 1>) integer_matmul<block_q5_0, 1>;\n"
    "template [[host_name(\"integer_matmul_q5_1\")]] kernel decltype(integer_matmul<block_q5_1, 1>) integer_matmul<block_q5_1, 1>;\n"
    "template [[host_name(\"integer_matmul_q5_K\")]] kernel decltype(integer_matmul<block_q5_K, 1>) integer_matmul<block_q5_K, 1>;\n"
    "template [[host_name(\"integer_matmul_q6_K\")]] kernel decltype(integer_matmul<block_q6_K, 2>) integer_matmul<block_q6_K, 2>;\n"
    "template [[host_name(\"integer_matmul_q8_0\")]] kernel decltype(integer_matmul<block_q8_0, 1>) integer_matmul<block_q8_0, 1>;\n"},
    {"fast/linear_tile.metal",
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
    "#include \"formats/bf16.h\"\n"
    "\n"
    "constant constexpr uint ROWS = 4; // host: of the weight, per simdgroup\n"
    "\n"
    "// ROWS weight rows × COUNT tokens, both known to the compiler, so that the sums stay in registers.\n"
    "template <uint COUNT, typename Weight>\n"
    "static void tile(device const Weight *weight, device const float *x, device const float *bias,\n"
    "                 device float *out, uint first, uint K, uint N, uint stride, uint lane,\n"
    "                 uint lanes)\n"
    "{\n"
    "    uint apart = (N + ROWS - 1) / ROWS;\n"
    "    ulong row[ROWS]; // instead of one after the last, which nobody writes, the last\n"
    "    float sum[ROWS][COUNT];\n"
    "    for (uint r = 0; r < ROWS; r++) {\n"
    "        row[r] = min(first + r * apart, N - 1);\n"
    "        for (uint t = 0; t < COUNT; t++) sum[r][t] = 0.0f;\n"
    "    }\n"
    "    for (uint k = lane; k < K; k += lanes)\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            for (uint t = 0; t < COUNT; t++)\n"
    "                sum[r][t] += as_float(weight[row[r] * K + k]) * x[ulong(t) * K + k];\n"
    "    for (uint r = 0; r < ROWS; r++)\n"
    "        for (uint t = 0; t < COUNT; t++) {\n"
    "            float total = simd_sum(sum[r][t]);\n"
    "            if (lane == 0 && first + r * apart < N) out[ulong(t) * stride + row[r]] = total + bias[row[r]];\n"
    "        }\n"
    "}\n"
    "\n"
    "template <typename Weight>\n"
    "kernel void linear_tile(\n"
    "    device const float *x [[buffer(0)]],       // [T,K]\n"
    "    device const Weight *weight [[buffer(1)]], // [N,K]\n"
    "    device const float *bias [[buffer(2)]],    // [N]\n"
    "    device float *out [[buffer(3)]],           // [T,stride]: N columns of it\n"
    "    constant uint &T [[buffer(4)]],\n"
    "    constant uint &K [[buffer(5)]],\n"
    "    constant uint &N [[buffer(6)]],\n"
    "    constant uint &stride [[buffer(7)]],\n"
    "    uint group [[threadgroup_position_in_grid]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    uint first = group * simdgroups + simdgroup, t = 0;\n"
    "    if (first >= (N + ROWS - 1) / ROWS) return;\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    for (; t + 4 <= T; t += 4) // the second four find the weights in the cache\n"
    "        tile<4>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);\n"
    "    for (; t + 2 <= T; t += 2)\n"
    "        tile<2>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);\n"
    "    for (; t < T; t++)\n"
    "        tile<1>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);\n"
    "}\n"
    "\n"
    "template [[host_name(\"linear_tile_f32\")]] kernel decltype(linear_tile<float>) linear_tile<float>;\n"
    "template [[host_name(\"linear_tile_f16\")]] kernel decltype(linear_tile<half>) linear_tile<half>;\n"
    "template [[host_name(\"linear_tile_bf16\")]] kernel decltype(linear_tile<ushort>) linear_tile<ushort>;\n"},
    {"fast/quantise.metal",
    "// quantise.metal — round activations to 8 bits, for integer_linear.metal and integer_matmul.metal\n"
    "//\n"
    "//   scale = max |x| / 127,  value = round(x / scale),  block_offset = −128 · Σ value    for each 32 neighbours of a row\n"
    "//   offset = −8 · Σ value                                                              for each 4 of them\n"
    "//\n"
    "// One simdgroup per block of 32. A block with a number that is not finite gets NaN as its scale, so that it\n"
    "// stays visible.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "\n"
    "constant constexpr uint BLOCK = 32; // host: neighbours that share a scale\n"
    "\n"
    "kernel void quantise_activations(\n"
    "    device const float *x [[buffer(0)]], // [N]\n"
    "    device char *values [[buffer(1)]],   // [N]\n"
    "    device int *offset [[buffer(2)]],    // [N/4]\n"
    "    device float *scale [[buffer(3)]],   // [N/32]\n"
    "    device int *block_offset [[buffer(4)]], // [N/32]\n"
    "    constant uint &N [[buffer(5)]],      // a multiple of 32\n"
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
    "    // Within the bound anyway; but a compiler that may regroup would divide each x otherwise.\n"
    "    float inverse = is_usual ? min(127.0f / largest, 1.27e32f) : 0.0f;\n"
    "    for (uint i = lane; i < BLOCK; i += lanes) values[first + i] = is_usual ? char(rint(x[first + i] * inverse)) : 0;\n"
    "    simdgroup_barrier(mem_flags::mem_device); // the other lanes' values\n"
    "    device const uint *words = (device const uint *)(values + first);\n"
    "    int total = 0;\n"
    "    for (uint i = lane; i < BLOCK / 4; i += lanes) {\n"
    "        uint w = words[i]; // four values, each brought to the top and down again, with its sign\n"
    "        int sum = (int(w << 24) >> 24) + (int(w << 16) >> 24) + (int(w << 8) >> 24) + (int(w) >> 24);\n"
    "        offset[first / 4 + i] = -8 * sum;\n"
    "        total += sum;\n"
    "    }\n"
    "    total = simd_sum(total);\n"
    "    if (lane > 0) return;\n"
    "    block_offset[block] = -128 * total;\n"
    "    scale[block] = largest / 127.0f + zero;\n"
    "}\n"},
    {"fast/shortlist.metal",
    "// shortlist.metal — sampling.metal for large vocabularies: only tokens that may be drawn are looked at\n"
    "//\n"
    "// group_maxima.metal has found the largest logit of each of GROUPS groups. If top_k groups have a token with p ≥ c, the\n"
    "// row has top_k such tokens: so all that top-k keeps is at least c, and c is found among GROUPS maxima. The same by mass:\n"
    "// where the largest p of the groups with p ≥ c make up top_p of the whole row, so do the tokens with p ≥ c. These few\n"
    "// tokens, the shortlist, are then cut and drawn from as sampling.metal does with all of them. If they are too many, as in\n"
    "// a flat distribution by top_p alone, it is done with all of them.\n"
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#include \"parts/draw.h\"\n"
    "#include \"parts/vocabulary.h\"\n"
    "#include \"parts/random.h\"\n"
    "#include \"parts/sampling.h\"\n"
    "\n"
    "constant constexpr uint MOST = 1024, FEW = 256; // of a shortlist; of one that needs no search for its cuts\n"
    "\n"
    "// The cut that keeps as much of weight[N] as is wanted, see parts/cut.h.\n"
    "static uint cut_of(device float *weight, uint N, float wanted, bool counts, uint thread_index, uint threads, Team team)\n"
    "{\n"
    "    if (N <= FEW) return find_cut_of_few(weight, N, wanted, counts, thread_index, threads, team);\n"
    "    return find_cut({weight + thread_index, share_of(N, thread_index, threads).count, threads}, wanted, counts, team);\n"
    "}\n"
    "\n"
    "kernel void shortlist_sample(\n"
    "    device const float *logits [[buffer(0)]],         // [B,V]\n"
    "    device const RowSampling *sampling [[buffer(1)]], // [B]\n"
    "    device const float *largest [[buffer(2)]],        // [B,GROUPS]\n"
    "    device const float *sums [[buffer(3)]],           // [B,GROUPS]\n"
    "    device const uint *lengths [[buffer(4)]],         // [B] tokens in the KV cache before this pass\n"
    "    device const uint *counts [[buffer(5)]],          // [B] tokens of this pass\n"
    "    device float *scratch [[buffer(6)]],              // [B,V] for p\n"
    "    device uint *ids [[buffer(7)]],                   // [B]\n"
    "    constant uint &V [[buffer(8)]],\n"
    "    uint b [[threadgroup_position_in_grid]],\n"
    "    uint thread_index [[thread_index_in_threadgroup]],\n"
    "    uint threads [[threads_per_threadgroup]],\n"
    "    uint lane [[thread_index_in_simdgroup]],\n"
    "    uint simdgroup [[simdgroup_index_in_threadgroup]],\n"
    "    uint simdgroups [[simdgroups_per_threadgroup]],\n"
    "    uint simd_width [[threads_per_simdgroup]])\n"
    "{\n"
    "    threadgroup float partial[32], group_p[GROUPS];\n"
    "    threadgroup uint found[MOST], listed[MOST];\n"
    "    threadgroup atomic_uint count;\n"
    "    device const RowSampling &wanted = sampling[b];\n"
    "    if (wanted.method != SHORTLISTED) return;\n"
    "    float temperature = wanted.temperature, top_k = float(wanted.top_k), top_p = wanted.top_p;\n"
    "    Team team = {partial, lane, simdgroup, simdgroups};\n"
    "    device const float *row = logits + ulong(b) * V;\n"
    "    device float *p = scratch + ulong(b) * V;\n"
    "\n"
    "    // The groups: the largest p of each, and the sum of all p.\n"
    "    float most = -INFINITY, mass = 0.0f;\n"
    "    for (uint g = thread_index; g < GROUPS; g += threads) most = max(most, largest[b * GROUPS + g]);\n"
    "    most = threadgroup_max(most, team);\n"
    "    for (uint g = thread_index; g < GROUPS; g += threads) {\n"
    "        group_p[g] = exp((largest[b * GROUPS + g] - most) / temperature);\n"
    "        mass += sums[b * GROUPS + g] * group_p[g];\n"
    "    }\n"
    "    if (thread_index == 0) atomic_store_explicit(&count, 0u, memory_order_relaxed);\n"
    "    mass = threadgroup_sum(mass, team); // its barriers, too: group_p, count: the writes above → the reads below\n"
    "    bool by_count = wanted.top_k < V;\n"
    "    uint least = 0;\n"
    "    if (by_count || top_p < 1.0f)\n"
    "        least = find_cut_of_few(group_p, GROUPS, by_count ? top_k : top_p * mass, by_count, thread_index, threads, team);\n"
    "    least = max(least, as_type<uint>(wanted.min_p));\n"
    "\n"
    "    // The shortlist, in any order, then by token. A NaN is larger than every cut: it stays visible.\n"
    "    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial\n"
    "    for (uint g = simdgroup; g < GROUPS && least > 0; g += simdgroups) {\n"
    "        if (as_type<uint>(group_p[g]) < least) continue;\n"
    "        for (uint block = g * BLOCK; block < V; block += AHEAD * STEP)\n"
    "            for (uint v = block + lane; v < block + BLOCK; v += lanes) {\n"
    "                float logit[AHEAD];\n"
    "                read_ahead(row, v, V, logit);\n"
    "                for (uint i = 0; i < AHEAD; i++) {\n"
    "                    if (v + i * STEP >= V || as_type<uint>(exp((logit[i] - most) / temperature)) < least) continue;\n"
    "                    uint place = atomic_fetch_add_explicit(&count, 1u, memory_order_relaxed);\n"
    "                    if (place < MOST) found[place] = v + i * STEP;\n"
    "                }\n"
    "            }\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // found, count: the writes above → the reads below\n"
    "    uint N = atomic_load_explicit(&count, memory_order_relaxed);\n"
    "    bool is_short = least > 0 && N <= MOST;\n"
    "    for (uint i = thread_index; i < N && is_short; i += threads) {\n"
    "        uint before = 0;\n"
    "        for (uint j = 0; j < N; j++) before += uint(found[j] < found[i]);\n"
    "        listed[before] = found[i];\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // listed: the writes above → the reads below\n"
    "    if (!is_short) N = V;\n"
    "\n"
    "    // As sampling.metal does with the whole row.\n"
    "    Range mine = share_of(N, thread_index, threads);\n"
    "    Share own = {p + thread_index, mine.count, threads};\n"
    "    for (uint i = 0; i < mine.count; i++) {\n"
    "        uint v = is_short ? listed[mine.begin + i] : mine.begin + i;\n"
    "        own.weight[i * threads] = exp((row[v] - most) / temperature);\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_device); // p: the writes above → the reads of other threads below\n"
    "    uint cut = by_count ? cut_of(p, N, top_k, true, thread_index, threads, team) : 0;\n"
    "    if (top_p < 1.0f) {\n"
    "        float enough = top_p * (by_count ? kept_by(own, cut, false, team) : mass);\n"
    "        cut = max(cut, cut_of(p, N, enough, false, thread_index, threads, team));\n"
    "    }\n"
    "    cut = max(cut, as_type<uint>(wanted.min_p));\n"
    "    float u = uniform_random(wanted.seed, lengths[b] + counts[b]);\n"
    "    uint i;\n"
    "    if (draw(p, N, cut, u, thread_index, threads, team, i)) ids[b] = is_short && i != NO_TOKEN ? listed[i] : i;\n"
    "}\n"},
    {"formats/all.h",
    "// all.h — every block format\n"
    "#pragma once\n"
    "#include \"formats/iq4_nl.h\"\n"
    "#include \"formats/q2_K.h\"\n"
    "#include \"formats/q3_K.h\"\n"
    "#include \"formats/q4_0.h\"\n"
    "#include \"formats/q4_1.h\"\n"
    "#include \"formats/q4_K.h\"\n"
    "#include \"formats/q5_0.h\"\n"
    "#include \"formats/q5_1.h\"\n"
    "#include \"formats/q5_K.h\"\n"
    "#include \"formats/q6_K.h\"\n"
    "#include \"formats/q8_0.h\"\n"},
    {"formats/bf16.h",
    "// bf16.h — bfloat16, the upper half of a float: 8 bits of exponent, 7 of fraction\n"
    "//\n"
    "//   weight = the float whose upper 16 bits are stored, and whose others are 0\n"
    "//\n"
    "// Kept as a ushort, since Metal's bfloat is newer than macOS 13.\n"
    "#pragma once\n"
    "\n"
    "// A weight that is stored by itself, as a number.\n"
    "static float as_float(float weight) { return weight; }\n"
    "static float as_float(half weight) { return float(weight); }\n"
    "static float as_float(ushort weight) { return as_type<float>(uint(weight) << 16); }\n"},
    {"formats/blocks.h",
    "// blocks.h — what the pages of the block formats have in common\n"
    "//\n"
    "// A block is a few neighbours of a row that share a scale. It is unpacked by pieces: unpack(block, part, i) gives the\n"
    "// values i, i + PIECES, i + 2 PIECES … of a part, as a float, float2 or float4, and scale_of(block) what they are to be\n"
    "// multiplied by. Each format has, in its struct,\n"
    "//   VALUES  of a block,   PARTS  that it is made of,   PIECES  of a part.\n"
    "#pragma once\n"
    "\n"
    "// Value i of a piece.\n"
    "static float of_piece(float piece, uint) { return piece; }\n"
    "static float of_piece(float2 piece, uint i) { return piece[i]; }\n"
    "static float of_piece(float4 piece, uint i) { return piece[i]; }\n"
    "\n"
    "// Σ_j piece[j] · x[j · apart]\n"
    "static float piece_times(float piece, device const float *x, uint) { return piece * x[0]; }\n"
    "static float piece_times(float2 piece, device const float *x, uint apart)\n"
    "{\n"
    "    return piece.x * x[0] + piece.y * x[apart];\n"
    "}\n"
    "static float piece_times(float4 piece, device const float *x, uint apart)\n"
    "{\n"
    "    return piece.x * x[0] + piece.y * x[apart] + piece.z * x[2 * apart] + piece.w * x[3 * apart];\n"
    "}\n"
    "\n"
    "// Value i of a block.\n"
    "template <typename Block>\n"
    "static float value(device const Block *block, uint i)\n"
    "{\n"
    "    constexpr uint SIZE = Block::VALUES / Block::PARTS; // of a part\n"
    "    return scale_of(block) * of_piece(unpack(block, i / SIZE, i % Block::PIECES), i % SIZE / Block::PIECES);\n"
    "}\n"},
    {"formats/iq4_nl.h",
    "// iq4_nl.h — GGUF's format iq4_nl: 4 bits a weight, 32 neighbours of a row share a scale\n"
    "//\n"
    "//   weight = scale · LEVELS[value]\n"
    "//\n"
    "// The levels lie closer together near 0, as weights do. Byte i holds values i (low nibble) and i + 16 (high nibble).\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_iq4_nl {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;\n"
    "    half scale;\n"
    "    uchar nibbles[16];\n"
    "};\n"
    "\n"
    "constant constexpr char IQ4_NL_LEVELS[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};\n"
    "\n"
    "static float scale_of(device const block_iq4_nl *block) { return float(block->scale); }\n"
    "\n"
    "static float2 unpack(device const block_iq4_nl *block, uint, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    return float2(IQ4_NL_LEVELS[byte & 15], IQ4_NL_LEVELS[byte >> 4]);\n"
    "}\n"},
    {"formats/q2_K.h",
    "// q2_K.h — GGUF's format q2_K: 2 bits a weight, 16 neighbours of a row share a scale and a least value, 256 share d\n"
    "// and d_least, which these are multiples of\n"
    "//\n"
    "//   weight = d · scale · value − d_least · least\n"
    "//\n"
    "// A block is two parts of 128 values. Byte i of a part's `values` holds values i, i + 32, i + 64 and i + 96, lowest bits\n"
    "// first; a byte of its `scale` a scale (low nibble) and a least value.\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q2_K {\n"
    "    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;\n"
    "    uchar scale[2][8];\n"
    "    uchar values[2][32];\n"
    "    half d;\n"
    "    half d_least;\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q2_K *) { return 1.0f; }\n"
    "\n"
    "static float4 unpack(device const block_q2_K *block, uint part, uint i)\n"
    "{\n"
    "    uint byte = block->values[part][i];\n"
    "    device const uchar *scale = block->scale[part] + i / 16;\n"
    "    uint4 value = uint4(byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6);\n"
    "    uint4 both = uint4(scale[0], scale[2], scale[4], scale[6]);\n"
    "    return float(block->d) * float4(both & 15) * float4(value) - float(block->d_least) * float4(both >> 4);\n"
    "}\n"},
    {"formats/q3_K.h",
    "// q3_K.h — GGUF's format q3_K: 3 bits a weight, 16 neighbours of a row share a scale of 6 bits, 256 share d\n"
    "//\n"
    "//   weight = d · (scale − 32) · (value − 4)\n"
    "//\n"
    "// A block is two parts of 128 values. Byte i of a part's `low` holds the low two bits of values i, i + 32, i + 64 and\n"
    "// i + 96, lowest first; byte i of `high` the upper bits of all eight of them, the first part's first. The eight scales\n"
    "// of the first part have the low nibbles of scale[0] … scale[7], those of the second the high ones; scales 4j … 4j + 3\n"
    "// have their upper two bits in bits 2j and 2j + 1 of scale[8] … scale[11].\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q3_K {\n"
    "    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;\n"
    "    uchar high[32];\n"
    "    uchar low[2][32];\n"
    "    uchar scale[12];\n"
    "    half d;\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q3_K *block) { return float(block->d); }\n"
    "\n"
    "// Scale i of a part's eight, − 32.\n"
    "static float scale_of(device const block_q3_K *block, uint part, uint i)\n"
    "{\n"
    "    uint low = block->scale[i] >> 4 * part & 15, high = block->scale[8 + i % 4] >> (4 * part + i / 4 * 2) & 3;\n"
    "    return float(low | high << 4) - 32.0f;\n"
    "}\n"
    "\n"
    "static float4 unpack(device const block_q3_K *block, uint part, uint i)\n"
    "{\n"
    "    uint low = block->low[part][i], high = block->high[i] >> 4 * part, k = i / 16;\n"
    "    float4 value = float4((low & 3) | (high & 1) << 2, (low >> 2 & 3) | (high >> 1 & 1) << 2,\n"
    "                          (low >> 4 & 3) | (high >> 2 & 1) << 2, low >> 6 | (high >> 3 & 1) << 2);\n"
    "    float4 scale = float4(scale_of(block, part, k), scale_of(block, part, k + 2), scale_of(block, part, k + 4),\n"
    "                          scale_of(block, part, k + 6));\n"
    "    return scale * (value - 4.0f);\n"
    "}\n"},
    {"formats/q4_0.h",
    "// q4_0.h — GGUF's format q4_0: 4 bits a weight, 32 neighbours of a row share a scale\n"
    "//\n"
    "//   weight = scale · (value − 8)\n"
    "//\n"
    "// Byte i holds values i (low nibble) and i + 16 (high nibble).\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q4_0 {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;\n"
    "    half scale;\n"
    "    uchar nibbles[16];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q4_0 *block) { return float(block->scale); }\n"
    "\n"
    "static float2 unpack(device const block_q4_0 *block, uint, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    return float2(byte & 15, byte >> 4) - 8.0f;\n"
    "}\n"},
    {"formats/q4_1.h",
    "// q4_1.h — GGUF's format q4_1: 4 bits a weight, 32 neighbours of a row share a scale and a least value\n"
    "//\n"
    "//   weight = scale · value + least\n"
    "//\n"
    "// Byte i holds values i (low nibble) and i + 16 (high nibble).\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q4_1 {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;\n"
    "    half scale;\n"
    "    half least;\n"
    "    uchar nibbles[16];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q4_1 *) { return 1.0f; }\n"
    "\n"
    "static float2 unpack(device const block_q4_1 *block, uint, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    return float(block->scale) * float2(byte & 15, byte >> 4) + float(block->least);\n"
    "}\n"},
    {"formats/q4_K.h",
    "// q4_K.h — GGUF's format q4_K: 4 bits a weight, 32 neighbours of a row share a scale and a least value, 256 share d\n"
    "// and d_least, which these are multiples of\n"
    "//\n"
    "//   weight = d · scale · value − d_least · least\n"
    "//\n"
    "// A block is four parts of 64 values. Of these, byte i holds values i (low nibble) and i + 32 (high nibble).\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "#include \"formats/scales_k.h\"\n"
    "\n"
    "struct block_q4_K {\n"
    "    static constant constexpr uint VALUES = 256, PARTS = 4, PIECES = 32;\n"
    "    half d;\n"
    "    half d_least;\n"
    "    uchar scales[12];\n"
    "    uchar nibbles[4][32];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q4_K *) { return 1.0f; }\n"
    "\n"
    "static float2 unpack(device const block_q4_K *block, uint part, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[part][i];\n"
    "    device const uchar *scales = block->scales;\n"
    "    float d = float(block->d), d_least = float(block->d_least);\n"
    "    float low = d * scale_at(scales, 2 * part) * float(byte & 15) - d_least * least_at(scales, 2 * part);\n"
    "    float high = d * scale_at(scales, 2 * part + 1) * float(byte >> 4) - d_least * least_at(scales, 2 * part + 1);\n"
    "    return float2(low, high);\n"
    "}\n"},
    {"formats/q5_0.h",
    "// q5_0.h — GGUF's format q5_0: 5 bits a weight, 32 neighbours of a row share a scale\n"
    "//\n"
    "//   weight = scale · (value − 16)\n"
    "//\n"
    "// Byte i holds the low four bits of values i (low nibble) and i + 16 (high nibble), bit i of fifth[0] and fifth[1]\n"
    "// their highest bits.\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q5_0 {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;\n"
    "    half scale;\n"
    "    ushort fifth[2];\n"
    "    uchar nibbles[16];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q5_0 *block) { return float(block->scale); }\n"
    "\n"
    "static float2 unpack(device const block_q5_0 *block, uint, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    uint low = (byte & 15) | (uint(block->fifth[0]) >> i & 1) << 4;\n"
    "    uint high = byte >> 4 | (uint(block->fifth[1]) >> i & 1) << 4;\n"
    "    return float2(low, high) - 16.0f;\n"
    "}\n"},
    {"formats/q5_1.h",
    "// q5_1.h — GGUF's format q5_1: 5 bits a weight, 32 neighbours of a row share a scale and a least value\n"
    "//\n"
    "//   weight = scale · value + least\n"
    "//\n"
    "// Byte i holds the low four bits of values i (low nibble) and i + 16 (high nibble), bit i of fifth[0] and fifth[1]\n"
    "// their highest bits.\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q5_1 {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;\n"
    "    half scale;\n"
    "    half least;\n"
    "    ushort fifth[2];\n"
    "    uchar nibbles[16];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q5_1 *) { return 1.0f; }\n"
    "\n"
    "static float2 unpack(device const block_q5_1 *block, uint, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[i];\n"
    "    uint low = (byte & 15) | (uint(block->fifth[0]) >> i & 1) << 4;\n"
    "    uint high = byte >> 4 | (uint(block->fifth[1]) >> i & 1) << 4;\n"
    "    return float(block->scale) * float2(low, high) + float(block->least);\n"
    "}\n"},
    {"formats/q5_K.h",
    "// q5_K.h — GGUF's format q5_K: 5 bits a weight, 32 neighbours of a row share a scale and a least value, 256 share d\n"
    "// and d_least, which these are multiples of\n"
    "//\n"
    "//   weight = d · scale · value − d_least · least\n"
    "//\n"
    "// A block is four parts of 64 values. Of these, byte i holds the low four bits of values i (low nibble) and i + 32 (high\n"
    "// nibble); their highest bits are bits 2 · part and 2 · part + 1 of fifth[i].\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "#include \"formats/scales_k.h\"\n"
    "\n"
    "struct block_q5_K {\n"
    "    static constant constexpr uint VALUES = 256, PARTS = 4, PIECES = 32;\n"
    "    half d;\n"
    "    half d_least;\n"
    "    uchar scales[12];\n"
    "    uchar fifth[32];\n"
    "    uchar nibbles[4][32];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q5_K *) { return 1.0f; }\n"
    "\n"
    "static float2 unpack(device const block_q5_K *block, uint part, uint i)\n"
    "{\n"
    "    uint byte = block->nibbles[part][i], fifth = block->fifth[i] >> 2 * part;\n"
    "    device const uchar *scales = block->scales;\n"
    "    float d = float(block->d), d_least = float(block->d_least);\n"
    "    float low = d * scale_at(scales, 2 * part) * float((byte & 15) | (fifth & 1) << 4) -\n"
    "                d_least * least_at(scales, 2 * part);\n"
    "    float high = d * scale_at(scales, 2 * part + 1) * float(byte >> 4 | (fifth >> 1 & 1) << 4) -\n"
    "                 d_least * least_at(scales, 2 * part + 1);\n"
    "    return float2(low, high);\n"
    "}\n"},
    {"formats/q6_K.h",
    "// q6_K.h — GGUF's format q6_K: 6 bits a weight, 16 neighbours of a row share a scale, 256 share d\n"
    "//\n"
    "//   weight = d · scale · (value − 32)\n"
    "//\n"
    "// A block is two parts of 128 values. Of these, byte i of `low` holds the low four bits of values i (low nibble) and\n"
    "// i + 64, byte i + 32 those of values i + 32 and i + 96; byte i of `high` the upper two bits of all four, lowest first.\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q6_K {\n"
    "    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;\n"
    "    uchar low[2][64];\n"
    "    uchar high[2][32];\n"
    "    char scale[2][8];\n"
    "    half d;\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q6_K *block) { return float(block->d); }\n"
    "\n"
    "static float4 unpack(device const block_q6_K *block, uint part, uint i)\n"
    "{\n"
    "    uint first = block->low[part][i], second = block->low[part][i + 32], high = block->high[part][i];\n"
    "    device const char *scale = block->scale[part] + i / 16;\n"
    "    float4 value = float4((first & 15) | (high & 3) << 4, (second & 15) | (high >> 2 & 3) << 4,\n"
    "                          first >> 4 | (high >> 4 & 3) << 4, second >> 4 | high >> 6 << 4);\n"
    "    return float4(scale[0], scale[2], scale[4], scale[6]) * (value - 32.0f);\n"
    "}\n"},
    {"formats/q8_0.h",
    "// q8_0.h — GGUF's format q8_0: 8 bits a weight, 32 neighbours of a row share a scale\n"
    "//\n"
    "//   weight = scale · value\n"
    "#pragma once\n"
    "#include \"formats/blocks.h\"\n"
    "\n"
    "struct block_q8_0 {\n"
    "    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 32;\n"
    "    half scale;\n"
    "    char values[32];\n"
    "};\n"
    "\n"
    "static float scale_of(device const block_q8_0 *block) { return float(block->scale); }\n"
    "\n"
    "static float unpack(device const block_q8_0 *block, uint, uint i) { return float(block->values[i]); }\n"},
    {"formats/scales_k.h",
    "// scales_k.h — what q4_K and q5_K share: eight scales and eight least values of 6 bits each in 12 bytes\n"
    "//\n"
    "// Bytes 0 … 3 hold scales 0 … 3 and bytes 4 … 7 least values 0 … 3, in their low six bits. Byte 8 + j holds the low\n"
    "// four bits of scale 4 + j (low nibble) and of least value 4 + j; their upper two bits are those of bytes j and 4 + j.\n"
    "#pragma once\n"
    "\n"
    "// Scale, and least value, number i: low bits, and upper ones.\n"
    "static float scale_at(device const uchar *packed, uint i)\n"
    "{\n"
    "    return (packed[i < 4 ? i : i + 4] & 15) | (packed[i % 4] >> (i < 4 ? 4 : 6) & 3) << 4;\n"
    "}\n"
    "static float least_at(device const uchar *packed, uint i)\n"
    "{\n"
    "    return (packed[4 + i] >> (i < 4 ? 0 : 4) & 15) | (packed[4 + i % 4] >> (i < 4 ? 4 : 6) & 3) << 4;\n"
    "}\n"},
    {"parts/batch_products.h",
    "// batch_products.h — 16 rows of weights × tiles of eight tokens, the columns split across simdgroups\n"
    "#pragma once\n"
    "#include \"parts/matrix_products.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint ROWS = 16, PART = 32; // host: rows of the weights at once, and their columns\n"
    "constant constexpr uint AHEAD = 3; // parts that are on their way at once\n"
    "\n"
    "// ROWS rows [K]: twice eight that follow each other.\n"
    "struct Block {\n"
    "    device const half *rows[2];\n"
    "};\n"
    "\n"
    "// Tiles of eight tokens [8,K]: from where a threadgroup begins, and the last of all.\n"
    "struct Tiles {\n"
    "    device const half *x;\n"
    "    uint first, last;\n"
    "};\n"
    "\n"
    "// Where a block of ROWS rows begins: the last one earlier than it should, so that it is whole.\n"
    "static uint begin_of(uint block, uint N) { return min(block * ROWS, N - ROWS); }\n"
    "\n"
    "// Rows n … n + 15 of one matrix.\n"
    "static Block block_of(device const half *weight, uint n, uint K)\n"
    "{\n"
    "    device const half *row = weight + ulong(n) * K;\n"
    "    return {{row, row + ulong(8) * K}};\n"
    "}\n"
    "\n"
    "// Parts first, first + step … of a block, as far as there are such.\n"
    "static void read_ahead(Block block, uint first, uint step, uint K, thread simdgroup_half8x8 (&ahead)[AHEAD][2][4])\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < AHEAD; i++)\n"
    "        for (uint r = 0; r < 2; r++)\n"
    "            if (first + i * step < K / PART) load_part(ahead[i][r], block.rows[r] + (first + i * step) * PART, K, false);\n"
    "}\n"
    "\n"
    "// Parts begin, begin + step … of a block and of TILES tiles; `ahead` has the first ones of the block. After the last\n"
    "// tile or part the last one is read again, and not used.\n"
    "template <uint TILES>\n"
    "static void multiply(Block block, Tiles tiles, uint begin, uint step, uint K,\n"
    "                     thread simdgroup_half8x8 (&ahead)[AHEAD][2][4], thread simdgroup_float8x8 (&sum)[TILES][2])\n"
    "{\n"
    "    uint parts = K / PART;\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * TILES; i++) sum[i / 2][i % 2] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);\n"
    "    for (uint first = begin; first < parts; first += AHEAD * step) {\n"
    "        simdgroup_half8x8 tokens[AHEAD][TILES][4];\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "#pragma unroll(UNROLL)\n"
    "            for (uint t = 0; t < TILES; t++) {\n"
    "                uint part = min(first + i * step, parts - 1), tile = min(tiles.first + t, tiles.last);\n"
    "                load_part(tokens[i][t], tiles.x + ulong(8 * tile) * K + part * PART, K, true);\n"
    "            }\n"
    "        simdgroup_barrier(mem_flags::mem_none); // all are on their way before the first is waited for\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint i = 0; i < AHEAD; i++)\n"
    "#pragma unroll(UNROLL)\n"
    "            for (uint t = 0; t < TILES; t++)\n"
    "                if (first + i * step < parts) multiply_part(sum[t], ahead[i], tokens[i][t]);\n"
    "        read_ahead(block, first + AHEAD * step, step, K, ahead);\n"
    "    }\n"
    "}\n"
    "\n"
    "// A simdgroup's sums to its place among the others'.\n"
    "template <uint TILES>\n"
    "static void store_sums(thread simdgroup_float8x8 (&sum)[TILES][2], threadgroup float (*sums)[TILES][64])\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * TILES; i++) simdgroup_store(sum[i / 2][i % 2], sums[i % 2][i / 2], 8);\n"
    "}\n"},
    {"parts/cached_tiles.h",
    "// cached_tiles.h — keys or values of a head on their way from pages to threadgroup memory, a tile of tokens at a time\n"
    "#pragma once\n"
    "#include \"parts/pages.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "// Of heads of HS channels: a token's vectors, what separates two tokens of a tile, so that they begin in different banks,\n"
    "// the tokens of a tile, and how many of its vectors each of 256 threads fetches early.\n"
    "template <uint HS> struct TileSizes {\n"
    "    enum : uint { VECTORS = HS / 4,\n"
    "                  STRIDE = VECTORS + 2,\n"
    "                  KEYS = 4096 / HS,\n"
    "                  AHEAD = KEYS * VECTORS / 256 };\n"
    "};\n"
    "\n"
    "// Those of a row from one token to before another: its pages, `stride` vectors apart.\n"
    "template <typename Vector> struct Cached {\n"
    "    device const Vector *vectors;\n"
    "    device const uint *pages;\n"
    "    ulong stride;\n"
    "    uint begin, end;\n"
    "};\n"
    "\n"
    "// KEYS tokens from one on whose number is a multiple of KEYS or of PAGE: they are in one page, or in two of them.\n"
    "template <typename Vector> struct Tile {\n"
    "    device const Vector *near, *far; // its first token, and the one PAGE tokens later\n"
    "    uint first, last;                // tokens of it that there are, counted from its beginning\n"
    "};\n"
    "\n"
    "template <uint HS, typename Vector> static Tile<Vector> tile_from(Cached<Vector> cached, uint begin)\n"
    "{\n"
    "    constexpr uint VECTORS = TileSizes<HS>::VECTORS;\n"
    "    uint last = cached.end - 1;\n"
    "    Tile<Vector> tile;\n"
    "    tile.near = tile.far = cached.vectors + token_start<VECTORS>(cached.pages, cached.stride, begin);\n"
    "    if (TileSizes<HS>::KEYS > PAGE)\n"
    "        tile.far = cached.vectors + token_start<VECTORS>(cached.pages, cached.stride, min(begin + PAGE, last));\n"
    "    tile.first = max(begin, cached.begin) - begin;\n"
    "    tile.last = max(tile.first, min(last - begin, TileSizes<HS>::KEYS - 1)); // whatever the number of threads\n"
    "    return tile;\n"
    "}\n"
    "\n"
    "// Vector n of a tile; of a token that is not there the next one's that is: nobody will see it.\n"
    "template <uint HS, typename Vector> static Vector fetch(Tile<Vector> tile, uint n)\n"
    "{\n"
    "    constexpr uint VECTORS = TileSizes<HS>::VECTORS;\n"
    "    uint token = clamp(n / VECTORS, tile.first, tile.last), c = n % VECTORS;\n"
    "    if (TileSizes<HS>::KEYS > PAGE && token >= PAGE) return tile.far[(token - PAGE) * VECTORS + c];\n"
    "    return tile.near[token * VECTORS + c];\n"
    "}\n"
    "\n"
    "template <uint HS> static void place(float4 vector, threadgroup half4 *to, uint n)\n"
    "{\n"
    "    to[n / TileSizes<HS>::VECTORS * TileSizes<HS>::STRIDE + n % TileSizes<HS>::VECTORS] = half4(vector);\n"
    "}\n"
    "\n"
    "// The first vectors that this thread is to move of the tile from `begin` on.\n"
    "template <uint HS, uint AHEAD, typename Vector>\n"
    "static void fetch_ahead(Cached<Vector> cached, uint begin, thread Vector (&ahead)[AHEAD], uint thread_index, uint threads)\n"
    "{\n"
    "    Tile<Vector> tile = tile_from<HS>(cached, begin);\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < AHEAD; i++) ahead[i] = fetch<HS>(tile, thread_index + i * threads);\n"
    "}\n"
    "\n"
    "// They and all others to threadgroup memory.\n"
    "template <uint HS, uint AHEAD, typename Vector>\n"
    "static void place_all(Cached<Vector> cached, uint begin, thread const Vector (&ahead)[AHEAD], threadgroup half4 *to,\n"
    "                      uint thread_index, uint threads)\n"
    "{\n"
    "    constexpr uint ALL = TileSizes<HS>::KEYS * TileSizes<HS>::VECTORS;\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < AHEAD; i++) {\n"
    "        uint n = thread_index + i * threads;\n"
    "        if (n < ALL) place<HS>(float4(ahead[i]), to, n);\n"
    "    }\n"
    "    if (AHEAD * threads >= ALL) return;\n"
    "    Tile<Vector> tile = tile_from<HS>(cached, begin);\n"
    "    for (uint n = thread_index + AHEAD * threads; n < ALL; n += threads)\n"
    "        place<HS>(float4(fetch<HS>(tile, n)), to, n);\n"
    "}\n"},
    {"parts/columns.h",
    "// columns.h — words of 32 columns of weights times values of x, in integers\n"
    "//\n"
    "// A primitive: these are its plain definitions, which say what is meant. A target with wider instructions brings its\n"
    "// own, see docs/kernels/targets.md.\n"
    "#pragma once\n"
    "\n"
    "// What a lane has of 32 sums: one, if there are 32 lanes.\n"
    "constant constexpr uint AT_ONCE = 1;\n"
    "typedef int IntColumns;\n"
    "typedef float FloatColumns;\n"
    "\n"
    "// sum[i] = Σ_w Σ_b (byte b of word w − 128) · x[i][4w + b]: WORDS words of a column, which lie `below` each other, and as\n"
    "// many values of COUNT rows of x, which lie `apart`. start[i] = −128 · Σ x[i], for bytes that are multiplied as they are.\n"
    "template <uint WORDS, uint COUNT>\n"
    "static void products(threadgroup const uint *word, uint below, device const char *x, ulong apart,\n"
    "                     thread const int (&start)[COUNT], thread IntColumns (&sum)[COUNT])\n"
    "{\n"
    "    for (uint i = 0; i < COUNT; i++) sum[i] = start[i];\n"
    "#pragma unroll\n"
    "    for (uint w = 0; w < WORDS; w++)\n"
    "        for (uint i = 0; i < COUNT; i++)\n"
    "            for (uint b = 0; b < 4; b++) sum[i] += int(word[w * below] >> 8 * b & 255) * int(x[i * apart + 4 * w + b]);\n"
    "}\n"
    "static FloatColumns scaled(IntColumns sum, threadgroup const float *scale, float factor)\n"
    "{\n"
    "    return float(sum) * (*scale * factor);\n"
    "}\n"
    "// The first `count` columns, of which there is one at least.\n"
    "static void store(device float *out, FloatColumns total, uint, bool add)\n"
    "{\n"
    "    *out = add ? *out + total : total;\n"
    "}\n"},
    {"parts/cos_sin.h",
    "// cos_sin.h — the cosine and sine of large angles\n"
    "#pragma once\n"
    "constant constexpr ulong TURNS = 2935890503282001226ul; // 2⁶⁴ / 2π\n"
    "\n"
    "// (cos, sin) of an angle from 0 to 2¹⁸, within 10⁻⁷: what libraries have that is fast is not made for large angles.\n"
    "// An angle is m · 2⁻ˢ, and m · 2⁻ˢ / 2π are turns; in 64 bits after the point whole turns overflow, which is what they\n"
    "// are to do. Then two series, for at most an eighth of a turn from where the quarter begins.\n"
    "static float2 cos_sin(float angle)\n"
    "{\n"
    "    uint bits = as_type<uint>(angle), m = (bits & 0x7fffff) | 0x800000, shift = 150 - (bits >> 23);\n"
    "    uint turn = uint((m * (TURNS >> min(shift, 63u))) >> 32); // 2³² are a turn\n"
    "    uint quarter = (turn + (1u << 29)) >> 30;\n"
    "    float x = float(int(turn - (quarter << 30))) * 1.46291808e-9f, xx = x * x; // 2π / 2³²\n"
    "    float c = 1 - xx * (1.0f / 2) * (1 - xx * (1.0f / 12) * (1 - xx * (1.0f / 30) * (1 - xx * (1.0f / 56))));\n"
    "    float s = x * (1 - xx * (1.0f / 6) * (1 - xx * (1.0f / 20) * (1 - xx * (1.0f / 42) * (1 - xx * (1.0f / 72)))));\n"
    "    float cosine = quarter & 1 ? s : c, sine = quarter & 1 ? c : s;\n"
    "    return float2((quarter + 1) & 2 ? -cosine : cosine, quarter & 2 ? -sine : sine);\n"
    "}\n"},
    {"parts/cut.h",
    "// cut.h — what a threadgroup keeps of a row of weights: the largest threshold for which enough is kept\n"
    "//\n"
    "// No sort: non-negative floats order like the integers of their bits, so the threshold is found bit by bit.\n"
    "#pragma once\n"
    "#include \"parts/simd_width.h\"\n"
    "#include \"parts/team.h\"\n"
    "\n"
    "constant constexpr uint WEIGHTS_AHEAD = SIMD_WIDTH == 1 ? 1 : 8; // that a thread has on their way at once\n"
    "\n"
    "// A thread's share of a row, weight[i · stride].\n"
    "struct Share {\n"
    "    device float *weight;\n"
    "    uint count, stride;\n"
    "};\n"
    "\n"
    "// Neighbours of a row of N that a thread owns: as many as every other, or one more.\n"
    "struct Range {\n"
    "    uint begin, count;\n"
    "};\n"
    "static Range share_of(uint N, uint thread_index, uint threads)\n"
    "{\n"
    "    uint least = N / threads, more = N % threads;\n"
    "    return {thread_index * least + min(thread_index, more), least + uint(thread_index < more)};\n"
    "}\n"
    "\n"
    "// What the threads of the threadgroup keep by a cut, all together: how many weights, or the sum of them.\n"
    "static float kept_by(Share share, uint cut, bool counts, Team team)\n"
    "{\n"
    "    float kept = 0.0f;\n"
    "    for (uint first = 0; first < share.count; first += WEIGHTS_AHEAD) {\n"
    "        float weight[WEIGHTS_AHEAD]; // past the end 0, which no cut keeps\n"
    "        for (uint i = 0; i < WEIGHTS_AHEAD; i++)\n"
    "            weight[i] = first + i < share.count ? share.weight[(first + i) * share.stride] : 0.0f;\n"
    "        for (uint i = 0; i < WEIGHTS_AHEAD; i++)\n"
    "            kept += as_type<uint>(weight[i]) < cut ? 0.0f : (counts ? 1.0f : weight[i]);\n"
    "    }\n"
    "    return threadgroup_sum(kept, team);\n"
    "}\n"
    "\n"
    "// The largest cut that keeps as much as is wanted. The largest weight is 1: bit pattern 0x3F800000, so 30 bits reach\n"
    "// every threshold.\n"
    "static uint find_cut(Share share, float wanted, bool counts, Team team)\n"
    "{\n"
    "    uint cut = 0;\n"
    "    for (uint bit = 1u << 29; bit; bit >>= 1)\n"
    "        if (kept_by(share, cut | bit, counts, team) >= wanted) cut |= bit;\n"
    "    return cut;\n"
    "}\n"
    "\n"
    "// The same of few weights, which all threads can see: of each of them it is found what it would keep as the cut.\n"
    "template <typename Weights>\n"
    "static uint find_cut_of_few(Weights weight, uint N, float wanted, bool counts, uint thread_index, uint threads, Team team)\n"
    "{\n"
    "    float cut = 0.0f;\n"
    "    for (uint i = thread_index; i < N; i += threads) {\n"
    "        float kept = 0.0f;\n"
    "        for (uint j = 0; j < N; j++) kept += weight[j] < weight[i] ? 0.0f : (counts ? 1.0f : weight[j]);\n"
    "        if (kept >= wanted) cut = max(cut, weight[i]);\n"
    "    }\n"
    "    return as_type<uint>(threadgroup_max(cut, team));\n"
    "}\n"},
    {"parts/decode_heads.h",
    "// decode_heads.h — heads that share keys and values, where a row decodes one new token\n"
    "#pragma once\n"
    "#include \"parts/kept.h\"\n"
    "#include \"parts/pages.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr float LOG2_E = 1.44269504f;\n"
    "constant constexpr uint LOOKED_UP = (SIMD_WIDTH > 1 ? SIMD_WIDTH - 1 : 1) * PAGE; // tokens whose pages the lanes look up\n"
    "\n"
    "// Their queries, the new key and value, wherever these are, and the cached ones.\n"
    "template <typename New, typename KV4> struct Heads {\n"
    "    New query, key, value;           // [heads,VECTORS], [VECTORS]\n"
    "    device const KV4 *keys, *values; // their own of page 0\n"
    "    device const uint *pages;        // `stride` vectors apart\n"
    "    ulong stride;\n"
    "    float scale; // of scores to the base 2\n"
    "};\n"
    "\n"
    "// Head h over the cached keys begin … end − 1, and the new one if it `is_mine`, by one lane, where a simdgroup is not whole\n"
    "// or has but one. Returns the softmax's m and l, to the base 2, and leaves the weighted values in `sums`.\n"
    "template <uint VECTORS, typename New, typename KV4>\n"
    "static float2 run_alone(Heads<New, KV4> heads, uint h, uint begin, uint end, bool is_mine, threadgroup float4 *sums)\n"
    "{\n"
    "    New query = heads.query + h * VECTORS;\n"
    "    float m = -FLT_MAX, l = 0.0f;\n"
    "    for (uint c = 0; c < VECTORS; c++) sums[c] = float4(0.0f);\n"
    "    for (uint s = begin; s < end + is_mine; s++) {\n"
    "        bool is_new = s == end;\n"
    "        ulong start = is_new ? 0 : token_start<VECTORS>(heads.pages, heads.stride, s);\n"
    "        device const KV4 *key = heads.keys + start, *value = heads.values + start;\n"
    "        float score = 0.0f;\n"
    "        for (uint c = 0; c < VECTORS; c++)\n"
    "            score += dot(query[c], is_new ? kept(key, heads.key[c]) : float4(key[c])) * heads.scale;\n"
    "        float largest = max(m, score), weight = fast::exp2(score - largest), shrink = fast::exp2(m - largest);\n"
    "        for (uint c = 0; c < VECTORS; c++)\n"
    "            sums[c] = sums[c] * shrink + (is_new ? kept(value, heads.value[c]) : float4(value[c])) * weight;\n"
    "        l = l * shrink + weight;\n"
    "        m = largest;\n"
    "    }\n"
    "    return float2(m, l);\n"
    "}\n"},
    {"parts/decode_keys.h",
    "// decode_keys.h — the new query of a head over cached keys and values, and over those that are new\n"
    "#pragma once\n"
    "#include \"parts/decode_heads.h\"\n"
    "#include \"parts/running_softmax.h\"\n"
    "\n"
    "constant constexpr uint SHARE = 8;                                           // lanes of a team\n"
    "constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup\n"
    "\n"
    "static float team_sum(float value)\n"
    "{\n"
    "    for (uint distance = 1; distance < SHARE; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));\n"
    "    return value;\n"
    "}\n"
    "\n"
    "// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; this lane's part of\n"
    "// what its team has seen. What needs no waiting for is read first.\n"
    "template <uint VECTORS, typename New, typename KV4>\n"
    "static Running<VECTORS / SHARE> run_through(Heads<New, KV4> heads, uint begin, uint end, bool is_mine, uint team, uint lane)\n"
    "{\n"
    "    constexpr uint PARTS = VECTORS / SHARE, KEYS = 8 / PARTS; // that a team reads at once\n"
    "    float4 query[PARTS];\n"
    "    float new_score = 0.0f;\n"
    "    Running<PARTS> running, fresh; // of the cached keys, of the new one\n"
    "    running.m = -FLT_MAX, running.l = 0.0f, fresh.l = 1.0f;\n"
    "    for (uint i = 0; i < PARTS; i++) {\n"
    "        float4 new_key = kept(heads.keys, heads.key[lane + i * SHARE]);\n"
    "        fresh.sum[i] = kept(heads.values, heads.value[lane + i * SHARE]);\n"
    "        query[i] = heads.query[lane + i * SHARE] * heads.scale;\n"
    "        running.sum[i] = float4(0.0f);\n"
    "        new_score += dot(query[i], new_key);\n"
    "    }\n"
    "    for (uint from = begin; from < end; from += LOOKED_UP) {\n"
    "        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;\n"
    "        uint page = heads.pages[min(first_page + team * SHARE + lane, last / PAGE)]; // one for each lane\n"
    "        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle\n"
    "            Running<PARTS> one[KEYS]; // each key alone\n"
    "            for (uint j = 0; j < KEYS; j++) {\n"
    "                uint s = min(first + j * TEAMS + team, last);\n"
    "                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * heads.stride + s % PAGE * VECTORS + lane;\n"
    "                float score = 0.0f;\n"
    "                one[j].l = 1.0f;\n"
    "                for (uint i = 0; i < PARTS; i++) {\n"
    "                    one[j].sum[i] = float4(heads.values[start + i * SHARE]);\n"
    "                    score += dot(query[i], float4(heads.keys[start + i * SHARE]));\n"
    "                }\n"
    "                one[j].m = score;\n"
    "            }\n"
    "            for (uint j = 0; j < KEYS; j++) {\n"
    "                one[j].m = team_sum(one[j].m);\n"
    "                if (first + j * TEAMS + team <= last) merge(running, one[j]);\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "    fresh.m = team_sum(new_score);\n"
    "    if (is_mine && team == 0) merge(running, fresh);\n"
    "    return running;\n"
    "}\n"},
    {"parts/dot4.h",
    "// dot4.h — sum + Σ_i a[i] · b[i] of four bytes each, with a sign, that lie in a word\n"
    "//\n"
    "// A primitive: this is its plain definition, which says what is meant. A target with an instruction for it brings its\n"
    "// own, see docs/kernels/targets.md.\n"
    "#pragma once\n"
    "static int dot4(int sum, uint a, uint b)\n"
    "{\n"
    "    for (uint i = 0; i < 32; i += 8) sum += (int(a << (24 - i)) >> 24) * (int(b << (24 - i)) >> 24);\n"
    "    return sum;\n"
    "}\n"},
    {"parts/draw.h",
    "// draw.h — which of a row's weights a random number falls on: the first whose running sum exceeds u · Σ\n"
    "//\n"
    "// Nobody adds up the row from its beginning: threads have sums of neighbours, and what stands in front of each follows\n"
    "// from a running sum over the threads. In the share of the one that u · Σ falls on they look again the same way.\n"
    "#pragma once\n"
    "#include \"parts/cut.h\"\n"
    "\n"
    "constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;\n"
    "\n"
    "// Of a sum for each thread, in their order, the one that the target falls on: whose it is, and how far into it.\n"
    "struct Hit {\n"
    "    uint owner; // NO_TOKEN if no sum is above 0\n"
    "    float rest;\n"
    "};\n"
    "\n"
    "static Hit hit(float sum, float target, uint thread_index, Team team)\n"
    "{\n"
    "    float before = threadgroup_sum_before(sum, team);\n"
    "    // Rounding may leave a rest of the target after the last sum: then that one stands.\n"
    "    bool may_be = sum > 0.0f && before <= target;\n"
    "    uint last = uint(threadgroup_max(may_be ? float(thread_index + 1) : 0.0f, team));\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the maximum ↔ this write\n"
    "    if (thread_index + 1 == last) team.partial[0] = target - before;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the read below\n"
    "    return {last - 1, team.partial[0]};\n"
    "}\n"
    "\n"
    "static float kept(float weight, uint cut) { return as_type<uint>(weight) < cut ? 0.0f : weight; }\n"
    "\n"
    "// Draws from weight[N], of which thread t has its share of neighbours at t, t + threads …: see share_of. True in the one\n"
    "// thread that has found which it is; NO_TOKEN if there is none to be drawn, or a NaN.\n"
    "static bool draw(device const float *weight, uint N, uint cut, float u, uint thread_index, uint threads, Team team,\n"
    "                 thread uint &drawn)\n"
    "{\n"
    "    Range mine = share_of(N, thread_index, threads);\n"
    "    float sum = 0.0f;\n"
    "    for (uint i = 0; i < mine.count; i++) sum += kept(weight[i * threads + thread_index], cut);\n"
    "    float total = threadgroup_sum(sum, team);\n"
    "    Hit first = hit(sum, u * total, thread_index, team);\n"
    "    drawn = NO_TOKEN;\n"
    "    if (isnan(total) || first.owner == NO_TOKEN) return thread_index == 0;\n"
    "\n"
    "    Range his = share_of(N, first.owner, threads), part = share_of(his.count, thread_index, threads);\n"
    "    device const float *own = weight + part.begin * threads + first.owner;\n"
    "    sum = 0.0f;\n"
    "    for (uint i = 0; i < part.count; i++) sum += kept(own[i * threads], cut);\n"
    "    Hit second = hit(sum, first.rest, thread_index, team);\n"
    "    if (second.owner != thread_index) return false;\n"
    "    float rest = second.rest;\n"
    "    for (uint i = 0; i < part.count; i++) {\n"
    "        if (!(kept(own[i * threads], cut) > 0.0f)) continue;\n"
    "        drawn = his.begin + part.begin + i;\n"
    "        rest -= own[i * threads];\n"
    "        if (rest < 0.0f) break;\n"
    "    }\n"
    "    return true;\n"
    "}\n"},
    {"parts/gelu.h",
    "// gelu.h — GELU, the tanh approximation, as activation.metal has it\n"
    "#pragma once\n"
    "static float gelu_of(float x)\n"
    "{\n"
    "    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);\n"
    "    return 0.5f * x * (1.0f + precise::tanh(inner));\n"
    "}\n"},
    {"parts/integer_rows.h",
    "// integer_rows.h — ROWS rows of blocks at a time, times a row of 16 bits: what a simdgroup has on its way, and their sums\n"
    "#pragma once\n"
    "#include \"parts/pieces_k.h\"\n"
    "\n"
    "// Of all pieces that a lane has on their way, those of each row.\n"
    "template <typename Piece, uint ROWS> struct Ahead {\n"
    "    static constant constexpr uint COUNT = 2 * Piece::AHEAD / ROWS;\n"
    "};\n"
    "\n"
    "// Row n of [N,K].\n"
    "template <typename Piece>\n"
    "static Row row_of(device const uint4 *matrix, uint n, uint N, uint K)\n"
    "{\n"
    "    uint blocks = K / (Piece::WEIGHTS * Piece::PIECES);\n"
    "    ulong before = ulong(min(n, N - 1)) * blocks;\n"
    "    return {matrix + before * Piece::VECTORS, (device const half *)(matrix + ulong(N) * blocks * Piece::VECTORS) + before};\n"
    "}\n"
    "\n"
    "// A lane's first pieces of some rows.\n"
    "template <typename Piece, uint ROWS, uint COUNT>\n"
    "static void read_first(thread Piece (&piece)[ROWS][COUNT], thread const Row (&row)[ROWS], uint pieces, uint lane)\n"
    "{\n"
    "    for (uint i = 0; i < COUNT; i++)\n"
    "        for (uint r = 0; r < ROWS; r++)\n"
    "            if (i * SIMD_WIDTH + lane < pieces) read_piece(piece[r][i], row[r], i * SIMD_WIDTH + lane);\n"
    "}\n"
    "\n"
    "// Rows · x. `piece` has a lane's first pieces of them and gets those of the next rows, if there are some.\n"
    "template <typename Piece, uint ROWS, uint COUNT>\n"
    "static void multiply(thread Piece (&piece)[ROWS][COUNT], thread const Row (&row)[ROWS], thread const Row (&next)[ROWS],\n"
    "                     bool has_next, RoundedRow x, uint pieces, uint lane, thread float (&sum)[ROWS])\n"
    "{\n"
    "    constexpr uint PART = COUNT * SIMD_WIDTH;\n"
    "    for (uint r = 0; r < ROWS; r++) sum[r] = 0.0f;\n"
    "    for (uint first = 0; first < pieces; first += PART) {\n"
    "        bool is_last = first + PART >= pieces;\n"
    "        for (uint i = 0; i < COUNT; i++) {\n"
    "            uint k = first + i * SIMD_WIDTH + lane, ahead = is_last ? i * SIMD_WIDTH + lane : k + PART;\n"
    "            bool reads = ahead < pieces && (!is_last || has_next);\n"
    "            for (uint r = 0; r < ROWS; r++) {\n"
    "                if (k < pieces) sum[r] += product(piece[r][i], k, x);\n"
    "                if (reads) read_piece(piece[r][i], is_last ? next[r] : row[r], ahead);\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "    for (uint r = 0; r < ROWS; r++) sum[r] = simd_sum(sum[r]);\n"
    "}\n"
    "\n"
    "// Three matrices [rows,K] that follow each other, and their biases.\n"
    "struct Matrices {\n"
    "    device const uint4 *a, *b, *c;\n"
    "    device const float *bias_a, *bias_b, *bias_c;\n"
    "    uint A, B, C, K;\n"
    "};\n"
    "\n"
    "// Of these, rows n and those after it.\n"
    "template <typename Piece, uint ROWS>\n"
    "static void rows_at(thread Row (&row)[ROWS], Matrices of, uint n)\n"
    "{\n"
    "    for (uint r = 0; r < ROWS; r++) {\n"
    "        uint m = min(n + r, of.A + of.B + of.C - 1);\n"
    "        if (m < of.A)\n"
    "            row[r] = row_of<Piece>(of.a, m, of.A, of.K);\n"
    "        else if (m < of.A + of.B)\n"
    "            row[r] = row_of<Piece>(of.b, m - of.A, of.B, of.K);\n"
    "        else\n"
    "            row[r] = row_of<Piece>(of.c, m - of.A - of.B, of.C, of.K);\n"
    "    }\n"
    "}\n"
    "static float bias_at(Matrices of, uint n)\n"
    "{\n"
    "    n = min(n, of.A + of.B + of.C - 1);\n"
    "    return n < of.A ? of.bias_a[n] : n < of.A + of.B ? of.bias_b[n - of.A]\n"
    "                                                     : of.bias_c[n - of.A - of.B];\n"
    "}\n"},
    {"parts/kept.h",
    "// kept.h — numbers that become those of a cache, or of what is stored\n"
    "#pragma once\n"
    "\n"
    "static void store(device float4 *to, float4 value) { *to = value; }\n"
    "static void store(device half4 *to, float4 value) { *to = half4(value); }\n"
    "\n"
    "// A value as a cache of this type keeps it; in halves NaN if it is too large for them, as in heads.metal.\n"
    "static float4 kept(device const float4 *, float4 value) { return value; }\n"
    "static float4 kept(device const half4 *, float4 value)\n"
    "{\n"
    "    float4 rounded = float4(half4(value));\n"
    "    return select(rounded, float4(NAN), isinf(rounded));\n"
    "}\n"},
    {"parts/matrix_layout.h",
    "// matrix_layout.h — which elements of an 8×8 matrix a lane has, as Apple's GPUs share them out\n"
    "//\n"
    "// Primitives: a target that shares them out in another way brings its own, see docs/kernels/targets.md.\n"
    "#pragma once\n"
    "\n"
    "// Where its elements begin.\n"
    "static uint matrix_row(uint lane) { return lane / 16 * 4 + lane / 2 % 4; }\n"
    "static uint matrix_column(uint lane) { return lane / 8 % 2 * 4 + lane % 2 * 2; }\n"
    "\n"
    "// The largest and the sum of what the lanes of a row have.\n"
    "static float row_max(float x)\n"
    "{\n"
    "    x = max(x, simd_shuffle_xor(x, 1));\n"
    "    return max(x, simd_shuffle_xor(x, 8));\n"
    "}\n"
    "static float row_sum(float x)\n"
    "{\n"
    "    x += simd_shuffle_xor(x, 1);\n"
    "    return x + simd_shuffle_xor(x, 8);\n"
    "}\n"},
    {"parts/matrix_products.h",
    "// matrix_products.h — products of more than 8×8 matrices: of halves, with sums of floats\n"
    "//\n"
    "// Primitives: these are their plain definitions. A target that has one instruction for several of these products brings\n"
    "// its own, see docs/kernels/targets.md.\n"
    "#pragma once\n"
    "\n"
    "// 16 columns of sum, from 16 n on, += 16 columns of a, from 16 k on, · b [16,16], which lies in threadgroup memory\n"
    "// by rows or, `transposed`, by columns.\n"
    "template <uint N, uint K>\n"
    "static void multiply_16x16(thread simdgroup_float8x8 (&sum)[2][N], uint n, thread simdgroup_half8x8 (&a)[2][K], uint k,\n"
    "                           threadgroup const half *b, uint stride, bool transposed)\n"
    "{\n"
    "    for (uint i = 0; i < 2; i++)\n"
    "        for (uint j = 0; j < 2; j++) {\n"
    "            simdgroup_half8x8 factor;\n"
    "            simdgroup_load(factor, b + (transposed ? j * stride + i : i * stride + j) * 8, stride, 0, transposed);\n"
    "            for (uint r = 0; r < 2; r++)\n"
    "                simdgroup_multiply_accumulate(sum[r][2 * n + j], a[r][2 * k + i], factor, sum[r][2 * n + j]);\n"
    "        }\n"
    "}\n"
    "\n"
    "// Eight rows of 32 columns as four matrices. Which columns go to which of them is the target's choice, the same for both\n"
    "// factors: a sum over all columns does not mind.\n"
    "template <typename Pointer>\n"
    "static void load_part(thread simdgroup_half8x8 (&part)[4], Pointer from, ulong stride, bool transposed)\n"
    "{\n"
    "    for (uint i = 0; i < 4; i++) simdgroup_load(part[i], from + 8 * i, stride, 0, transposed);\n"
    "}\n"
    "\n"
    "// sum[r] += Σ_i a[r][i] · b[i]\n"
    "static void multiply_part(thread simdgroup_float8x8 (&sum)[2], thread simdgroup_half8x8 (&a)[2][4],\n"
    "                          thread simdgroup_half8x8 (&b)[4])\n"
    "{\n"
    "    for (uint i = 0; i < 4; i++)\n"
    "        for (uint r = 0; r < 2; r++) simdgroup_multiply_accumulate(sum[r], a[r][i], b[i], sum[r]);\n"
    "}\n"},
    {"parts/matrix_softmax.h",
    "// matrix_softmax.h — online softmax of scores that lie in 8×8 matrices: 16 rows, 8 K keys, values of 8 C channels\n"
    "//\n"
    "// A lane has some elements of every matrix: COLUMNS neighbours of each of LANE_ROWS rows.\n"
    "#pragma once\n"
    "#include \"parts/matrix_layout.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint COLUMNS = SIMD_WIDTH < 8 ? 8 : 2;\n"
    "constant constexpr uint LANE_ROWS = 64 / COLUMNS / SIMD_WIDTH;\n"
    "constant constexpr uint ELEMENTS = LANE_ROWS * COLUMNS;\n"
    "\n"
    "template <uint N> static void clear(thread simdgroup_float8x8 (&floats)[2][N])\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * N; i++) floats[i / N][i % N] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);\n"
    "}\n"
    "\n"
    "// A row of token t = row / heads sees the last `window` of `before` + min(t + 1, count) of these keys: the scores of\n"
    "// the others become −∞.\n"
    "template <uint K>\n"
    "static void hide(thread simdgroup_float8x8 (&score)[2][K], uint first_row, uint heads, int before, uint count,\n"
    "                 uint window, uint lane)\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * K; i++) {\n"
    "        thread auto &elements = score[i / K][i % K].thread_elements();\n"
    "        for (uint e = 0; e < ELEMENTS; e++) {\n"
    "            uint t = (first_row + i / K * 8 + matrix_row(lane) + e / COLUMNS) / heads;\n"
    "            uint s = i % K * 8 + matrix_column(lane) + e % COLUMNS;\n"
    "            int left = before + int(min(t + 1, count)) - int(s); // keys to the end of what it sees, this one included\n"
    "            if (left <= 0 || uint(left) > window) elements[e] = -INFINITY;\n"
    "        }\n"
    "    }\n"
    "}\n"
    "\n"
    "// Of a lane's rows the largest score so far, and of its own elements the sum of 2^(score − m).\n"
    "struct Softmax {\n"
    "    float m[2 * LANE_ROWS], l[2 * LANE_ROWS];\n"
    "};\n"
    "\n"
    "// weights = 2^(score − m). What was summed before a larger score came shrinks.\n"
    "template <uint K, uint C>\n"
    "static void weigh(thread simdgroup_float8x8 (&score)[2][K], thread Softmax &softmax,\n"
    "                  thread simdgroup_half8x8 (&weights)[2][K], thread simdgroup_float8x8 (&sum)[2][C])\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * LANE_ROWS; i++) {\n"
    "        uint r = i / LANE_ROWS, first = i % LANE_ROWS * COLUMNS;\n"
    "        thread float &m = softmax.m[i], &l = softmax.l[i];\n"
    "        float largest = m;\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint k = 0; k < K; k++)\n"
    "            for (uint e = first; e < first + COLUMNS; e++) largest = max(largest, score[r][k].thread_elements()[e]);\n"
    "        largest = row_max(largest);\n"
    "        float shrink = fast::exp2(m - largest);\n"
    "        m = largest;\n"
    "        l *= shrink;\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint k = 0; k < K; k++)\n"
    "            for (uint e = first; e < first + COLUMNS; e++) {\n"
    "                float weight = fast::exp2(score[r][k].thread_elements()[e] - largest);\n"
    "                l += weight;\n"
    "                weights[r][k].thread_elements()[e] = half(weight);\n"
    "            }\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint c = 0; c < C; c++)\n"
    "            for (uint e = first; e < first + COLUMNS; e++) sum[r][c].thread_elements()[e] *= shrink;\n"
    "    }\n"
    "}\n"
    "\n"
    "// What a lane has of a block's sums and softmax, to and from threadgroup memory.\n"
    "static constexpr uint handed_over(uint C) { return 2 * C * ELEMENTS + 4 * LANE_ROWS; }\n"
    "\n"
    "template <uint C>\n"
    "static void hand_over(thread simdgroup_float8x8 (&sum)[2][C], thread Softmax &softmax, threadgroup float *other)\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * C; i++)\n"
    "        for (uint e = 0; e < ELEMENTS; e++)\n"
    "            other[(i * ELEMENTS + e) * SIMD_WIDTH] = sum[i / C][i % C].thread_elements()[e];\n"
    "    for (uint i = 0; i < 2 * LANE_ROWS; i++) {\n"
    "        other[(2 * C * ELEMENTS + i) * SIMD_WIDTH] = softmax.m[i];\n"
    "        other[(2 * C * ELEMENTS + 2 * LANE_ROWS + i) * SIMD_WIDTH] = softmax.l[i];\n"
    "    }\n"
    "}\n"
    "\n"
    "template <uint C>\n"
    "static void merge(thread simdgroup_float8x8 (&sum)[2][C], thread Softmax &softmax, threadgroup const float *other)\n"
    "{\n"
    "#pragma unroll(UNROLL)\n"
    "    for (uint i = 0; i < 2 * LANE_ROWS; i++) {\n"
    "        uint r = i / LANE_ROWS, first = i % LANE_ROWS * COLUMNS;\n"
    "        float m = softmax.m[i], other_m = other[(2 * C * ELEMENTS + i) * SIMD_WIDTH], largest = max(m, other_m);\n"
    "        float shrink = fast::exp2(m - largest), other_shrink = fast::exp2(other_m - largest);\n"
    "        float other_l = other[(2 * C * ELEMENTS + 2 * LANE_ROWS + i) * SIMD_WIDTH];\n"
    "        softmax.l[i] = softmax.l[i] * shrink + other_l * other_shrink;\n"
    "#pragma unroll(UNROLL)\n"
    "        for (uint c = 0; c < C; c++)\n"
    "            for (uint e = first; e < first + COLUMNS; e++) {\n"
    "                float part = other[((r * C + c) * ELEMENTS + e) * SIMD_WIDTH];\n"
    "                sum[r][c].thread_elements()[e] = sum[r][c].thread_elements()[e] * shrink + part * other_shrink;\n"
    "            }\n"
    "    }\n"
    "}\n"},
    {"parts/normal.h",
    "// normal.h — a norm of four neighbours, of which its statistics are known, or none\n"
    "#pragma once\n"
    "\n"
    "// (x − mean) · factor · weight + bias, or x where there is no weight.\n"
    "struct Normal {\n"
    "    device const float4 *weight, *bias; // [K/4]\n"
    "    float mean, factor;\n"
    "    bool is_centred; // else there is no bias\n"
    "};\n"
    "struct NoNorm {};\n"
    "\n"
    "// What four neighbours are multiplied by, and what is added to them.\n"
    "struct Line {\n"
    "    float4 weight, bias;\n"
    "};\n"
    "static Line line_of(Normal norm, uint i)\n"
    "{\n"
    "    return {norm.weight[i], norm.is_centred ? norm.bias[i] : float4(0.0f)};\n"
    "}\n"
    "static Line line_of(NoNorm, uint) { return {float4(1.0f), float4(0.0f)}; }\n"
    "static float4 normal(Normal norm, thread const Line &line, float4 x)\n"
    "{\n"
    "    return norm.is_centred ? (x - norm.mean) * norm.factor * line.weight + line.bias : x * line.weight;\n"
    "}\n"
    "static float4 normal(NoNorm, thread const Line &, float4 x) { return x; }\n"
    "\n"
    "static float sum_of(float4 four) { return (four.x + four.y) + (four.z + four.w); }\n"},
    {"parts/normal_row.h",
    "// normal_row.h — a row that is normalised before it is rounded: layernorm's statistics, or RMSNorm's factor\n"
    "#pragma once\n"
    "#include \"parts/rounded_row.h\"\n"
    "#include \"parts/sums.h\"\n"
    "\n"
    "// A sum over the threadgroup by way of one of its 32 numbers' places: one barrier.\n"
    "static float sum_of_all(float value, threadgroup float (*partial)[32], Place place)\n"
    "{\n"
    "    float sum[1] = {value};\n"
    "    threadgroup_sums(sum, partial, place.lane, place.simdgroup, place.simdgroups);\n"
    "    return sum[0];\n"
    "}\n"
    "\n"
    "// The same, and a barrier: what the row is to be multiplied by is returned, RMSNorm's factor. `partial` are three.\n"
    "static float norm_and_round(device const float4 *x, Normal norm, thread Line (&line)[TURNS][EACH], float epsilon,\n"
    "                            RoundedRow to, uint K, uint whole, threadgroup float (*partial)[32], Place place,\n"
    "                            uint thread_index, uint threads)\n"
    "{\n"
    "    if (norm.is_centred) {\n"
    "        float sum = 0.0f, squares = 0.0f;\n"
    "        for (uint k = thread_index; k < K / 4; k += threads) sum += sum_of(x[k]);\n"
    "        norm.mean = sum_of_all(sum, partial, place) / float(K);\n"
    "        for (uint k = thread_index; k < K / 4; k += threads) squares += dot(x[k] - norm.mean, x[k] - norm.mean);\n"
    "        norm.factor = 1.0f / sqrt(sum_of_all(squares, partial + 1, place) / float(K) + epsilon);\n"
    "    }\n"
    "    float squares = sum_of_all(round_row(x, norm, line, to, K / 32, whole, place), partial + 2, place);\n"
    "    return norm.is_centred ? 1.0f : 1.0f / sqrt(squares / float(K) + epsilon);\n"
    "}\n"},
    {"parts/pages.h",
    "// pages.h — where keys and values lie, see pages.metal\n"
    "#pragma once\n"
    "\n"
    "constant constexpr uint PAGE = 32; // tokens\n"
    "\n"
    "// The pages of row b, of at most `capacity` tokens.\n"
    "static device const uint *pages_of(device const uint *pages, uint b, uint capacity)\n"
    "{\n"
    "    return pages + ulong(b) * ((capacity + PAGE - 1) / PAGE);\n"
    "}\n"
    "\n"
    "// Where the PAGE tokens of a head in a page begin, in numbers or vectors of which a token has `size`.\n"
    "static ulong page_start(uint page, uint nkv, uint kv_head, uint size)\n"
    "{\n"
    "    return (ulong(page) * nkv + kv_head) * PAGE * size;\n"
    "}\n"
    "\n"
    "// Where token s of a row begins, from where its head begins in page 0; pages are `stride` numbers or vectors apart.\n"
    "template <uint SIZE> static ulong token_start(device const uint *pages, ulong stride, uint s)\n"
    "{\n"
    "    return pages[s / PAGE] * stride + s % PAGE * SIZE;\n"
    "}\n"},
    {"parts/pieces.h",
    "// pieces.h — weights of block formats in pieces that a lane reads by whole vectors, times a row of 16 bits\n"
    "//\n"
    "// A piece is some neighbours of a row with all that belongs to them. q4_K and q5_K are read as they are stored: their\n"
    "// blocks are whole vectors of 16 bytes. Of q8_0 and q6_K, whose blocks are not, block_planes.metal has put the scale of\n"
    "// each block after all blocks: a plane of blocks without it, then one of scales. A row's pieces follow each other.\n"
    "//   WEIGHTS  of a piece,   PIECES  of a block,   VECTORS  that a block is,\n"
    "//   AHEAD    pieces of each of two rows that a lane has on their way at once.\n"
    "#pragma once\n"
    "#include \"parts/rounded_row.h\"\n"
    "\n"
    "// Where a row begins: its blocks, and their scales, if these have a plane.\n"
    "struct Row {\n"
    "    device const uint4 *vectors;\n"
    "    device const half *scales;\n"
    "};\n"
    "\n"
    "// Σ of 16 bytes of each, and of 16 bytes times vector i of x.\n"
    "static int dot16(uint4 a, uint4 b)\n"
    "{\n"
    "    return dot4(dot4(dot4(dot4(0, a.x, b.x), a.y, b.y), a.z, b.z), a.w, b.w);\n"
    "}\n"
    "static int dot16(uint4 weights, RoundedRow x, uint i)\n"
    "{\n"
    "    return 256 * dot16(weights, x.high[i]) + dot16(weights, x.low[i]);\n"
    "}\n"
    "\n"
    "// --- q8_0: half a block ---\n"
    "\n"
    "struct piece_q8_0 {\n"
    "    static constant constexpr uint WEIGHTS = 16, PIECES = 2, VECTORS = 2, AHEAD = 4;\n"
    "    uint4 values;\n"
    "    half scale;\n"
    "};\n"
    "\n"
    "// Piece i of a row.\n"
    "static void read_piece(thread piece_q8_0 &piece, Row row, uint i)\n"
    "{\n"
    "    piece.values = row.vectors[i];\n"
    "    piece.scale = row.scales[i / 2];\n"
    "}\n"
    "\n"
    "// Piece i of a row, times x.\n"
    "static float product(thread const piece_q8_0 &piece, uint i, RoundedRow x)\n"
    "{\n"
    "    return float(dot16(piece.values, x, i)) * (float(piece.scale) * x.scales[i / 2].x);\n"
    "}\n"},
    {"parts/pieces_k.h",
    "// pieces_k.h — pieces.h for formats of 256 weights: an eighth of them has a scale, of q6_K each half of it\n"
    "#pragma once\n"
    "#include \"parts/pieces.h\"\n"
    "\n"
    "// --- q4_K, q5_K: 16 bytes of nibbles, half of two neighbouring eighths ---\n"
    "\n"
    "struct piece_q4_K {\n"
    "    static constant constexpr uint WEIGHTS = 32, PIECES = 8, VECTORS = 9, AHEAD = 2;\n"
    "    uint4 head; // d and d_least, scales\n"
    "    uint4 nibbles;\n"
    "};\n"
    "\n"
    "static void read_piece(thread piece_q4_K &piece, Row row, uint i)\n"
    "{\n"
    "    device const uint4 *block = row.vectors + i / 8 * 9;\n"
    "    piece.head = block[0];\n"
    "    piece.nibbles = block[1 + i % 8];\n"
    "}\n"
    "\n"
    "struct piece_q5_K {\n"
    "    static constant constexpr uint WEIGHTS = 32, PIECES = 8, VECTORS = 11, AHEAD = 2;\n"
    "    uint4 head;\n"
    "    uint4 nibbles;\n"
    "    uint4 fifth;\n"
    "};\n"
    "\n"
    "static void read_piece(thread piece_q5_K &piece, Row row, uint i)\n"
    "{\n"
    "    device const uint4 *block = row.vectors + i / 8 * 11;\n"
    "    piece.head = block[0];\n"
    "    piece.fifth = block[1 + i % 2];\n"
    "    piece.nibbles = block[3 + i % 8];\n"
    "}\n"
    "\n"
    "// Two eighths, of which `low` and `high` are half: their scales and least values lie in two bytes side by side, see\n"
    "// formats/scales_k.h. Each half takes the least value of one of them.\n"
    "static float eighths(uint4 head, uint4 low, uint4 high, uint i, RoundedRow x)\n"
    "{\n"
    "    uint pair = i % 8 / 2, half_of = i % 2, shift = pair % 2 * 16;\n"
    "    uint first = head.y >> shift, second = head.z >> shift, last = head.w >> shift;\n"
    "    uint scales = pair < 2 ? first & 0x3f3f : (last & 0x0f0f) | (first >> 2 & 0x3030);\n"
    "    uint leasts = pair < 2 ? second & 0x3f3f : (last >> 4 & 0x0f0f) | (second >> 2 & 0x3030);\n"
    "    uint at = i / 8 * 16 + pair * 4 + half_of, eighth = i / 8 * 8 + 2 * pair;\n"
    "    float2 d = float2(as_type<half2>(head.x)), x_low = x.scales[eighth], x_high = x.scales[eighth + 1];\n"
    "    float sum = x_low.x * float(int(scales & 255) * dot16(low, x, at)) +\n"
    "                x_high.x * float(int(scales >> 8) * dot16(high, x, at + 2));\n"
    "    return d.x * sum - d.y * (half_of ? float(leasts >> 8) * x_high.y : float(leasts & 255) * x_low.y);\n"
    "}\n"
    "\n"
    "static float product(thread const piece_q4_K &piece, uint i, RoundedRow x)\n"
    "{\n"
    "    return eighths(piece.head, piece.nibbles & 0x0f0f0f0f, piece.nibbles >> 4 & 0x0f0f0f0f, i, x);\n"
    "}\n"
    "static float product(thread const piece_q5_K &piece, uint i, RoundedRow x)\n"
    "{\n"
    "    uint4 fifth = piece.fifth >> i % 8 / 2 * 2;\n"
    "    uint4 low = (piece.nibbles & 0x0f0f0f0f) | (fifth & 0x01010101) << 4;\n"
    "    uint4 high = (piece.nibbles >> 4 & 0x0f0f0f0f) | (fifth >> 1 & 0x01010101) << 4;\n"
    "    return eighths(piece.head, low, high, i, x);\n"
    "}\n"
    "\n"
    "// --- q6_K: 16 neighbours of each quarter of a part ---\n"
    "\n"
    "struct piece_q6_K {\n"
    "    static constant constexpr uint WEIGHTS = 64, PIECES = 4, VECTORS = 13, AHEAD = 1;\n"
    "    uint4 first, second; // low bits of the quarters 0 and 2, and of 1 and 3\n"
    "    uint4 upper;         // two bits of each\n"
    "    uint2 scales;        // of the part\n"
    "    half d;\n"
    "};\n"
    "\n"
    "static void read_piece(thread piece_q6_K &piece, Row row, uint i)\n"
    "{\n"
    "    device const uint4 *block = row.vectors + i / 4 * 13;\n"
    "    uint part = i % 4 / 2, half_of = i % 2;\n"
    "    piece.first = block[4 * part + half_of];\n"
    "    piece.second = block[4 * part + 2 + half_of];\n"
    "    piece.upper = block[8 + 2 * part + half_of];\n"
    "    piece.scales = ((device const uint2 *)(block + 12))[part];\n"
    "    piece.d = row.scales[i / 4];\n"
    "}\n"
    "\n"
    "// 16 values of 6 bits, less 32, and their scale, a byte with a sign at the bottom.\n"
    "static int scaled(uint4 low, uint4 upper, uint scale, RoundedRow x, uint i)\n"
    "{\n"
    "    uint4 values = ((low & 0x0f0f0f0f) | (upper & 0x03030303) << 4) + 0x60606060u ^ 0x80808080u;\n"
    "    return (int(scale << 24) >> 24) * dot16(values, x, i);\n"
    "}\n"
    "\n"
    "static float product(thread const piece_q6_K &piece, uint i, RoundedRow x)\n"
    "{\n"
    "    uint block = i / 2 * 4, at = i / 2 * 8 + i % 2, shift = i % 2 * 8; // block of 32, 16 values, scale of x's part\n"
    "    uint2 scales = piece.scales >> shift;\n"
    "    float sum = x.scales[block].x * float(scaled(piece.first, piece.upper, scales.x, x, at)) +\n"
    "                x.scales[block + 1].x * float(scaled(piece.second, piece.upper >> 2, scales.x >> 16, x, at + 2)) +\n"
    "                x.scales[block + 2].x * float(scaled(piece.first >> 4, piece.upper >> 4, scales.y, x, at + 4)) +\n"
    "                x.scales[block + 3].x * float(scaled(piece.second >> 4, piece.upper >> 6, scales.y >> 16, x, at + 6));\n"
    "    return float(piece.d) * sum;\n"
    "}\n"},
    {"parts/products.h",
    "// products.h — weights times values of x, which are integers of 8 bits: up to 256 neighbours of a row at a time\n"
    "//\n"
    "// A primitive: these are its plain definitions, which say what is meant. A target whose instructions multiply integers\n"
    "// brings its own, see docs/kernels/targets.md, which take the weights as the integers that are stored.\n"
    "#pragma once\n"
    "#include \"formats/all.h\"\n"
    "\n"
    "// What is known of x, rounded by quantise.metal: K = 32 · blocks values of each of T tokens.\n"
    "struct Input {\n"
    "    device const char *values;      // [T,K]\n"
    "    device const int *offset;       // [T,K/4]   −8 · Σ value,   for weights that are stored with an offset\n"
    "    device const int *block_offset; // [T,K/32]  −128 · Σ value, for weights with a least value\n"
    "    device const float *scale;      // [T,K/32]\n"
    "    uint blocks;\n"
    "};\n"
    "\n"
    "// What a lane has of a sum.\n"
    "typedef float Parts;\n"
    "static float sum_of(Parts parts) { return parts; }\n"
    "\n"
    "// Prefetches `bytes` of memory that come a little after `row`, into the cache.\n"
    "template <typename Block> static void read_ahead(device const Block *, uint) {}\n"
    "\n"
    "// sum[…][t] += weights · x[t] for the COUNT tokens from t0 on, over blocks first … first + 7 of 32 weights, as far as\n"
    "// there are so many. They go into two sets of sums in turn: an addition need not wait for the one before it.\n"
    "template <uint COUNT, typename Block>\n"
    "static void add_products(device const Block *row, uint first, Input x, uint t0, uint lane, uint lanes,\n"
    "                         thread Parts (&sum)[2][COUNT])\n"
    "{\n"
    "    for (uint block = first; block < min(first + 8, x.blocks); block++)\n"
    "        for (uint i = lane; i < 32; i += lanes) {\n"
    "            ulong k = ulong(block) * 32 + i;\n"
    "            float weight = value(row + k / Block::VALUES, uint(k % Block::VALUES));\n"
    "            for (uint t = 0; t < COUNT; t++) {\n"
    "                ulong at = ulong(t0 + t) * x.blocks + block;\n"
    "                sum[block % 2][t] += x.scale[at] * weight * float(x.values[at * 32 + i]);\n"
    "            }\n"
    "        }\n"
    "}\n"},
    {"parts/random.h",
    "// random.h — Philox4x32-10 (Salmon et al. 2011, “Parallel random numbers: as easy as 1, 2, 3”)\n"
    "#pragma once\n"
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
    "}\n"},
    {"parts/rounded_row.h",
    "// rounded_row.h — a row of activations, normalised and rounded to 16 bits by each threadgroup for itself\n"
    "//\n"
    "//   scale = max |x| / (127 · 256),  value = round(x / scale) = 256 · high + low    for each 32 neighbours\n"
    "//\n"
    "// Both are bytes with a sign, so that values are multiplied by bytes twice; rounding to one byte alone changes what a\n"
    "// model says. Only whole simdgroups do it. Of 32 lanes eight share a block of 32, four values each; the only lane of a\n"
    "// CPU has all.\n"
    "#pragma once\n"
    "#include \"parts/dot4.h\"\n"
    "#include \"parts/normal.h\"\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "// A thread among the others.\n"
    "struct Place {\n"
    "    uint lane, simdgroup, simdgroups;\n"
    "};\n"
    "\n"
    "constant constexpr uint TEAM = SIMD_WIDTH < 8 ? 1 : 8; // lanes that share a block\n"
    "constant constexpr uint EACH = 8 / TEAM;               // vectors of four that each of them has\n"
    "constant constexpr uint BLOCKS = SIMD_WIDTH / TEAM;    // that a simdgroup has at a time\n"
    "constant constexpr uint TURNS = 2;                     // of these, read before the first is looked at\n"
    "\n"
    "constant constexpr uint MAX_INPUTS = 14336; // host: of a row\n"
    "\n"
    "struct RoundedRow {\n"
    "    threadgroup uint4 *high, *low; // [MAX_INPUTS/16], bytes of 16 values to a vector\n"
    "    threadgroup float2 *scales;    // [MAX_INPUTS/32]: scale, scale · Σ value\n"
    "};\n"
    "\n"
    "// The four bytes of a word.\n"
    "static uint packed(int4 four)\n"
    "{\n"
    "    return (uint(four.x) & 255) | (uint(four.y) & 255) << 8 | (uint(four.z) & 255) << 16 | uint(four.w) << 24;\n"
    "}\n"
    "\n"
    "// Block `block` of a row, of which a lane has `value`.\n"
    "static void round_block(thread const float4 *value, RoundedRow to, uint block, uint blocks, uint lane)\n"
    "{\n"
    "    float largest = 0.0f, zero = 0.0f; // 0 · ∞ is NaN\n"
    "    for (uint j = 0; j < EACH; j++) {\n"
    "        float4 size = fabs(value[j]);\n"
    "        largest = max(max(largest, max(size.x, size.y)), max(size.z, size.w));\n"
    "        zero += sum_of(0.0f * value[j]);\n"
    "    }\n"
    "    for (uint i = 1; i < TEAM; i *= 2) {\n"
    "        largest = max(largest, simd_shuffle_xor(largest, ushort(i)));\n"
    "        zero += simd_shuffle_xor(zero, ushort(i));\n"
    "    }\n"
    "    bool is_usual = zero == 0.0f && largest > 1e-30f;\n"
    "    float inverse = is_usual ? 127.0f * 256.0f / largest : 0.0f;\n"
    "    int sum = 0;\n"
    "    for (uint j = 0; j < EACH; j++) {\n"
    "        int4 whole = is_usual ? int4(rint(value[j] * inverse)) : int4(0), high = (whole + 128) >> 8;\n"
    "        uint at = block * 8 + lane % TEAM * EACH + j;\n"
    "        if (block < blocks) ((threadgroup uint *)to.high)[at] = packed(high);\n"
    "        if (block < blocks) ((threadgroup uint *)to.low)[at] = packed(whole - high * 256);\n"
    "        sum += (whole.x + whole.y) + (whole.z + whole.w);\n"
    "    }\n"
    "    for (uint i = 1; i < TEAM; i *= 2) sum += simd_shuffle_xor(sum, ushort(i));\n"
    "    float scale = largest / (127.0f * 256.0f) + zero;\n"
    "    if (block < blocks && lane % TEAM == 0) to.scales[block] = float2(scale, scale * float(sum));\n"
    "}\n"
    "\n"
    "// What a lane's next blocks from `first` on are normalised with. The first of them may be read before x is there.\n"
    "template <typename Norm>\n"
    "static void read_lines(thread Line (&line)[TURNS][EACH], Norm norm, uint first, uint step, uint blocks, uint lane)\n"
    "{\n"
    "    for (uint t = 0; t < TURNS; t++)\n"
    "        for (uint j = 0; j < EACH; j++)\n"
    "            line[t][j] = line_of(norm, min(first + t * step + lane / TEAM, blocks - 1) * 8 + lane % TEAM * EACH + j);\n"
    "}\n"
    "\n"
    "// All blocks, by `whole` simdgroups; `line` has what the first ones need. Returned is a thread's part of Σ x².\n"
    "template <typename Norm>\n"
    "static float round_row(device const float4 *x, Norm norm, thread Line (&line)[TURNS][EACH], RoundedRow to, uint blocks,\n"
    "                       uint whole, Place place)\n"
    "{\n"
    "    float squares = 0.0f;\n"
    "    uint begin = place.simdgroup * BLOCKS, step = whole * BLOCKS, at = place.lane % TEAM * EACH;\n"
    "    for (uint first = begin; first < blocks && place.simdgroup < whole; first += TURNS * step) {\n"
    "        float4 value[TURNS][EACH];\n"
    "        if (first != begin) read_lines(line, norm, first, step, blocks, place.lane);\n"
    "        for (uint t = 0; t < TURNS; t++)\n"
    "            for (uint j = 0; j < EACH; j++) {\n"
    "                uint block = first + t * step + place.lane / TEAM;\n"
    "                value[t][j] = block < blocks ? x[block * 8 + at + j] : float4(0.0f);\n"
    "            }\n"
    "        for (uint t = 0; t < TURNS && first + t * step < blocks; t++) {\n"
    "            uint block = first + t * step + place.lane / TEAM;\n"
    "            for (uint j = 0; j < EACH; j++) {\n"
    "                squares += dot(value[t][j], value[t][j]);\n"
    "                value[t][j] = normal(norm, line[t][j], value[t][j]);\n"
    "            }\n"
    "            round_block(value[t], to, block, blocks, place.lane);\n"
    "        }\n"
    "    }\n"
    "    return squares;\n"
    "}\n"},
    {"parts/running_softmax.h",
    "// running_softmax.h — the softmax of one query, by lanes that have seen different keys\n"
    "#pragma once\n"
    "\n"
    "// The softmax of some keys so far, to the base 2: the largest score, the sum of the weights 2^(score − m), and a\n"
    "// lane's part of the weighted values. m is never −∞, so that no difference is NaN.\n"
    "template <uint PARTS> struct Running {\n"
    "    float m, l;\n"
    "    float4 sum[PARTS];\n"
    "};\n"
    "\n"
    "// Both as if they had run through their keys one after the other.\n"
    "template <uint PARTS> static void merge(thread Running<PARTS> &a, Running<PARTS> b)\n"
    "{\n"
    "    float m = max(a.m, b.m), left = fast::exp2(a.m - m), right = fast::exp2(b.m - m);\n"
    "    a.m = m;\n"
    "    a.l = a.l * left + b.l * right;\n"
    "    for (uint i = 0; i < PARTS; i++) a.sum[i] = a.sum[i] * left + b.sum[i] * right;\n"
    "}\n"
    "\n"
    "// The same of the lane that is `distance` away.\n"
    "template <uint PARTS> static Running<PARTS> other(Running<PARTS> running, ushort distance)\n"
    "{\n"
    "    running.m = simd_shuffle_xor(running.m, distance);\n"
    "    running.l = simd_shuffle_xor(running.l, distance);\n"
    "    for (uint i = 0; i < PARTS; i++)\n"
    "        for (uint j = 0; j < 4; j++) running.sum[i][j] = simd_shuffle_xor(running.sum[i][j], distance);\n"
    "    return running;\n"
    "}\n"
    "\n"
    "// What a query has seen, and the first `count` of KEYS keys.\n"
    "template <uint KEYS, uint PARTS, typename Value4>\n"
    "static void add_keys(thread Running<PARTS> &running, thread const float (&score)[KEYS],\n"
    "                     thread const Value4 (&value)[KEYS][PARTS], uint count)\n"
    "{\n"
    "    float most = running.m;\n"
    "    for (uint j = 0; j < KEYS; j++)\n"
    "        if (j < count) most = max(most, score[j]);\n"
    "    float shrink = fast::exp2(running.m - most);\n"
    "    running.m = most;\n"
    "    running.l *= shrink;\n"
    "    for (uint i = 0; i < PARTS; i++) running.sum[i] *= shrink;\n"
    "    for (uint j = 0; j < KEYS; j++) {\n"
    "        float weight = j < count ? fast::exp2(score[j] - most) : 0.0f;\n"
    "        running.l += weight;\n"
    "        for (uint i = 0; i < PARTS; i++) running.sum[i] += float4(value[j][i]) * weight;\n"
    "    }\n"
    "}\n"},
    {"parts/sampling.h",
    "// sampling.h — how the next token of a row is drawn: each row of a batch says so for itself\n"
    "#pragma once\n"
    "\n"
    "// Methods: of the whole row, or by the maxima of groups of tokens. Nothing is drawn for a row that is IDLE.\n"
    "constant constexpr uint IDLE = 0;\n"
    "constant constexpr uint LIKELIEST = 1, LIKELIEST_OF_GROUPS = 2, DRAWN = 3, SHORTLISTED = 4; // host: methods\n"
    "constant constexpr uint BIASED = 1, MASKED = 2; // host: flags\n"
    "constant constexpr uint TOLD_MOST = 21;         // host: logprobs, the chosen token's and those of the likeliest\n"
    "constant constexpr uint SLOTS = 8;              // host: steps that may be on their way, each with a place for its result\n"
    "\n"
    "// The host's is in src/ops/row_sampling.h.\n"
    "struct RowSampling {\n"
    "    ulong seed;\n"
    "    uint method, flags;\n"
    "    float temperature; // > 0\n"
    "    uint top_k;        // 1 … V\n"
    "    float top_p;       // 0 < top_p ≤ 1\n"
    "    float min_p;       // 0 ≤ min_p ≤ 1, of the largest p, which is 1\n"
    "    float typical;     // < 1; 0: all are kept\n"
    "    uint window;       // tokens that the penalties look back; 0: there are none\n"
    "    float repetition;  // > 0\n"
    "    float presence, frequency;\n"
    "    uint told;         // logprobs; 0: none\n"
    "};\n"},
    {"parts/side_by_side.h",
    "// side_by_side.h — matrices whose products lie side by side in a row of what comes out\n"
    "#pragma once\n"
    "\n"
    "// Row n of three matrices that follow each other; what belongs to it in three vectors.\n"
    "template <typename Pointer>\n"
    "static Pointer row_of(Pointer a, Pointer b, Pointer c, uint n, uint A, uint B, uint size)\n"
    "{\n"
    "    if (n < A) return a + ulong(n) * size;\n"
    "    return n < A + B ? b + ulong(n - A) * size : c + ulong(n - A - B) * size;\n"
    "}\n"},
    {"parts/silu.h",
    "// silu.h — SiLU, as gated_activation.metal has it\n"
    "#pragma once\n"
    "static float silu_of(float x) { return x / (1.0f + precise::exp(-x)); }\n"},
    {"parts/simd_width.h",
    "// simd_width.h — the lanes of a whole simdgroup, for arrays whose length depends on them\n"
    "#pragma once\n"
    "#ifndef SIMD_WIDTH\n"
    "#define SIMD_WIDTH 32\n"
    "#endif\n"
    "// Loops over what lies in registers are unrolled as a whole: an index known too late would move it to memory.\n"
    "constant constexpr uint UNROLL = SIMD_WIDTH < 8 ? 1 : 64;\n"},
    {"parts/sum.h",
    "// sum.h — the sum of a value over all threads of the threadgroup, returned to each of them\n"
    "//\n"
    "// Each simdgroup adds up its own in registers, and by way of `partial`, 32 floats, all learn of all.\n"
    "#pragma once\n"
    "static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup, uint simdgroups)\n"
    "{\n"
    "    value = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the sum before ↔ this write\n"
    "    if (lane == 0) partial[simdgroup] = value;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    float sum = 0.0f;\n"
    "    for (uint i = 0; i < simdgroups; i++) sum += partial[i];\n"
    "    return sum;\n"
    "}\n"},
    {"parts/sums.h",
    "// sums.h — COUNT sums over the threadgroup at once, returned to each thread, by way of `partial`, which is used once\n"
    "#pragma once\n"
    "template <uint COUNT>\n"
    "static void threadgroup_sums(thread float (&value)[COUNT], threadgroup float (*partial)[32], uint lane, uint simdgroup,\n"
    "                             uint simdgroups)\n"
    "{\n"
    "    for (uint i = 0; i < COUNT; i++) {\n"
    "        value[i] = simd_sum(value[i]);\n"
    "        if (lane == 0) partial[i][simdgroup] = value[i];\n"
    "    }\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the writes above → the reads below\n"
    "    for (uint i = 0; i < COUNT; i++) {\n"
    "        value[i] = 0.0f;\n"
    "        for (uint s = 0; s < simdgroups; s++) value[i] += partial[i][s];\n"
    "    }\n"
    "}\n"},
    {"parts/team.h",
    "// team.h — what all threads of a threadgroup find out together: a sum, a maximum, the sum of those in front\n"
    "#pragma once\n"
    "#include \"parts/sum.h\"\n"
    "\n"
    "// A thread among the others: its places, and 32 floats that all of them share.\n"
    "struct Team {\n"
    "    threadgroup float *partial;\n"
    "    uint lane, simdgroup, simdgroups;\n"
    "};\n"
    "\n"
    "static float threadgroup_sum(float value, Team team)\n"
    "{\n"
    "    return threadgroup_sum(value, team.partial, team.lane, team.simdgroup, team.simdgroups);\n"
    "}\n"
    "\n"
    "// The largest value of all threads, returned to each of them. NaN are passed over.\n"
    "static float threadgroup_max(float value, Team team)\n"
    "{\n"
    "    value = simd_max(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of what was before ↔ this write\n"
    "    if (team.lane == 0) team.partial[team.simdgroup] = value;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    for (uint i = 0; i < team.simdgroups; i++) value = max(value, team.partial[i]);\n"
    "    return value;\n"
    "}\n"
    "\n"
    "// The sum of the values of the threads in front of this one.\n"
    "static float threadgroup_sum_before(float value, Team team)\n"
    "{\n"
    "    float before = simd_prefix_exclusive_sum(value), sum = simd_sum(value);\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of what was before ↔ this write\n"
    "    if (team.lane == 0) team.partial[team.simdgroup] = sum;\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below\n"
    "    for (uint i = 0; i < team.simdgroup; i++) before += team.partial[i];\n"
    "    return before;\n"
    "}\n"},
    {"parts/turned.h",
    "// turned.h — a new head of Q or K as attention takes it: normalised and turned, as head_norm.metal and rope.metal do it\n"
    "#pragma once\n"
    "#include \"parts/cos_sin.h\"\n"
    "\n"
    "// What is done to heads at a position.\n"
    "struct Turning {\n"
    "    bool norms, halves;              // halves: pair p is channels (p, p + pairs), else (2p, 2p + 1)\n"
    "    uint pairs;                      // that are turned\n"
    "    device const float *frequencies; // [pairs]\n"
    "    float position, magnitude, epsilon;\n"
    "};\n"
    "\n"
    "// By one simdgroup, of which each lane takes pairs of the HS channels.\n"
    "template <uint HS>\n"
    "static void turn_head(Turning turning, device const float4 *head, device const float *weight, threadgroup float4 *to,\n"
    "                      uint lane, uint lanes)\n"
    "{\n"
    "    device const float *x = (device const float *)head;\n"
    "    threadgroup float *out = (threadgroup float *)to;\n"
    "    float shrink = 1.0f, squares = 0.0f;\n"
    "    if (turning.norms) {\n"
    "        for (uint d = lane; d < HS; d += lanes) squares += x[d] * x[d];\n"
    "        shrink = 1.0f / sqrt(simd_sum(squares) / float(HS) + turning.epsilon);\n"
    "    }\n"
    "    for (uint p = lane; p < HS / 2; p += lanes) {\n"
    "        bool turns = p < turning.pairs, apart = turns && turning.halves;\n"
    "        uint first = apart ? p : 2 * p, second = apart ? p + turning.pairs : 2 * p + 1;\n"
    "        float a = x[first], b = x[second];\n"
    "        if (turning.norms) a *= shrink * weight[first], b *= shrink * weight[second];\n"
    "        float2 turn = turns ? cos_sin(turning.position * turning.frequencies[p]) * turning.magnitude : float2(1.0f, 0.0f);\n"
    "        out[first] = turns ? a * turn.x - b * turn.y : a;\n"
    "        out[second] = turns ? a * turn.y + b * turn.x : b;\n"
    "    }\n"
    "}\n"},
    {"parts/turned_heads.h",
    "// turned_heads.h — a threadgroup's heads over the keys that its simdgroups split, and the merge of what these have seen\n"
    "#pragma once\n"
    "#include \"parts/turned_keys.h\"\n"
    "\n"
    "// By a simdgroup, for COUNT heads: the sums [COUNT,VECTORS], and m and l [COUNT], to its place among the others'.\n"
    "template <uint VECTORS, uint COUNT, typename KV4>\n"
    "static void look_through(TurnedHeads<KV4> heads, uint begin, uint end, bool is_mine, uint page, uint lane, uint lanes,\n"
    "                         threadgroup float4 *sums, threadgroup float2 *softmax)\n"
    "{\n"
    "    constexpr uint SHARE = VECTORS / PARTS;\n"
    "    if (SIMD_WIDTH >= SHARE && lanes == SIMD_WIDTH) {\n"
    "        Running<PARTS> running[COUNT];\n"
    "        run_through<VECTORS>(heads, begin, end, is_mine, page, lane, running);\n"
    "        for (uint h = 0; h < COUNT; h++) {\n"
    "            if (lane == 0) softmax[h] = float2(running[h].m, running[h].l);\n"
    "            for (uint i = 0; i < PARTS && lane < SHARE; i++) sums[h * VECTORS + lane + i * SHARE] = running[h].sum[i];\n"
    "        }\n"
    "    } else if (lane == 0) {\n"
    "        for (uint h = 0; h < COUNT; h++)\n"
    "            softmax[h] = run_alone<VECTORS>(heads, h, begin, end, is_mine, sums + h * VECTORS);\n"
    "    }\n"
    "}\n"
    "\n"
    "// Vector c of head h of what the simdgroups have seen together, and m and l; sums [simdgroups,COUNT,VECTORS].\n"
    "template <uint COUNT, uint VECTORS>\n"
    "static float4 merged(threadgroup const float4 *sums, threadgroup const float2 *softmax, uint simdgroups, uint h, uint c,\n"
    "                     thread float2 &all)\n"
    "{\n"
    "    float4 sum = float4(0.0f);\n"
    "    all = float2(softmax[h][0], 0.0f);\n"
    "    for (uint j = 1; j < simdgroups; j++) all[0] = max(all[0], softmax[j * COUNT + h][0]);\n"
    "    for (uint j = 0; j < simdgroups; j++) {\n"
    "        float shrink = fast::exp2(softmax[j * COUNT + h][0] - all[0]);\n"
    "        all[1] += softmax[j * COUNT + h][1] * shrink;\n"
    "        sum += sums[(j * COUNT + h) * VECTORS + c] * shrink;\n"
    "    }\n"
    "    return sum;\n"
    "}\n"},
    {"parts/turned_keys.h",
    "// turned_keys.h — the new queries of a row's heads, as they have been turned, over cached keys and values and the new ones\n"
    "#pragma once\n"
    "#include \"parts/decode_heads.h\"\n"
    "#include \"parts/running_softmax.h\"\n"
    "#include \"parts/turned.h\"\n"
    "\n"
    "constant constexpr uint PARTS = 2; // vectors of a head that a lane has: VECTORS / PARTS lanes are a team, which has a key\n"
    "\n"
    "// Queries, key and value in threadgroup memory, as turn_head has left them there.\n"
    "template <typename KV4> using TurnedHeads = Heads<threadgroup const float4 *, KV4>;\n"
    "\n"
    "template <uint VECTORS> static float team_sum(float value)\n"
    "{\n"
    "    for (uint distance = 1; distance < VECTORS / PARTS; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));\n"
    "    return value;\n"
    "}\n"
    "\n"
    "// One of the pages of the tokens from `begin` on, another for each lane.\n"
    "static uint look_up(device const uint *pages, uint begin, uint end, uint lane)\n"
    "{\n"
    "    uint last = max(min(begin + LOOKED_UP, end), 1u) - 1;\n"
    "    return pages[min(begin / PAGE + lane, last / PAGE)];\n"
    "}\n"
    "\n"
    "// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; of each head this\n"
    "// lane's part of what all of them have seen. `page` is what the lane has looked up for the first of them.\n"
    "template <uint VECTORS, uint COUNT, typename KV4>\n"
    "static void run_through(TurnedHeads<KV4> heads, uint begin, uint end, bool is_mine, uint page, uint simd_lane,\n"
    "                        thread Running<PARTS> (&running)[COUNT])\n"
    "{\n"
    "    constexpr uint SHARE = VECTORS / PARTS, TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE;\n"
    "    constexpr uint KEYS = COUNT == 2 ? 4 : 2; // that a team reads at once, as measured\n"
    "    uint team = simd_lane / SHARE, lane = simd_lane % SHARE;\n"
    "    float4 query[COUNT][PARTS];\n"
    "    for (uint h = 0; h < COUNT; h++) {\n"
    "        running[h].m = -FLT_MAX, running[h].l = 0.0f;\n"
    "        for (uint i = 0; i < PARTS; i++) {\n"
    "            query[h][i] = heads.query[h * VECTORS + lane + i * SHARE] * heads.scale;\n"
    "            running[h].sum[i] = float4(0.0f);\n"
    "        }\n"
    "    }\n"
    "    for (uint from = begin; from < end; from += LOOKED_UP) {\n"
    "        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;\n"
    "        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle\n"
    "            KV4 value[KEYS][PARTS];\n"
    "            float score[COUNT][KEYS] = {};\n"
    "            for (uint j = 0; j < KEYS; j++) {\n"
    "                uint s = min(first + j * TEAMS + team, last);\n"
    "                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * heads.stride + s % PAGE * VECTORS + lane;\n"
    "                for (uint i = 0; i < PARTS; i++) {\n"
    "                    value[j][i] = heads.values[start + i * SHARE];\n"
    "                    float4 key = float4(heads.keys[start + i * SHARE]);\n"
    "                    for (uint h = 0; h < COUNT; h++) score[h][j] += dot(query[h][i], key);\n"
    "                }\n"
    "            }\n"
    "            uint left = last + 1 - first, count = left > team ? (left - team + TEAMS - 1) / TEAMS : 0;\n"
    "            for (uint h = 0; h < COUNT; h++) {\n"
    "                for (uint j = 0; j < KEYS; j++) score[h][j] = team_sum<VECTORS>(score[h][j]);\n"
    "                add_keys<KEYS>(running[h], score[h], value, count);\n"
    "            }\n"
    "        }\n"
    "        page = look_up(heads.pages, from + LOOKED_UP, end, simd_lane);\n"
    "    }\n"
    "    for (uint h = 0; h < COUNT; h++) {\n"
    "        float score[1] = {0.0f};\n"
    "        float4 value[1][PARTS];\n"
    "        for (uint i = 0; i < PARTS; i++) {\n"
    "            score[0] += dot(query[h][i], kept(heads.keys, heads.key[lane + i * SHARE]));\n"
    "            value[0][i] = kept(heads.values, heads.value[lane + i * SHARE]);\n"
    "        }\n"
    "        score[0] = team_sum<VECTORS>(score[0]);\n"
    "        add_keys<1>(running[h], score, value, is_mine && team == 0);\n"
    "        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)\n"
    "            merge(running[h], other(running[h], ushort(distance)));\n"
    "    }\n"
    "}\n"},
    {"parts/vectors.h",
    "// vectors.h — weights as lanes read them: four floats, four halves, or eight halves, which are 16 bytes, too\n"
    "#pragma once\n"
    "\n"
    "// Numbers 4 i … 4 i + 3 of a vector.\n"
    "static float4 four_of(float4 vector, uint) { return vector; }\n"
    "static float4 four_of(half4 vector, uint) { return float4(vector); }\n"
    "static float4 four_of(uint4 vector, uint i)\n"
    "{\n"
    "    return float4(as_type<half4>(i == 0 ? uint2(vector.x, vector.y) : uint2(vector.z, vector.w)));\n"
    "}\n"},
    {"parts/vocabulary.h",
    "// vocabulary.h — the tokens of a large vocabulary, split into groups that many simdgroups look through\n"
    "//\n"
    "// Neighbours in a vocabulary are often likely together, so blocks of neighbours are dealt out to the groups in turn: token\n"
    "// v is in group ⌊v / BLOCK⌋ mod GROUPS.\n"
    "#pragma once\n"
    "#include \"parts/simd_width.h\"\n"
    "\n"
    "constant constexpr uint GROUPS = 256; // host: of a row\n"
    "constant constexpr uint BLOCK = 32, STEP = GROUPS * BLOCK;\n"
    "constant constexpr uint AHEAD = SIMD_WIDTH == 1 ? 1 : 8; // blocks of a group that are on their way at once\n"
    "\n"
    "// Of a group's tokens v, v + STEP … the next ones; −∞ past the end of the row.\n"
    "static void read_ahead(device const float *row, uint v, uint V, thread float (&logit)[AHEAD])\n"
    "{\n"
    "    for (uint i = 0; i < AHEAD; i++) logit[i] = v + i * STEP < V ? row[v + i * STEP] : -INFINITY;\n"
    "}\n"},
    {"parts/wait.h",
    "// wait.h — a kernel that begins before the one in front of it has ended\n"
    "//\n"
    "// A primitive: the plain definition waits for nothing, since kernels run one after the other. A target that starts a\n"
    "// kernel early waits for the one in front of it where the kernel begins, or here, if the kernel itself calls this. What\n"
    "// is read in front of the call must be what no kernel writes: weights.\n"
    "#pragma once\n"
    "static void wait_for_previous_kernel() {}\n"},
    {"parts/words.h",
    "// words.h — the weights of a row as bytes without a sign, four to a word, 32 to a block, for integer_matmul.metal\n"
    "//\n"
    "//   weight 32 · block + 4i + j = row_scale(row, k) · (byte j of word_of(row, block, i) − 128) + row_shift(row, k)\n"
    "//\n"
    "// k counts the scales of a row: one for each block, of some formats in words_k.h one for each half of it.\n"
    "// The middle level of a format is 128, so that bytes stay small where weights have no least value: their shift is 0.\n"
    "#pragma once\n"
    "#include \"formats/all.h\"\n"
    "\n"
    "// Four bytes, which may lie at any address.\n"
    "static uint word_at(device const uchar *four)\n"
    "{\n"
    "    return uint(four[0]) | uint(four[1]) << 8 | uint(four[2]) << 16 | uint(four[3]) << 24;\n"
    "}\n"
    "\n"
    "// Values 4i … 4i + 3 of 32 nibbles, the first 16 low ones and the others high ones; and their fifth bits in their place.\n"
    "static uint nibbles_at(device const uchar *nibbles, uint i)\n"
    "{\n"
    "    return word_at(nibbles + 4 * (i % 4)) >> i / 4 * 4 & 0x0f0f0f0fu;\n"
    "}\n"
    "static uint fifths_at(device const ushort *fifth, uint i)\n"
    "{\n"
    "    uint bits = fifth[i / 4] >> 4 * (i % 4) & 15;\n"
    "    return (bits & 1) << 4 | (bits & 2) << 11 | (bits & 4) << 18 | (bits & 8) << 25;\n"
    "}\n"
    "\n"
    "static uint word_of(device const block_q8_0 *row, uint block, uint i)\n"
    "{\n"
    "    return word_at((device const uchar *)row[block].values + 4 * i) ^ 0x80808080u;\n"
    "}\n"
    "static uint word_of(device const block_q4_0 *row, uint block, uint i)\n"
    "{\n"
    "    return nibbles_at(row[block].nibbles, i) + 0x78787878u; // − 8 + 128\n"
    "}\n"
    "static uint word_of(device const block_q4_1 *row, uint block, uint i)\n"
    "{\n"
    "    return nibbles_at(row[block].nibbles, i) + 0x78787878u;\n"
    "}\n"
    "static uint word_of(device const block_q5_0 *row, uint block, uint i)\n"
    "{\n"
    "    return (nibbles_at(row[block].nibbles, i) | fifths_at(row[block].fifth, i)) + 0x70707070u; // − 16 + 128\n"
    "}\n"
    "static uint word_of(device const block_q5_1 *row, uint block, uint i)\n"
    "{\n"
    "    return (nibbles_at(row[block].nibbles, i) | fifths_at(row[block].fifth, i)) + 0x70707070u;\n"
    "}\n"
    "static uint word_of(device const block_iq4_nl *row, uint block, uint i)\n"
    "{\n"
    "    uint nibbles = nibbles_at(row[block].nibbles, i), word = 0;\n"
    "    for (uint j = 0; j < 4; j++) word |= uint(IQ4_NL_LEVELS[nibbles >> 8 * j & 15] + 128) << 8 * j;\n"
    "    return word;\n"
    "}\n"
    "\n"
    "template <typename Block> static float row_scale(device const Block *row, uint k) { return float(row[k].scale); }\n"
    "\n"
    "template <typename Block> static float row_shift(device const Block *, uint) { return 0.0f; }\n"
    "static float row_shift(device const block_q4_1 *row, uint block)\n"
    "{\n"
    "    return float(row[block].least) + 8.0f * float(row[block].scale);\n"
    "}\n"
    "static float row_shift(device const block_q5_1 *row, uint block)\n"
    "{\n"
    "    return float(row[block].least) + 16.0f * float(row[block].scale);\n"
    "}\n"
    "\n"
    "// Whether a format has shifts.\n"
    "template <typename Block> static bool is_shifted(device const Block *) { return false; }\n"
    "static bool is_shifted(device const block_q4_1 *) { return true; }\n"
    "static bool is_shifted(device const block_q5_1 *) { return true; }\n"},
    {"parts/words_k.h",
    "// words_k.h — words.h for formats of 256 weights: an eighth of them is a block, each of q2_K, q3_K and q6_K has two scales\n"
    "//\n"
    "// Values of an eighth lie side by side, as many bits further up in their bytes as those of the eighths before them take.\n"
    "#pragma once\n"
    "#include \"parts/words.h\"\n"
    "\n"
    "static uint word_of(device const block_q2_K *row, uint block, uint i)\n"
    "{\n"
    "    device const uchar *values = row[block / 8].values[block % 8 / 4];\n"
    "    return (word_at(values + 4 * i) >> block % 4 * 2 & 0x03030303u) + 0x7e7e7e7eu; // − 2 + 128\n"
    "}\n"
    "static float row_scale(device const block_q2_K *row, uint k)\n"
    "{\n"
    "    return float(row[k / 16].d) * (row[k / 16].scale[k % 16 / 8][k % 8] & 15);\n"
    "}\n"
    "static float row_shift(device const block_q2_K *row, uint k)\n"
    "{\n"
    "    return 2.0f * row_scale(row, k) - float(row[k / 16].d_least) * (row[k / 16].scale[k % 16 / 8][k % 8] >> 4);\n"
    "}\n"
    "static bool is_shifted(device const block_q2_K *) { return true; }\n"
    "\n"
    "static uint word_of(device const block_q3_K *row, uint block, uint i)\n"
    "{\n"
    "    device const block_q3_K &whole = row[block / 8];\n"
    "    uint low = word_at(whole.low[block % 8 / 4] + 4 * i) >> block % 4 * 2 & 0x03030303u;\n"
    "    return (low | (word_at(whole.high + 4 * i) >> block % 8 & 0x01010101u) << 2) + 0x7c7c7c7cu; // − 4 + 128\n"
    "}\n"
    "static float row_scale(device const block_q3_K *row, uint k)\n"
    "{\n"
    "    return float(row[k / 16].d) * scale_of(row + k / 16, k % 16 / 8, k % 8);\n"
    "}\n"
    "\n"
    "static uint word_of(device const block_q4_K *row, uint block, uint i)\n"
    "{\n"
    "    device const uchar *nibbles = row[block / 8].nibbles[block % 8 / 2];\n"
    "    return (word_at(nibbles + 4 * i) >> block % 2 * 4 & 0x0f0f0f0fu) + 0x78787878u;\n"
    "}\n"
    "static float row_scale(device const block_q4_K *row, uint block)\n"
    "{\n"
    "    return float(row[block / 8].d) * scale_at(row[block / 8].scales, block % 8);\n"
    "}\n"
    "static float row_shift(device const block_q4_K *row, uint block)\n"
    "{\n"
    "    return 8.0f * row_scale(row, block) -\n"
    "           float(row[block / 8].d_least) * least_at(row[block / 8].scales, block % 8);\n"
    "}\n"
    "static bool is_shifted(device const block_q4_K *) { return true; }\n"
    "\n"
    "static uint word_of(device const block_q5_K *row, uint block, uint i)\n"
    "{\n"
    "    device const block_q5_K &whole = row[block / 8];\n"
    "    uint nibbles = word_at(whole.nibbles[block % 8 / 2] + 4 * i) >> block % 2 * 4 & 0x0f0f0f0fu;\n"
    "    return (nibbles | (word_at(whole.fifth + 4 * i) >> block % 8 & 0x01010101u) << 4) + 0x70707070u;\n"
    "}\n"
    "static float row_scale(device const block_q5_K *row, uint block)\n"
    "{\n"
    "    return float(row[block / 8].d) * scale_at(row[block / 8].scales, block % 8);\n"
    "}\n"
    "static float row_shift(device const block_q5_K *row, uint block)\n"
    "{\n"
    "    return 16.0f * row_scale(row, block) -\n"
    "           float(row[block / 8].d_least) * least_at(row[block / 8].scales, block % 8);\n"
    "}\n"
    "static bool is_shifted(device const block_q5_K *) { return true; }\n"
    "\n"
    "static uint word_of(device const block_q6_K *row, uint block, uint i)\n"
    "{\n"
    "    device const block_q6_K &whole = row[block / 8];\n"
    "    uint part = block % 8 / 4, quarter = block % 4;\n"
    "    uint low = word_at(whole.low[part] + quarter % 2 * 32 + 4 * i) >> quarter / 2 * 4 & 0x0f0f0f0fu;\n"
    "    uint high = word_at(whole.high[part] + 4 * i) >> 2 * quarter & 0x03030303u;\n"
    "    return (low | high << 4) + 0x60606060u; // − 32 + 128\n"
    "}\n"
    "static float row_scale(device const block_q6_K *row, uint k)\n"
    "{\n"
    "    return float(row[k / 16].d) * row[k / 16].scale[k % 16 / 8][k % 8];\n"
    "}\n"},
};
const size_t kernel_source_count = 101;
