/* gemm_fixture.h - matrices for the tests of products: random values with canaries around them, a
 * naive product in double, and the error a sum of k terms may have. */
#ifndef TN_GEMM_FIXTURE_H
#define TN_GEMM_FIXTURE_H
#include "core/base/rng.h"
#include "core/kernels/gemm_priv.h"
#include "tests/test.h"

enum { CANARY_BYTE = 0xA5, CANARY_BYTES = 64 };

typedef struct matrix {
    tn_mat mat;
    size_t rows, cols; /* as stored */
    size_t n_bytes;    /* of the elements, padding between rows included */
    unsigned char *block;
} matrix;

/* rows x cols elements, `pad` elements between rows; a canary before and after, and in the pads.
 * (offset: bytes by which the data is off alignment) */
static inline matrix matrix_new(size_t rows, size_t cols, tn_dtype t, size_t pad, size_t offset) {
    matrix x = {.rows = rows, .cols = cols};
    size_t ld = cols + pad;
    x.n_bytes = rows * ld * tn_dtype_size(t);
    x.block = malloc(x.n_bytes + 2 * CANARY_BYTES + offset);
    if (!x.block) abort();
    memset(x.block, CANARY_BYTE, x.n_bytes + 2 * CANARY_BYTES + offset);
    x.mat = (tn_mat){.data = x.block + CANARY_BYTES + offset, .dtype = t, .ld = ld};
    return x;
}

static inline void matrix_free(matrix *x) {
    free(x->block);
    x->block = NULL;
}

static inline void *matrix_at(const matrix *x, size_t row, size_t col) {
    return (char *)(uintptr_t)x->mat.data + (row * x->mat.ld + col) * tn_dtype_size(x->mat.dtype);
}

static inline double matrix_get(const matrix *x, size_t row, size_t col) {
    void *p = matrix_at(x, row, col);
    if (x->mat.dtype == TN_BF16) return (double)tn_bf16_get(*(tn_bf16 *)p);
    if (x->mat.dtype == TN_F64) return *(double *)p;
    return (double)*(float *)p;
}

static inline void matrix_set(const matrix *x, size_t row, size_t col, double value) {
    void *p = matrix_at(x, row, col);
    if (x->mat.dtype == TN_BF16)
        *(tn_bf16 *)p = tn_bf16_set((float)value);
    else if (x->mat.dtype == TN_F64)
        *(double *)p = value;
    else
        *(float *)p = (float)value;
}

static inline void matrix_fill(const matrix *x, tn_rng *rng) {
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < x->cols; j++) matrix_set(x, i, j, 2 * tn_rng_uniform(rng) - 1);
}

/* Nothing but the elements was written. */
static inline void matrix_check_canaries(const matrix *x) {
    size_t size = tn_dtype_size(x->mat.dtype), row_bytes = x->cols * size;
    const unsigned char *data = x->mat.data;
    for (size_t i = 0; i < CANARY_BYTES; i++) {
        CHECK_EQ(data[-1 - (ptrdiff_t)i], CANARY_BYTE);
        CHECK_EQ(data[x->n_bytes + i], CANARY_BYTE);
    }
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = row_bytes; j < x->mat.ld * size; j++)
            CHECK_EQ(data[i * x->mat.ld * size + j], CANARY_BYTE);
}

/* op(X)[row, col], rounded to bf16 when `round`. */
static inline double matrix_op(const matrix *x, size_t row, size_t col, bool round) {
    double v = x->mat.trans ? matrix_get(x, col, row) : matrix_get(x, row, col);
    return round ? (double)tn_bf16_get(tn_bf16_set((float)v)) : v;
}

/* The sum over k in double; *magnitude: the sum of |terms|, which bounds the error. */
static inline double naive_dot(const matrix *a, const matrix *b, size_t i, size_t j, size_t k,
                               bool round, double *magnitude) {
    double sum = 0, abs_sum = 0;
    for (size_t l = 0; l < k; l++) {
        double term = matrix_op(a, i, l, round) * matrix_op(b, l, j, round);
        sum += term;
        abs_sum += fabs(term);
    }
    *magnitude = abs_sum;
    return sum;
}

/* f32 sums in some order: (k + 2) half ulps of the magnitude is a bound, its root the rule. */
static inline double sum_tolerance(size_t k, double magnitude) {
    return 1.2e-7 * (2 + sqrt((double)k)) * (magnitude + 1e-30) + 1e-30;
}
#endif
