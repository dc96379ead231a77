/* attention_f64.c - attention as it is written in papers, one row of scores at a time, in double:
 * what gradients are checked in, and what the tiles are tested against. */
#include "core/kernels/attention_priv.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    const tn_attention_shape *s;
    const double *q, *k, *v, *o, *lse, *d_out;
    double *out, *lse_out, *dq, *dk, *dv;
    double *scores; /* 2 x longest sequence for each worker */
    size_t n_longest;
} job;

static double inner(const double *x, const double *y, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += x[i] * y[i];
    return s;
}

/* Scores of query row t (head h) against keys [r.begin, r.end) of the sequence at `base`, and the
 * slope of the soft cap at each (NULL: not wanted). Returns the largest. */
static double scores_of(const job *j, size_t base, size_t row, size_t h, tn_key_range r,
                        double *score, double *slope) {
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim, kv = h / (s->n_heads / s->n_kv_heads);
    const double *q = j->q + (base + row) * s->q_stride + h * d;
    double top = -INFINITY;
    for (size_t i = r.begin; i < r.end; i++) {
        double x = inner(q, j->k + (base + i) * s->kv_stride + kv * d, d) * (double)s->scale;
        if (slope) slope[i] = 1;
        if (s->softcap > 0) {
            double t = tanh(x / (double)s->softcap);
            x = (double)s->softcap * t;
            if (slope) slope[i] = 1 - t * t;
        }
        score[i] = x;
        if (x > top) top = x;
    }
    return top;
}

static void forward_unit(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim;
    double *score = j->scores + (size_t)worker * 2 * j->n_longest;
    for (size_t unit = begin; unit < end; unit++) {
        size_t seq = unit / s->n_heads, h = unit % s->n_heads,
               kv = h / (s->n_heads / s->n_kv_heads);
        size_t base = (size_t)s->seq_begin[seq], n = (size_t)s->seq_begin[seq + 1] - base;
        for (size_t row = 0; row < n; row++) {
            tn_key_range r = tn_attention_keys(s, row, n);
            double top = scores_of(j, base, row, h, r, score, NULL), total = 0;
            for (size_t i = r.begin; i < r.end; i++) total += score[i] = exp(score[i] - top);
            double *o = j->out + (base + row) * s->q_stride + h * d;
            for (size_t c = 0; c < d; c++) {
                double sum = 0;
                for (size_t i = r.begin; i < r.end; i++)
                    sum += score[i] * j->v[(base + i) * s->kv_stride + kv * d + c];
                o[c] = (sum / total);
            }
            if (j->lse_out) j->lse_out[(base + row) * s->n_heads + h] = (top + log(total));
        }
    }
}

/* One unit is a kv head of a sequence: its dk and dv, and the dq of its group, have no other
 * writer. With P the probabilities: dV = P^T dO, dP = dO V^T, dS = P (dP - <dO, O>). */
static void backward_unit(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim, group = s->n_heads / s->n_kv_heads;
    double *score = j->scores + (size_t)worker * 2 * j->n_longest, *slope = score + j->n_longest;
    for (size_t unit = begin; unit < end; unit++) {
        size_t seq = unit / s->n_kv_heads, kv = unit % s->n_kv_heads;
        size_t base = (size_t)s->seq_begin[seq], n = (size_t)s->seq_begin[seq + 1] - base;
        for (size_t step = 0; step < n * group; step++) {
            size_t h = kv * group + step / n, row = step % n;
            size_t at = (base + row) * s->q_stride + h * d;
            tn_key_range r = tn_attention_keys(s, row, n);
            scores_of(j, base, row, h, r, score, slope);
            double lse = j->lse[(base + row) * s->n_heads + h];
            double delta = inner(j->d_out + at, j->o + at, d);
            for (size_t i = r.begin; i < r.end; i++) {
                size_t kv_at = (base + i) * s->kv_stride + kv * d;
                double p = exp(score[i] - lse);
                double dp = inner(j->d_out + at, j->v + kv_at, d);
                double ds = p * (dp - delta) * slope[i] * (double)s->scale;
                for (size_t c = 0; c < d; c++) {
                    j->dv[kv_at + c] += (p * j->d_out[at + c]);
                    j->dk[kv_at + c] += (ds * j->q[at + c]);
                    j->dq[at + c] += (ds * j->k[kv_at + c]);
                }
            }
        }
    }
}

static tern_status run(tn_pool *pool, job *j, size_t n_units, tn_pool_fn *fn, tern_error *err) {
    tern_status st = tn_attention_check(j->s, true, err);
    if (st != TERN_OK) return st;
    for (size_t i = 0; i < j->s->n_seqs; i++) {
        size_t n = (size_t)(j->s->seq_begin[i + 1] - j->s->seq_begin[i]);
        if (n > j->n_longest) j->n_longest = n;
    }
    j->scores = tn_calloc((size_t)tn_pool_n_threads(pool) * 2 * j->n_longest, sizeof *j->scores);
    if (!j->scores) return tern_fail(err, TERN_ERR_NOMEM, 0, "attention: no memory for scores");
    tn_pool_for(pool, n_units, 1, fn, j);
    tn_free(j->scores);
    return TERN_OK;
}

tern_status tn_attention_f64(tn_pool *pool, const tn_attention_shape *shape, const double *q,
                             const double *k, const double *v, double *o, double *lse,
                             tern_error *err) {
    job j = {.s = shape, .q = q, .k = k, .v = v, .out = o, .lse_out = lse};
    return run(pool, &j, shape->n_seqs * shape->n_heads, forward_unit, err);
}

tern_status tn_attention_backward_f64(tn_pool *pool, const tn_attention_shape *shape,
                                      const double *q, const double *k, const double *v,
                                      const double *o, const double *lse, const double *do_,
                                      double *dq, double *dk, double *dv, tern_error *err) {
    job j = {.s = shape,
             .q = q,
             .k = k,
             .v = v,
             .o = o,
             .lse = lse,
             .d_out = do_,
             .dq = dq,
             .dk = dk,
             .dv = dv};
    return run(pool, &j, shape->n_seqs * shape->n_kv_heads, backward_unit, err);
}
