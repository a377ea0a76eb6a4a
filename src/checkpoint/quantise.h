/* quantise.h — how blocks of values are stored, format by format; values_store is made of it. */
#ifndef METAL_LLM_QUANTISE_H
#define METAL_LLM_QUANTISE_H

#include <stdbool.h>
#include <stddef.h>

/* Store a half, to nearest, ties to even; false if a finite value becomes an infinity. */
bool store_half(float value, unsigned char *stored);

/* The value furthest from 0, the first of several. */
float furthest_from_zero(const float *values, size_t count);
/* 1 / scale; 0 for a scale so small that its half is 0. */
float scale_inverse(float scale);

/* Each stores a block of finite values; false if its scale is too large for a half. */
bool store_q8_0(const float *values, unsigned char *stored);
bool store_q4_0(const float *values, unsigned char *stored);
bool store_q5_0(const float *values, unsigned char *stored);
bool store_q5_1(const float *values, unsigned char *stored);
bool store_q4_k(const float *values, unsigned char *stored);
bool store_q5_k(const float *values, unsigned char *stored);
bool store_q6_k(const float *values, unsigned char *stored);

#endif
