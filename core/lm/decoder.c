/* decoder.c - see decoder.h. */
#include "core/lm/decoder.h"
#include "core/kernels/attention.h"
#include "core/kernels/kernels.h"
#include "core/lm/rows.h"
#include "core/lm/work.h"
#include <math.h>

#include "core/base/mem.h"

enum { ROTATE_GRAIN = 4 };

struct tn_lm_engine {
    const tn_lm *lm;
    tn_gemm *gemm;
    tn_pool *pool;
    tn_kv_cache kv;
    bool fixed;
    /* of the current step */
    size_t n_rows, n_spans, n_out;
    const tn_lm_span *spans;
    uint32_t *row_span; /* [n_rows] which span */
    uint32_t *row_pos;  /* [n_rows] position in its sequence */
    float *x, *h, *qkv, *attn, *gate_up, *ffn, *out;
    float *cos, *sin, *cos_local, *sin_local; /* [n_rows, head_dim / 2] */
    tn_attention_query *queries;              /* [n_spans] */
    const void **pages;                       /* keys, then values, of all spans */
    size_t n_pages;
    tn_lm_work work; /* the arrays above */
};

size_t tn_lm_n_outputs(const tn_lm_config *c) {
    switch (c->head) {
    case TN_LM_HEAD_CAUSAL:
    case TN_LM_HEAD_MASKED:
        return c->vocab;
    case TN_LM_HEAD_SEQUENCE:
    case TN_LM_HEAD_TOKEN:
        return c->n_labels;
    case TN_LM_HEAD_NONE:
        break;
    }
    return 0;
}

tern_status tn_lm_engine_new(const tn_lm *lm, tn_pool *pool, const tn_lm_engine_opts *opts,
                             tn_lm_engine **out, tern_error *err) {
    *out = NULL;
    if (lm->config.family != TN_LM_DECODER)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s models do not generate text",
                         tn_lm_arch_name(lm->config.arch));
    tn_lm_engine *e = tn_calloc(1, sizeof *e);
    if (!e) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for an engine");
    e->lm = lm;
    e->pool = pool;
    e->fixed = opts->fixed;
    tn_kv_init(&e->kv, &lm->config, opts->cache_type, opts->n_pages_max);
    tern_status status = tn_gemm_new(pool, &e->gemm, err);
    if (status != TERN_OK)
        tn_lm_engine_free(e);
    else
        *out = e;
    return status;
}

void tn_lm_engine_free(tn_lm_engine *e) {
    if (!e) return;
    tn_kv_deinit(&e->kv);
    tn_gemm_free(e->gemm);
    tn_lm_work_deinit(&e->work);
    tn_free(e);
}

tn_kv_cache *tn_lm_engine_cache(tn_lm_engine *e) {
    return &e->kv;
}
const tn_lm *tn_lm_engine_model(const tn_lm_engine *e) {
    return e->lm;
}
tn_pool *tn_lm_engine_pool(const tn_lm_engine *e) {
    return e->pool;
}

/* ---- preparing a step ---- */

static void layout(void *arg, tn_lm_work *w) {
    tn_lm_engine *e = arg;
    const tn_lm_config *c = &e->lm->config;
    size_t n = e->n_rows, qkv_dim = tn_lm_q_dim(c) + 2 * (size_t)tn_lm_kv_dim(c);
    size_t half = c->head_dim / 2;
    e->x = tn_lm_work_take(w, n * c->hidden, sizeof(float));
    e->h = tn_lm_work_take(w, n * c->hidden, sizeof(float));
    e->qkv = tn_lm_work_take(w, n * qkv_dim, sizeof(float));
    e->attn = tn_lm_work_take(w, n * qkv_dim, sizeof(float)); /* written with the stride of qkv */
    e->gate_up = tn_lm_work_take(w, n * 2 * c->ffn, sizeof(float));
    e->ffn = tn_lm_work_take(w, n * c->ffn, sizeof(float));
    e->out = tn_lm_work_take(w, 2 * e->n_out * c->hidden, sizeof(float));
    e->cos = tn_lm_work_take(w, n * half, sizeof(float));
    e->sin = tn_lm_work_take(w, n * half, sizeof(float));
    e->cos_local = tn_lm_work_take(w, n * half, sizeof(float));
    e->sin_local = tn_lm_work_take(w, n * half, sizeof(float));
    e->row_span = tn_lm_work_take(w, n, sizeof *e->row_span);
    e->row_pos = tn_lm_work_take(w, n, sizeof *e->row_pos);
    e->queries = tn_lm_work_take(w, e->n_spans, sizeof *e->queries);
    e->pages = tn_lm_work_take(w, 2 * e->n_pages, sizeof *e->pages);
}

static void number_rows(tn_lm_engine *e, const tn_lm_step *step) {
    size_t row = 0;
    for (size_t s = 0; s < step->n_spans; s++)
        for (size_t i = 0; i < step->spans[s].n_rows; i++, row++) {
            e->row_span[row] = (uint32_t)s;
            e->row_pos[row] = (uint32_t)(step->spans[s].seq->n_tokens + i);
        }
}

