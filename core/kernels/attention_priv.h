/* attention_priv.h - what the files of attention share: the shape's check, its mask, and the inner
 * loops that exist once per level. */
#ifndef TN_ATTENTION_PRIV_H
#define TN_ATTENTION_PRIV_H
#include "core/kernels/attention.h"

/* Queries are taken 64 at a time, keys too: 16 KiB of scores, and as much of q, k, v and o at
 * head_dim 64, stay in L1 and L2. A tile's rows are always TN_TILE floats apart. */
enum { TN_TILE = 64, TN_LANES = 16 /* a multiple of every level's vector */ };

/* c[rows, lanes] = (c +) sum over k of a[row a_row + k a_k] b[k, lanes] */
typedef struct tn_attention_product {
    float *c;
    size_t ldc;
    const float *a;
    size_t a_row, a_k;
    const float *b;
    size_t ldb;
    size_t rows, k, lanes;
    bool add;
} tn_attention_product;

/* Tiles are [keys, TN_TILE] with a query in each lane; `lanes` is a multiple of TN_LANES except in
 * mul. top, total, shrink, lse, delta have an entry per lane. */
typedef struct tn_attention_kernels {
    void (*mul)(const tn_attention_product *p);
    void (*cap_scores)(float *s, size_t n, float cap); /* n a multiple of TN_LANES */
    /* s becomes exp(s - top), with top the largest score so far; total grows by the sums; what was
     * summed under the old top is to be multiplied by shrink. Start from -FLT_MAX and 0. */
    void (*softmax_step)(float *s, size_t rows, size_t lanes, float *top, float *total,
                         float *shrink);
    void (*scale_lanes)(float *x, size_t rows, size_t lanes, const float *by);
    /* s becomes p = exp(s - lse); dp becomes p (dp - delta) cap'(s) scale; cap of 0: none */
    void (*gradient)(float *s, float *dp, size_t rows, size_t lanes, const float *lse,
                     const float *delta, float scale, float cap);
} tn_attention_kernels;

const tn_attention_kernels *tn_attention_kernels_ref(void);

/* The keys that a query sees: every mask here is one range [begin, end), never empty. */
typedef struct tn_key_range {
    size_t begin, end;
} tn_key_range;

/* Query `row` of a sequence of n tokens. Both ends grow with the row. */
static inline tn_key_range tn_attention_keys(const tn_attention_shape *s, size_t row, size_t n) {
    tn_key_range r = {0, s->causal ? row + 1 : n};
    if (s->window && row + 1 > s->window) r.begin = row + 1 - s->window;
    if (s->window && s->window < n - row && !s->causal) r.end = row + s->window;
    return r;
}

/* ARG: dimensions that do not fit; `packed`: seq_begin and kv_stride count too. */
tern_status tn_attention_check(const tn_attention_shape *s, bool packed, tern_error *err);

static inline size_t tn_attention_lanes(size_t n) {
    return (n + TN_LANES - 1) / TN_LANES * TN_LANES;
}

/* Scratch of n_workers x n floats, each worker's 64-byte aligned (n a multiple of 16). *block is to
 * be freed; NULL: no memory. */
float *tn_attention_scratch(size_t n_workers, size_t n, void **block);

#endif
