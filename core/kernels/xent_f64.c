/* xent_f64.c - cross-entropy as it is written (xent.h), one token at a time in double. */
#include "core/kernels/xent_priv.h"
#include <math.h>

#include "core/base/mem.h"

tern_status tn_xent_check(const tn_xent_args *a, tern_error *err) {
    if ((a->type != TN_F32 && a->type != TN_F64) || a->n_classes == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "cross-entropy: wants F32 or F64, and a class");
    for (size_t t = 0; t < a->n_tokens; t++)
        if (a->target[t] != TN_XENT_IGNORE && (uint32_t)a->target[t] >= a->n_classes)
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "cross-entropy: the target of token %zu is %d, not in 0..%zu or %d", t,
                             (int)a->target[t], a->n_classes - 1, TN_XENT_IGNORE);
    return TERN_OK;
}

static double inner(const double *x, const double *y, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += x[i] * y[i];
    return s;
}

/* The logits of token t; returns their log-sum-exp. */
static double logits(const tn_xent_args *a, size_t t, double *z) {
    const double *h = (const double *)a->h + t * a->ld_h, *w = a->w;
    double c = (double)a->softcap, top = -INFINITY, total = 0;
    for (size_t v = 0; v < a->n_classes; v++) {
        z[v] = inner(h, w + v * a->ld_w, a->dim);
        if (c > 0) z[v] = c * tanh(z[v] / c);
        if (z[v] > top) top = z[v];
    }
    for (size_t v = 0; v < a->n_classes; v++) total += exp(z[v] - top);
    return top + log(total);
}

tern_status tn_xent_f64(const tn_xent_args *a, double *loss, double *lse, tern_error *err) {
    double *z = tn_calloc(a->n_classes, sizeof *z), e = (double)a->smoothing;
    if (!z) return tern_fail(err, TERN_ERR_NOMEM, 0, "cross-entropy: no memory for a row");
    for (size_t t = 0; t < a->n_tokens; t++) {
        double mean = 0;
        lse[t] = logits(a, t, z);
        for (size_t v = 0; v < a->n_classes; v++) mean += z[v] / (double)a->n_classes;
        bool ignore = a->target[t] == TN_XENT_IGNORE;
        loss[t] = ignore ? 0 : lse[t] - (1 - e) * z[a->target[t]] - e * mean;
    }
    tn_free(z);
    return TERN_OK;
}

tern_status tn_xent_backward_f64(const tn_xent_args *a, const double *lse, const double *dloss,
                                 double *dh, double *dw, tern_error *err) {
    double *z = tn_calloc(a->n_classes, sizeof *z);
    double e = (double)a->smoothing, cap = (double)a->softcap;
    if (!z) return tern_fail(err, TERN_ERR_NOMEM, 0, "cross-entropy: no memory for a row");
    for (size_t t = 0; t < a->n_tokens; t++) {
        if (a->target[t] == TN_XENT_IGNORE) continue;
        const double *h = (const double *)a->h + t * a->ld_h, *w = a->w;
        (void)logits(a, t, z);
        for (size_t v = 0; v < a->n_classes; v++) {
            double wanted = (v == (size_t)a->target[t] ? 1 - e : 0) + e / (double)a->n_classes;
            double dz = dloss[t] * (exp(z[v] - lse[t]) - wanted);
            if (cap > 0) dz *= 1 - z[v] / cap * (z[v] / cap);
            for (size_t i = 0; i < a->dim; i++) {
                if (dh) dh[t * a->ld_h + i] += dz * w[v * a->ld_w + i];
                if (dw) dw[v * a->ld_w + i] += dz * h[i];
            }
        }
    }
    tn_free(z);
    return TERN_OK;
}