/* Angles as transformers has them: the product of position and frequency in f32. */
static void angles_chunk(void *arg, size_t begin, size_t end, int worker) {
    tn_lm_engine *e = arg;
    const tn_lm *lm = e->lm;
    size_t half = lm->config.head_dim / 2;
    (void)worker;
    for (size_t row = begin; row < end; row++)
        for (size_t i = 0; i < half; i++) {
            float a = (float)e->row_pos[row] * lm->inv_freq[i];
            float b = (float)e->row_pos[row] * lm->inv_freq_local[i];
            e->cos[row * half + i] = cosf(a);
            e->sin[row * half + i] = sinf(a);
            e->cos_local[row * half + i] = a == b ? e->cos[row * half + i] : cosf(b);
            e->sin_local[row * half + i] = a == b ? e->sin[row * half + i] : sinf(b);
        }
}

static void embed(tn_lm_engine *e, const tn_lm_step *step) {
    const tn_lm_config *c = &e->lm->config;
    for (size_t i = 0; i < e->n_rows; i++) {
        float *x = e->x + i * c->hidden;
        tn_lm_row_get(e->lm->embed, (size_t)step->tokens[i], x);
        if (c->embed_scale != 1) tn_kernels_get()->scale(x, c->embed_scale, c->hidden);
    }
}

static tern_status prepare(tn_lm_engine *e, const tn_lm_step *step, tern_error *err) {
    e->n_rows = e->n_pages = 0;
    e->n_spans = step->n_spans;
    e->n_out = step->n_out;
    e->spans = step->spans;
    for (size_t s = 0; s < step->n_spans; s++) e->n_rows += step->spans[s].n_rows;
    tern_status status = tn_lm_check_ids(&e->lm->config, step->tokens, e->n_rows, err);
    for (size_t s = 0; s < step->n_spans && status == TERN_OK; s++) {
        status = tn_kv_seq_grow(&e->kv, step->spans[s].seq, step->spans[s].n_rows, err);
        e->n_pages += step->spans[s].seq->n_pages;
    }
    if (status != TERN_OK) return status;
    if (!tn_lm_work_layout(&e->work, layout, e))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a step of %zu tokens",
                         e->n_rows);
    number_rows(e, step);
    tn_pool_for(e->pool, e->n_rows, ROTATE_GRAIN, angles_chunk, e);
    embed(e, step);
    return TERN_OK;
}

/* ---- a layer ---- */

typedef struct rotate_job {
    tn_lm_engine *e;
    size_t layer;
} rotate_job;

static void heads(const tn_lm_config *c, float *x, size_t n_heads, const float *norm,
                  const float *cos, const float *sin) {
    const tn_kernels *k = tn_kernels_get();
    for (size_t h = 0; h < n_heads; h++, x += c->head_dim) {
        if (norm) k->rms_norm(x, x, norm, c->norm_offset, c->norm_eps, c->head_dim);
        k->rope(x, cos, sin, c->head_dim, false);
    }
}

static void store(const tn_kv_cache *kv, void *page, size_t slot, const float *x, size_t n) {
    if (kv->type == TN_BF16)
        tn_kernels_get()->bf16_from_f32((tn_bf16 *)page + slot * n, x, n);
    else
        memcpy((float *)page + slot * n, x, n * sizeof *x);
}

/* Norm and rotate queries and keys; keys and values go to their page. */
static void rotate_chunk(void *arg, size_t begin, size_t end, int worker) {
    rotate_job *j = arg;
    tn_lm_engine *e = j->e;
    const tn_lm_config *c = &e->lm->config;
    const tn_lm_layer *layer = &e->lm->layers[j->layer];
    size_t q_dim = tn_lm_q_dim(c), kv_dim = tn_lm_kv_dim(c), half = c->head_dim / 2;
    bool local = c->sliding[j->layer];
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        float *q = e->qkv + row * (q_dim + 2 * kv_dim), *k = q + q_dim, *v = k + kv_dim;
        const float *cos = (local ? e->cos_local : e->cos) + row * half;
        const float *sin = (local ? e->sin_local : e->sin) + row * half;
        heads(c, q, c->n_heads, layer->q_norm, cos, sin);
        heads(c, k, c->n_kv_heads, layer->k_norm, cos, sin);
        size_t slot = e->row_pos[row] % TN_KV_PAGE_TOKENS;
        uint32_t page = e->spans[e->row_span[row]].seq->pages[e->row_pos[row] / TN_KV_PAGE_TOKENS];
        store(&e->kv, tn_kv_keys(&e->kv, page, j->layer), slot, k, kv_dim);
        store(&e->kv, tn_kv_values(&e->kv, page, j->layer), slot, v, kv_dim);
    }
}

