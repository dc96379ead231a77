/* attention.h - softmax(q k^T scale + mask) v, tiled so that scores never leave the cache.
 * Memory is linear in length: forward keeps one log-sum-exp per query row, backward recomputes the
 * scores from it (Dao et al., arXiv 2205.14135). Sequences of different lengths lie packed one
 * after the other, without padding. Work is cut by shape: the same bits on any number of threads.
 * The _f64 forms are the plain triple loop in double: what gradients are checked in. */
#ifndef TN_ATTENTION_H
#define TN_ATTENTION_H
#include "core/base/pool.h"
#include "core/kernels/dtype.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TN_HEAD_DIM_MAX = 512 };

typedef struct tn_attention_shape {
    size_t n_seqs;
    const int32_t *seq_begin;   /* [n_seqs + 1] first row of each sequence; rows are tokens */
    size_t n_heads, n_kv_heads; /* n_heads is a multiple: query head h reads kv head h / group */
    size_t head_dim;            /* 1 .. TN_HEAD_DIM_MAX */
    size_t q_stride, kv_stride; /* elements from one token to the next in q (and o), in k and v */
    bool causal;
    size_t window; /* > 0: a query sees at most this many keys, itself included (causal), or keys
                      nearer than this on both sides (bidirectional) */
    float scale;   /* usually head_dim^-1/2 */
    float softcap; /* > 0: scores become softcap tanh(score / softcap) */
} tn_attention_shape;

/* q, o [n_tokens, n_heads, head_dim]; k, v [n_tokens, n_kv_heads, head_dim]; the heads of a token
 * are adjacent. lse [n_tokens, n_heads] out (nats), NULL: not kept. Errors: ARG (shape), NOMEM. */
TERN_MUST_USE tern_status tn_attention(tn_pool *pool, const tn_attention_shape *shape,
                                       const float *q, const float *k, const float *v, float *o,
                                       float *lse, tern_error *err);
/* Accumulates into dq, dk, dv (layouts of q, k, v). do_ lies as o does. Errors: ARG, NOMEM. */
TERN_MUST_USE tern_status tn_attention_backward(tn_pool *pool, const tn_attention_shape *shape,
                                                const float *q, const float *k, const float *v,
                                                const float *o, const float *lse, const float *do_,
                                                float *dq, float *dk, float *dv, tern_error *err);

TERN_MUST_USE tern_status tn_attention_f64(tn_pool *pool, const tn_attention_shape *shape,
                                           const double *q, const double *k, const double *v,
                                           double *o, double *lse, tern_error *err);
TERN_MUST_USE tern_status tn_attention_backward_f64(tn_pool *pool, const tn_attention_shape *shape,
                                                    const double *q, const double *k,
                                                    const double *v, const double *o,
                                                    const double *lse, const double *do_,
                                                    double *dq, double *dk, double *dv,
                                                    tern_error *err);

/* Attention over a paged key-value cache: what generation runs (decode and chunked prefill).
 * A page holds page_tokens rows of one layer, [page_tokens, n_kv_heads, head_dim], F32 or BF16. */
typedef struct tn_attention_query {
    const float *q; /* [n_rows, n_heads * head_dim], rows q_stride apart */
    float *o;       /* same layout */
    size_t n_rows;  /* new tokens, <= n_keys; the last sees all n_keys, the one before one less */
    size_t n_keys;  /* tokens in the cache, the new ones included */
    const void *const *k_pages, *const *v_pages; /* [(n_keys + page_tokens - 1) / page_tokens] */
} tn_attention_query;
/* Of the shape: n_heads, n_kv_heads, head_dim, q_stride, window, scale, softcap; it is causal
 * whatever the shape says, and n_seqs, seq_begin and kv_stride are not read. The bits of a row
 * depend on its own keys alone: neither on the other queries nor on how rows are cut into calls.
 * Errors: ARG (shape, cache type), NOMEM. */
TERN_MUST_USE tern_status tn_attention_paged(tn_pool *pool, const tn_attention_shape *shape,
                                             const tn_attention_query *queries, size_t n_queries,
                                             size_t page_tokens, tn_dtype cache_type,
                                             tern_error *err);

#endif
