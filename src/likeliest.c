#include "likeliest.h"

#include <math.h>

double logits_log_sum(const float *logits, size_t V) {
    float largest = -INFINITY;
    double sum = 0.0;
    for (size_t v = 0; v < V; v++)
        if (logits[v] > largest) largest = logits[v];
    for (size_t v = 0; v < V; v++)
        sum += expf(logits[v] - largest);
    return largest + log(sum);
}

static bool is_before(LLMLogprob a, LLMLogprob b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.token < b.token);
}

static void swap(LLMLogprob *a, LLMLogprob *b) {
    LLMLogprob kept = *a;
    *a = *b;
    *b = kept;
}

/* A heap, in which each comes after its children: at its root, the last of all. */
static void sink(LLMLogprob *heap, size_t count, size_t at) {
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_before(heap[child], heap[child + 1])) child++;
        if (!is_before(heap[at], heap[child])) return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}

/* The root goes to the end, until all are in order. */
static void sort(LLMLogprob *heap, size_t count) {
    while (count > 1) {
        swap(&heap[0], &heap[--count]);
        sink(heap, count, 0);
    }
}

void likeliest(const float *logits, size_t V, double log_sum, LLMLogprob *out, size_t count) {
    if (count == 0) return;
    for (size_t v = 0; v < count; v++)
        out[v] = (LLMLogprob){(uint32_t)v, logits[v]};
    for (size_t at = count / 2; at-- > 0;)
        sink(out, count, at);
    for (size_t v = count; v < V; v++) {
        LLMLogprob next = {(uint32_t)v, logits[v]};
        if (!is_before(next, out[0])) continue;
        out[0] = next;
        sink(out, count, 0);
    }
    sort(out, count);
    for (size_t i = 0; i < count; i++)
        out[i].logprob = (float)(out[i].logprob - log_sum);
}
