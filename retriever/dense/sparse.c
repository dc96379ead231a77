/* sparse.c - compressed rows, transposed by counting (sparse.h). */
#include "retriever/dense/sparse.h"
#include <string.h>

#include "core/base/mem.h"

enum { ROWS_PER_CHUNK = 256 };

void tn_sparse_deinit(tn_sparse *a) {
    tn_free(a->starts);
    tn_free(a->cols);
    tn_free(a->vals);
    *a = (tn_sparse){0};
}

tern_status tn_sparse_init(tn_sparse *a, uint32_t n_rows, uint32_t n_cols, uint64_t n_entries,
                           tern_error *err) {
    *a = (tn_sparse){.n_rows = n_rows, .n_cols = n_cols};
    a->starts = tn_calloc((size_t)n_rows + 1, sizeof *a->starts);
    a->cols = tn_realloc(NULL, n_entries, sizeof *a->cols);
    a->vals = tn_realloc(NULL, n_entries, sizeof *a->vals);
    if (a->starts && a->cols && a->vals) return TERN_OK;
    tn_sparse_deinit(a);
    return tern_fail(err, TERN_ERR_NOMEM, 0, "sparse matrix of %zu entries: no memory",
                     (size_t)n_entries);
}

tern_status tn_sparse_transpose(const tn_sparse *a, tn_sparse *out, tern_error *err) {
    uint64_t n = a->starts[a->n_rows];
    tern_status st = tn_sparse_init(out, a->n_cols, a->n_rows, n, err);
    if (st != TERN_OK) return st;
    /* Count into the slot after next, so that filling moves each start to where it belongs. */
    uint64_t *at = out->starts + 1;
    for (uint64_t i = 0; i < n; i++)
        if (a->cols[i] + 1 < a->n_cols) at[a->cols[i] + 1]++;
    for (uint32_t c = 1; c < a->n_cols; c++) at[c] += at[c - 1];
    for (uint32_t r = 0; r < a->n_rows; r++) {
        for (uint64_t i = a->starts[r]; i < a->starts[r + 1]; i++) {
            uint64_t to = at[a->cols[i]]++;
            out->cols[to] = r;
            out->vals[to] = a->vals[i];
        }
    }
    return TERN_OK;
}

typedef struct product {
    const tn_sparse *a;
    size_t width;
    const float *x;
    float *y;
} product;

static void mul_rows(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const product *p = arg;
    for (size_t r = begin; r < end; r++) {
        float *restrict y = p->y + r * p->width;
        memset(y, 0, p->width * sizeof *y);
        for (uint64_t i = p->a->starts[r]; i < p->a->starts[r + 1]; i++) {
            const float *restrict x = p->x + p->a->cols[i] * p->width;
            float v = p->a->vals[i];
            for (size_t j = 0; j < p->width; j++) y[j] += v * x[j];
        }
    }
}

void tn_sparse_mul(tn_pool *pool, const tn_sparse *a, size_t width, const float *x, float *y) {
    product p = {a, width, x, y};
    tn_pool_for(pool, a->n_rows, ROWS_PER_CHUNK, mul_rows, &p);
}