static tern_status attend(tn_lm_engine *e, size_t layer, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    size_t stride = tn_lm_q_dim(c) + 2 * (size_t)tn_lm_kv_dim(c), row = 0, at = 0;
    for (size_t s = 0; s < e->n_spans; s++) {
        const tn_lm_span *span = &e->spans[s];
        const void **k = e->pages + at, **v = e->pages + e->n_pages + at;
        for (size_t p = 0; p < span->seq->n_pages; p++) {
            k[p] = tn_kv_keys(&e->kv, span->seq->pages[p], layer);
            v[p] = tn_kv_values(&e->kv, span->seq->pages[p], layer);
        }
        e->queries[s] = (tn_attention_query){.q = e->qkv + row * stride,
                                             .o = e->attn + row * stride,
                                             .n_rows = span->n_rows,
                                             .n_keys = span->seq->n_tokens + span->n_rows,
                                             .k_pages = k,
                                             .v_pages = v};
        row += span->n_rows;
        at += span->seq->n_pages;
    }
    tn_attention_shape shape = {.n_heads = c->n_heads,
                                .n_kv_heads = c->n_kv_heads,
                                .head_dim = c->head_dim,
                                .q_stride = stride,
                                .kv_stride = tn_lm_kv_dim(c),
                                .causal = true,
                                .window = c->sliding[layer] ? c->window : 0,
                                .scale = c->attn_scale};
    return tn_attention_paged(e->pool, &shape, e->queries, e->n_spans, TN_KV_PAGE_TOKENS,
                              e->kv.type, err);
}

/* x += W y, or x += norm(W y) */
static tern_status add_block(tn_lm_engine *e, const tn_lm_linear *lin, const float *y, size_t ldy,
                             const tn_lm_norm *norm, tern_error *err) {
    bool normed = norm->weight != NULL;
    tern_status status = tn_lm_mul(e->gemm, lin, y, ldy, e->n_rows, normed ? e->h : e->x,
                                   TN_ACT_NONE, normed ? NULL : e->x, e->fixed, err);
    if (status == TERN_OK && normed)
        tn_lm_norm_add_rows(e->pool, &e->lm->config, norm, e->h, e->x, e->n_rows);
    return status;
}

static tern_status run_layer(tn_lm_engine *e, size_t index, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    const tn_lm_layer *layer = &e->lm->layers[index];
    size_t n = e->n_rows, stride = layer->qkv.n;
    tn_lm_norm_rows(e->pool, c, &layer->attn_norm, e->x, e->h, n);
    tern_status status = tn_lm_mul(e->gemm, &layer->qkv, e->h, c->hidden, n, e->qkv, TN_ACT_NONE,
                                   NULL, e->fixed, err);
    if (status != TERN_OK) return status;
    rotate_job job = {.e = e, .layer = index};
    tn_pool_for(e->pool, n, ROTATE_GRAIN, rotate_chunk, &job);
    status = attend(e, index, err);
    if (status == TERN_OK)
        status = add_block(e, &layer->o, e->attn, stride, &layer->post_attn_norm, err);
    if (status != TERN_OK) return status;
    tn_lm_norm_rows(e->pool, c, &layer->ffn_norm, e->x, e->h, n);
    status = tn_lm_mul(e->gemm, &layer->up, e->h, c->hidden, n, e->gate_up, TN_ACT_NONE, NULL,
                       e->fixed, err);
    if (status != TERN_OK) return status;
    tn_lm_glu_rows(e->pool, c, e->gate_up, e->ffn, n);
    return add_block(e, &layer->down, e->ffn, c->ffn, &layer->post_ffn_norm, err);
}

/* ---- the head ---- */

static tern_status run_head(tn_lm_engine *e, const tn_lm_step *step, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    size_t n = step->n_out, n_outputs = tn_lm_n_outputs(c);
    float *hidden = step->hidden ? step->hidden : e->out + n * c->hidden;
    if (n == 0) return TERN_OK;
    tn_lm_gather_rows(e->x, step->out_rows, n, c->hidden, e->out);
    tn_lm_norm_rows(e->pool, c, &e->lm->final_norm, e->out, hidden, n);
    if (!step->logits) return TERN_OK;
    if (!e->lm->head.w) return tern_fail(err, TERN_ERR_ARG, 0, "this model has no output head");
    tern_status status = tn_lm_mul(e->gemm, &e->lm->head, hidden, c->hidden, n, step->logits,
                                   TN_ACT_NONE, NULL, e->fixed, err);
    if (status == TERN_OK && c->final_softcap > 0)
        for (size_t i = 0; i < n; i++) {
            float *row = step->logits + i * n_outputs;
            tn_kernels_get()->scale(row, 1 / c->final_softcap, n_outputs);
            tn_kernels_get()->tanh(row, row, n_outputs);
            tn_kernels_get()->scale(row, c->final_softcap, n_outputs);
        }
    return status;
}

tern_status tn_lm_engine_step(tn_lm_engine *e, const tn_lm_step *step, tern_error *err) {
    tern_status status = prepare(e, step, err);
    for (size_t i = 0; i < e->lm->config.n_layers && status == TERN_OK; i++)
        status = run_layer(e, i, err);
    if (status == TERN_OK) status = run_head(e, step, err);
    if (status != TERN_OK) return status;
    for (size_t s = 0; s < step->n_spans; s++)
        step->spans[s].seq->n_tokens += step->spans[s].n_rows;
    return TERN_OK;
}
