/* rows.h - the row kernels over whole tensors: what layers and optimisers call.
 * Tensors are contiguous, [n_rows, n] row by row, unless a stride is given; `n` alone counts
 * elements. Work is cut by size and sums combine in chunk order, so the bits do not depend on the
 * pool (NULL: inline). Formulas, aliasing and special values: kernels_table.h. */
#ifndef TN_ROWS_H
#define TN_ROWS_H
#include "core/base/pool.h"
#include "core/kernels/kernels.h"
#include "tern/status.h"

void tn_rows_axpy(tn_pool *pool, float *y, float a, const float *x, size_t n);
void tn_rows_scale(tn_pool *pool, float *y, float a, size_t n);
void tn_rows_add(tn_pool *pool, float *y, const float *a, const float *b, size_t n);
void tn_rows_mul(tn_pool *pool, float *y, const float *a, const float *b, size_t n);
void tn_rows_bf16_from_f32(tn_pool *pool, tn_bf16 *y, const float *x, size_t n);

void tn_rows_act(tn_pool *pool, tn_act kind, float *y, const float *x, size_t n);
void tn_rows_act_backward(tn_pool *pool, tn_act kind, float *dx, const float *dy, const float *x,
                          size_t n);
void tn_rows_glu(tn_pool *pool, tn_act kind, float *y, const float *gate, const float *up,
                 size_t n);
void tn_rows_glu_backward(tn_pool *pool, tn_act kind, float *dgate, float *dup, const float *dy,
                          const float *gate, const float *up, size_t n);

/* lse [n_rows] or NULL */
void tn_rows_softmax(tn_pool *pool, float *y, float *lse, const float *x, size_t n_rows, size_t n);
void tn_rows_softmax_backward(tn_pool *pool, float *dx, const float *dy, const float *y,
                              size_t n_rows, size_t n);

/* rstd [n_rows] or NULL. Backward: NOMEM (partial sums of dweight). */
void tn_rows_rms_norm(tn_pool *pool, float *y, float *rstd, const float *x, const float *weight,
                      float offset, float eps, size_t n_rows, size_t n);
TERN_MUST_USE tern_status tn_rows_rms_norm_backward(tn_pool *pool, float *dx, float *dweight,
                                                    const float *dy, const float *x,
                                                    const float *weight, float offset,
                                                    const float *rstd, size_t n_rows, size_t n,
                                                    tern_error *err);
/* mean, rstd [n_rows] or both NULL; bias, dbias may be NULL. Backward: NOMEM. */
void tn_rows_layer_norm(tn_pool *pool, float *y, float *mean, float *rstd, const float *x,
                        const float *weight, const float *bias, float eps, size_t n_rows, size_t n);
TERN_MUST_USE tern_status tn_rows_layer_norm_backward(tn_pool *pool, float *dx, float *dweight,
                                                      float *dbias, const float *dy, const float *x,
                                                      const float *weight, const float *mean,
                                                      const float *rstd, size_t n_rows, size_t n,
                                                      tern_error *err);
/* sums[n] += each column of x[n_rows, n]: the gradient of a bias. NOMEM. */
TERN_MUST_USE tern_status tn_rows_column_sums(tn_pool *pool, float *sums, const float *x,
                                              size_t n_rows, size_t n, tern_error *err);

/* x [n_tokens, n_heads, head_dim], tokens `stride` elements apart, in place. The first n_rotary
 * (even) elements of each head are turned by row position[token] of cos, sin [.., n_rotary / 2]. */
void tn_rows_rope(tn_pool *pool, float *x, size_t stride, const int32_t *position, const float *cos,
                  const float *sin, size_t n_tokens, size_t n_heads, size_t head_dim,
                  size_t n_rotary, bool inverse);

void tn_rows_adamw(tn_pool *pool, float *w, const float *grad, float *m, float *v,
                   const tn_adamw_args *a, size_t n);
/* The global norm is the root of the sum of these over all slabs. */
double tn_rows_sum_squares(tn_pool *pool, const float *x, size_t n);

/* Embeddings. out[i] = table[ids[i]]; table [.., n] of F32 or BF16. */
void tn_rows_gather(tn_pool *pool, float *out, const void *table, tn_dtype type, const int32_t *ids,
                    size_t n_ids, size_t n);
/* dtable[ids[i]] += dout[i]; rows of the same id are added in the order of i. */
void tn_rows_scatter_add(tn_pool *pool, float *dtable, const float *dout, const int32_t *ids,
                         size_t n_ids, size_t n);

#endif
