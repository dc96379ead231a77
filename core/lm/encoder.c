/* encoder.c - see encoder.h. */
#include "core/lm/encoder.h"
#include "core/kernels/attention.h"
#include "core/kernels/kernels.h"
#include "core/lm/rows.h"
#include "core/lm/work.h"

#include "core/base/mem.h"

enum { EMBED_GRAIN = 16 };

struct tn_lm_encoder {
    const tn_lm *lm;
    tn_gemm *gemm;
    tn_pool *pool;
    const tn_lm_texts *texts; /* of the current run, as the arrays below */
    size_t n_tokens, n_head;  /* n_head: rows the head reads */
    int32_t *positions;
    float *x, *y, *qkv, *attn, *ffn, *dense, *first;
    tn_lm_work work;
};

tern_status tn_lm_encoder_new(const tn_lm *lm, tn_pool *pool, tn_lm_encoder **out,
                              tern_error *err) {
    *out = NULL;
    if (lm->config.family != TN_LM_ENCODER)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s is not an encoder",
                         tn_lm_arch_name(lm->config.arch));
    tn_lm_encoder *e = tn_calloc(1, sizeof *e);
    if (!e) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for an encoder");
    e->lm = lm;
    e->pool = pool;
    tern_status status = tn_gemm_new(pool, &e->gemm, err);
    if (status != TERN_OK)
        tn_lm_encoder_free(e);
    else
        *out = e;
    return status;
}

void tn_lm_encoder_free(tn_lm_encoder *e) {
    if (!e) return;
    tn_gemm_free(e->gemm);
    tn_lm_work_deinit(&e->work);
    tn_free(e);
}

static void layout(void *arg, tn_lm_work *w) {
    tn_lm_encoder *e = arg;
    const tn_lm_config *c = &e->lm->config;
    size_t n = e->n_tokens, width = c->hidden;
    e->positions = tn_lm_work_take(w, n, sizeof(int32_t));
    e->x = tn_lm_work_take(w, n * width, sizeof(float));
    e->y = tn_lm_work_take(w, n * width, sizeof(float));
    e->qkv = tn_lm_work_take(w, 3 * n * width, sizeof(float));
    e->attn = tn_lm_work_take(w, 3 * n * width, sizeof(float)); /* written with qkv's stride */
    e->ffn = tn_lm_work_take(w, n * c->ffn, sizeof(float));
    e->dense = tn_lm_work_take(w, e->n_head * width, sizeof(float));
    e->first = tn_lm_work_take(w, e->n_head * width, sizeof(float));
}

/* ---- checking and embedding ---- */

/* RoBERTa counts tokens that are not padding; a padding id inside a text keeps the table's padding
 * row. BERT counts everything. */
static void default_positions(const tn_lm_config *c, const tn_lm_texts *t, int32_t *out) {
    for (size_t s = 0; s < t->n_seqs; s++) {
        int32_t next = (int32_t)c->position_offset;
        for (int32_t i = t->seq_begin[s]; i < t->seq_begin[s + 1]; i++) {
            bool pad = c->arch == TN_LM_ROBERTA && t->tokens[i] == c->pad_id;
            out[i] = pad ? c->pad_id : next++;
        }
    }
}

static tern_status check(const tn_lm_config *c, const tn_lm_texts *t, tern_error *err) {
    size_t n = (size_t)t->seq_begin[t->n_seqs];
    for (size_t s = 0; s < t->n_seqs; s++) {
        int32_t len = t->seq_begin[s + 1] - t->seq_begin[s];
        if (len < 1) return tern_fail(err, TERN_ERR_ARG, 0, "text %zu has no tokens", s);
        if (!t->positions && (uint32_t)len > tn_lm_context(c))
            return tern_fail(err, TERN_ERR_LIMIT, 0,
                             "text %zu has %d tokens, the model reads %u at most", s, len,
                             tn_lm_context(c));
    }
    for (size_t i = 0; i < n && t->positions; i++)
        if (t->positions[i] < 0 || (uint32_t)t->positions[i] >= c->max_positions)
            return tern_fail(err, TERN_ERR_ARG, 0, "position %d of token %zu is outside 0 to %u",
                             t->positions[i], i, c->max_positions - 1);
    for (size_t i = 0; i < n && t->types; i++)
        if (t->types[i] < 0 || (uint32_t)t->types[i] >= c->n_types)
            return tern_fail(err, TERN_ERR_ARG, 0, "token type %d of token %zu is outside 0 to %u",
                             t->types[i], i, c->n_types - 1);
    return tn_lm_check_ids(c, t->tokens, n, err);
}

static void embed_chunk(void *arg, size_t begin, size_t end, int worker) {
    tn_lm_encoder *e = arg;
    const tn_lm *lm = e->lm;
    const tn_kernels *k = tn_kernels_get();
    size_t width = lm->config.hidden;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        float *x = e->y + i * width, *part = e->x + i * width; /* the norm reads y */
        size_t type = e->texts->types ? (size_t)e->texts->types[i] : 0;
        tn_lm_row_get(lm->embed, (size_t)e->texts->tokens[i], x);
        tn_lm_row_get(lm->types, type, part);
        k->add(x, x, part, width);
        tn_lm_row_get(lm->positions, (size_t)e->positions[i], part);
        k->add(x, x, part, width);
    }
}

