/* rows.c - see rows.h. Rows are independent: any cut over threads gives the same bits. */
#include "core/lm/rows.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

/* Rows of a few KiB each: eight are enough work to hand out. */
enum { ROWS_GRAIN = 8 };

typedef struct rows_job {
    const tn_lm_config *c;
    const tn_lm_norm *norm;
    const float *x;
    float *y, *sum;
} rows_job;

static void norm_one(const tn_lm_config *c, const tn_lm_norm *norm, const float *x, float *y) {
    const tn_kernels *k = tn_kernels_get();
    float mean, rstd;
    if (c->family == TN_LM_DECODER)
        k->rms_norm(y, x, norm->weight, c->norm_offset, c->norm_eps, c->hidden);
    else
        k->layer_norm(y, x, norm->weight, norm->bias, c->norm_eps, c->hidden, &mean, &rstd);
}

static void norm_chunk(void *arg, size_t begin, size_t end, int worker) {
    const rows_job *j = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        norm_one(j->c, j->norm, j->x + i * j->c->hidden, j->y + i * j->c->hidden);
}

void tn_lm_norm_rows(tn_pool *pool, const tn_lm_config *c, const tn_lm_norm *norm, const float *x,
                     float *y, size_t n) {
    rows_job job = {.c = c, .norm = norm, .x = x, .y = y};
    tn_pool_for(pool, n, ROWS_GRAIN, norm_chunk, &job);
}

static void norm_add_chunk(void *arg, size_t begin, size_t end, int worker) {
    const rows_job *j = arg;
    size_t w = j->c->hidden;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        norm_one(j->c, j->norm, j->y + i * w, j->y + i * w);
        tn_kernels_get()->add(j->sum + i * w, j->sum + i * w, j->y + i * w, w);
    }
}

void tn_lm_norm_add_rows(tn_pool *pool, const tn_lm_config *c, const tn_lm_norm *norm, float *add,
                         float *x, size_t n) {
    rows_job job = {.c = c, .norm = norm, .y = add, .sum = x};
    tn_pool_for(pool, n, ROWS_GRAIN, norm_add_chunk, &job);
}

static void glu_chunk(void *arg, size_t begin, size_t end, int worker) {
    const rows_job *j = arg;
    size_t f = j->c->ffn;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        tn_kernels_get()->glu(j->c->act, j->y + i * f, j->x + 2 * i * f, j->x + (2 * i + 1) * f, f);
}

void tn_lm_glu_rows(tn_pool *pool, const tn_lm_config *c, const float *gate_up, float *y,
                    size_t n) {
    rows_job job = {.c = c, .x = gate_up, .y = y};
    tn_pool_for(pool, n, ROWS_GRAIN, glu_chunk, &job);
}

void tn_lm_gather_rows(const float *x, const uint32_t *rows, size_t n, size_t width, float *out) {
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, x + rows[i] * width, width * sizeof *out);
}

tern_status tn_lm_mul(tn_gemm *g, const tn_lm_linear *lin, const float *x, size_t ldx, size_t m,
                      float *y, tn_act act, const float *residual, bool fixed, tern_error *err) {
    tn_epilogue e = {.bias = lin->bias, .act = act, .residual = residual, .ld_residual = lin->n};
    tn_mat mat = {.data = x, .dtype = TN_F32, .ld = ldx};
    return tn_weight_mul(g, lin->w, mat, m, y, lin->n, &e, fixed, err);
}

tern_status tn_lm_check_ids(const tn_lm_config *c, const int32_t *ids, size_t n, tern_error *err) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= c->vocab)
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "token id %d at position %zu is outside the vocabulary of %u", ids[i],
                             i, c->vocab);
    return TERN_OK;
}
