/* cublas.c — the one kind of matrix product that the program asks for. */
#include "stand_in.h"

#include <stdlib.h>

struct cublasContext {
    CUstream stream;
    void *workspace;
};

int cublasCreate_v2(cublasHandle *handle) {
    CALL_IN_CONTEXT();
    *handle = stand_in_new("handle of cuBLAS", sizeof **handle);
    **handle = (struct cublasContext){0};
    return 0;
}

int cublasDestroy_v2(cublasHandle handle) {
    CALL_IN_CONTEXT();
    stand_in_finish();
    stand_in_free("handle of cuBLAS", handle);
    return 0;
}

int cublasSetStream_v2(cublasHandle handle, CUstream stream) {
    CALL_IN_CONTEXT();
    stand_in_need("stream", stream);
    handle->stream = stream;
    return 0;
}

int cublasSetWorkspace_v2(cublasHandle handle, void *workspace, size_t bytes) {
    CALL_IN_CONTEXT();
    handle->workspace = stand_in_memory((uintptr_t)workspace, bytes, __func__);
    return 0;
}

typedef struct Product {
    size_t m, n, k, lda, ldb, ldc;
    const void *a, *b;
    float *c;
    bool halves;
} Product;

static double element(const void *matrix, bool halves, size_t i) {
    return halves ? (double)((const _Float16 *)matrix)[i] : (double)((const float *)matrix)[i];
}

static double dot(const Product *p, size_t i, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < p->k; k++)
        sum += element(p->a, p->halves, i * p->lda + k) * element(p->b, p->halves, j * p->ldb + k);
    return sum;
}

/* c[m,n] = aᵀ · b, columns first. */
static void run_product(const void *data) {
    const Product *p = data;
    for (size_t j = 0; j < p->n; j++)
        for (size_t i = 0; i < p->m; i++)
            p->c[j * p->ldc + i] = (float)dot(p, i, j);
}

/* `columns` of them, `rows` each. */
static void *matrix(const void *start, size_t rows, size_t columns, size_t distance, size_t size) {
    if (distance < rows) stand_in_complain("columns of a matrix overlap");
    size_t count = (columns - 1) * distance + rows;
    return stand_in_memory((uintptr_t)start, count * size, "cublasGemmEx");
}

int cublasGemmEx(cublasHandle handle, int transpose_a, int transpose_b, int m, int n, int k,
                 const void *alpha, const void *a, int a_type, int lda, const void *b, int b_type,
                 int ldb, const void *beta, void *c, int c_type, int ldc, int compute_type,
                 int algorithm) {
    CALL_IN_CONTEXT();
    if (transpose_a != CUBLAS_TRANSPOSED || transpose_b != CUBLAS_NORMAL || a_type != b_type ||
        c_type != CUBLAS_FLOAT || compute_type != CUBLAS_COMPUTE_FLOAT ||
        algorithm != CUBLAS_ALGORITHM_DEFAULT || *(const float *)alpha != 1.0f ||
        *(const float *)beta != 0.0f)
        stand_in_complain("a product of another kind");
    if (!handle->stream || !handle->workspace)
        stand_in_complain("cuBLAS without a stream or memory of its own");
    size_t M = (size_t)m, N = (size_t)n, K = (size_t)k, size = a_type == CUBLAS_HALF ? 2 : 4;
    Product product = {.m = M,
                       .n = N,
                       .k = K,
                       .lda = (size_t)lda,
                       .ldb = (size_t)ldb,
                       .ldc = (size_t)ldc,
                       .a = matrix(a, K, M, (size_t)lda, size),
                       .b = matrix(b, K, N, (size_t)ldb, size),
                       .c = matrix(c, M, N, (size_t)ldc, sizeof(float)),
                       .halves = a_type == CUBLAS_HALF};
    stand_in_queue(handle->stream, run_product, &product, sizeof product);
    return 0;
}
