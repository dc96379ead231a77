/* rows.h - the operations between matrix products, row by row over the pool. */
#ifndef TN_LM_ROWS_H
#define TN_LM_ROWS_H
#include "core/base/pool.h"
#include "core/lm/model.h"

/* y[n, width] = norm(x) for each row: RMS norm (decoder; weight + norm_offset) or layer norm
 * (encoder). y may be x. */
void tn_lm_norm_rows(tn_pool *pool, const tn_lm_config *c, const tn_lm_norm *norm, const float *x,
                     float *y, size_t n);
/* x += norm(add), row by row: Gemma's norms on what a block adds. `add` is overwritten. */
void tn_lm_norm_add_rows(tn_pool *pool, const tn_lm_config *c, const tn_lm_norm *norm, float *add,
                         float *x, size_t n);
/* y[n, ffn] = act(gate) up, for gate_up[n, 2 ffn]. */
void tn_lm_glu_rows(tn_pool *pool, const tn_lm_config *c, const float *gate_up, float *y, size_t n);
/* out[n, width] = rows of x. */
void tn_lm_gather_rows(const float *x, const uint32_t *rows, size_t n, size_t width, float *out);
/* y[m, lin->n] = epilogue(x[m, k] W^T + bias); residual as in tn_epilogue, NULL: none. */
TERN_MUST_USE tern_status tn_lm_mul(tn_gemm *g, const tn_lm_linear *lin, const float *x, size_t ldx,
                                    size_t m, float *y, tn_act act, const float *residual,
                                    bool fixed, tern_error *err);
/* ARG: names the first id outside [0, vocab) and its place. */
TERN_MUST_USE tern_status tn_lm_check_ids(const tn_lm_config *c, const int32_t *ids, size_t n,
                                          tern_error *err);

#endif