static tern_status prepare(tn_lm_encoder *e, const tn_lm_texts *texts, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    tern_status status = check(c, texts, err);
    if (status != TERN_OK) return status;
    e->texts = texts;
    e->n_tokens = (size_t)texts->seq_begin[texts->n_seqs];
    e->n_head = c->head == TN_LM_HEAD_SEQUENCE ? texts->n_seqs : e->n_tokens;
    if (!tn_lm_work_layout(&e->work, layout, e))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu tokens", e->n_tokens);
    if (texts->positions)
        memcpy(e->positions, texts->positions, e->n_tokens * sizeof *e->positions);
    else
        default_positions(c, texts, e->positions);
    tn_pool_for(e->pool, e->n_tokens, EMBED_GRAIN, embed_chunk, e);
    tn_lm_norm_rows(e->pool, c, &e->lm->embed_norm, e->y, e->x, e->n_tokens);
    return TERN_OK;
}

/* ---- layers and heads ---- */

static tern_status attend(tn_lm_encoder *e, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    tn_attention_shape shape = {.n_seqs = e->texts->n_seqs,
                                .seq_begin = e->texts->seq_begin,
                                .n_heads = c->n_heads,
                                .n_kv_heads = c->n_heads,
                                .head_dim = c->head_dim,
                                .q_stride = 3 * (size_t)c->hidden,
                                .kv_stride = 3 * (size_t)c->hidden,
                                .scale = c->attn_scale};
    return tn_attention(e->pool, &shape, e->qkv, e->qkv + c->hidden, e->qkv + 2 * c->hidden,
                        e->attn, NULL, err);
}

static tern_status run_layer(tn_lm_encoder *e, const tn_lm_layer *layer, tern_error *err) {
    const tn_lm_config *c = &e->lm->config;
    size_t n = e->n_tokens, width = c->hidden;
    tern_status status =
        tn_lm_mul(e->gemm, &layer->qkv, e->x, width, n, e->qkv, TN_ACT_NONE, NULL, false, err);
    if (status == TERN_OK) status = attend(e, err);
    if (status == TERN_OK)
        status = tn_lm_mul(e->gemm, &layer->o, e->attn, 3 * width, n, e->y, TN_ACT_NONE, e->x,
                           false, err);
    if (status != TERN_OK) return status;
    tn_lm_norm_rows(e->pool, c, &layer->attn_norm, e->y, e->x, n);
    status = tn_lm_mul(e->gemm, &layer->up, e->x, width, n, e->ffn, c->act, NULL, false, err);
    if (status == TERN_OK)
        status = tn_lm_mul(e->gemm, &layer->down, e->ffn, c->ffn, n, e->y, TN_ACT_NONE, e->x, false,
                           err);
    if (status == TERN_OK) tn_lm_norm_rows(e->pool, c, &layer->ffn_norm, e->y, e->x, n);
    return status;
}

static tern_status run_head(tn_lm_encoder *e, float *logits, tern_error *err) {
    const tn_lm *lm = e->lm;
    const tn_lm_config *c = &lm->config;
    const float *x = e->x;
    size_t n = e->n_head, width = c->hidden;
    if (!lm->head.w) return tern_fail(err, TERN_ERR_ARG, 0, "this model has no output head");
    if (c->head == TN_LM_HEAD_SEQUENCE) {
        for (size_t s = 0; s < n; s++)
            memcpy(e->first + s * width, x + (size_t)e->texts->seq_begin[s] * width,
                   width * sizeof *x);
        x = e->first;
    }
    if (lm->head_dense.w) {
        /* RoBERTa's masked head is GELU whatever the layers use. */
        tn_act act = c->head == TN_LM_HEAD_SEQUENCE ? TN_ACT_NONE
                     : c->arch == TN_LM_ROBERTA     ? TN_ACT_GELU
                                                    : c->act;
        tern_status status =
            tn_lm_mul(e->gemm, &lm->head_dense, x, width, n, e->dense, act, NULL, false, err);
        if (status != TERN_OK) return status;
        if (c->head == TN_LM_HEAD_SEQUENCE)
            tn_kernels_get()->tanh(e->dense, e->dense, n * width);
        else
            tn_lm_norm_rows(e->pool, c, &lm->head_norm, e->dense, e->dense, n);
        x = e->dense;
    }
    return tn_lm_mul(e->gemm, &lm->head, x, width, n, logits, TN_ACT_NONE, NULL, false, err);
}

tern_status tn_lm_encoder_run(tn_lm_encoder *e, const tn_lm_texts *texts, float *hidden,
                              float *logits, tern_error *err) {
    if (texts->n_seqs == 0) return TERN_OK;
    tern_status status = prepare(e, texts, err);
    for (size_t i = 0; i < e->lm->config.n_layers && status == TERN_OK; i++)
        status = run_layer(e, &e->lm->layers[i], err);
    if (status == TERN_OK && logits) status = run_head(e, logits, err);
    if (status == TERN_OK && hidden)
        memcpy(hidden, e->x, e->n_tokens * e->lm->config.hidden * sizeof *hidden);
    return status;
}
