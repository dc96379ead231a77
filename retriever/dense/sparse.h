/* sparse.h - sparse matrices in rows, and their products with dense ones. */
#ifndef TN_SPARSE_H
#define TN_SPARSE_H
#include "core/base/pool.h"
#include <stdint.h>

/* Row i holds entries [starts[i], starts[i + 1]), columns ascending. */
typedef struct tn_sparse {
    uint32_t n_rows, n_cols;
    uint64_t *starts; /* [n_rows + 1] */
    uint32_t *cols;
    float *vals;
} tn_sparse; /* zero-initialise to start */

void tn_sparse_deinit(tn_sparse *a);
/* Room for n_entries; starts are zero. NOMEM. */
TERN_MUST_USE tern_status tn_sparse_init(tn_sparse *a, uint32_t n_rows, uint32_t n_cols,
                                         uint64_t n_entries, tern_error *err);
/* *out = a^T; NOMEM. */
TERN_MUST_USE tern_status tn_sparse_transpose(const tn_sparse *a, tn_sparse *out, tern_error *err);
/* y[n_rows, width] = a x[n_cols, width]; each row is summed in column order by one thread. */
void tn_sparse_mul(tn_pool *pool, const tn_sparse *a, size_t width, const float *x, float *y);

#endif
