/* attention_paged.c - attention over a paged key-value cache: what generation runs. */
#include "core/kernels/attention_priv.h"
#include "core/kernels/kernels.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    const tn_attention_shape *s;
    const tn_attention_query *queries;
    const tn_kernels *k;
    size_t page_tokens;
    tn_dtype cache_type;
    float *scratch; /* per worker: the scores of the longest query, one row of the cache */
    size_t n_scratch;
} job;

static const float *row_of(const job *j, const void *const *pages, size_t key, size_t kv,
                           float *row) {
    const tn_attention_shape *s = j->s;
    size_t at = ((key % j->page_tokens) * s->n_kv_heads + kv) * s->head_dim;
    const void *page = pages[key / j->page_tokens];
    if (j->cache_type == TN_F32) return (const float *)page + at;
    j->k->f32_from_bf16(row, (const tn_bf16 *)page + at, s->head_dim);
    return row;
}

static void one_head(const job *j, const tn_attention_query *qy, size_t row, size_t h,
                     float *scratch) {
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim, kv = h / (s->n_heads / s->n_kv_heads), at = row * s->q_stride + h * d;
    size_t end = qy->n_keys - qy->n_rows + row + 1;
    size_t begin = s->window && end > s->window ? end - s->window : 0;
    float *score = scratch + s->head_dim, *o = qy->o + at;
    for (size_t i = begin; i < end; i++) {
        float x = j->k->dot(qy->q + at, row_of(j, qy->k_pages, i, kv, scratch), d) * s->scale;
        score[i - begin] = s->softcap > 0 ? s->softcap * tanhf(x / s->softcap) : x;
    }
    j->k->softmax(score, score, end - begin);
    memset(o, 0, d * sizeof *o);
    for (size_t i = begin; i < end; i++)
        j->k->axpy(o, score[i - begin], row_of(j, qy->v_pages, i, kv, scratch), d);
}

static void query_units(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    float *scratch = j->scratch + (size_t)worker * j->n_scratch;
    for (size_t i = begin; i < end; i++) {
        const tn_attention_query *qy = &j->queries[i / j->s->n_heads];
        for (size_t row = 0; row < qy->n_rows; row++)
            one_head(j, qy, row, i % j->s->n_heads, scratch);
    }
}

tern_status tn_attention_paged(tn_pool *pool, const tn_attention_shape *shape,
                               const tn_attention_query *queries, size_t n_queries,
                               size_t page_tokens, tn_dtype cache_type, tern_error *err) {
    tern_status st = tn_attention_check(shape, false, err);
    if (st != TERN_OK) return st;
    if (page_tokens == 0 || (cache_type != TN_F32 && cache_type != TN_BF16))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "attention: the cache must be F32 or BF16, in pages");
    size_t n_longest = 0;
    for (size_t i = 0; i < n_queries; i++) {
        if (queries[i].n_rows > queries[i].n_keys)
            return tern_fail(err, TERN_ERR_ARG, 0, "attention: query %zu has %zu rows, %zu keys", i,
                             queries[i].n_rows, queries[i].n_keys);
        if (queries[i].n_keys > n_longest) n_longest = queries[i].n_keys;
    }
    job j = {shape,      queries, tn_kernels_get(),           page_tokens,
             cache_type, NULL,    shape->head_dim + n_longest};
    j.scratch = tn_calloc((size_t)tn_pool_n_threads(pool) * j.n_scratch, sizeof *j.scratch);
    if (!j.scratch) return tern_fail(err, TERN_ERR_NOMEM, 0, "attention: no memory for scores");
    tn_pool_for(pool, n_queries * shape->n_heads, 1, query_units, &j);
    tn_free(j.scratch);
    return TERN_OK;
}
