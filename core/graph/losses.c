/* losses.c - what networks are trained on, written in operations: every loss here but those over
 * tern_linear_nll has second order. */
#include "core/graph/graph_priv.h"
#include <math.h>

#include "core/base/mem.h"

static tern_tensor *mean_all(tern_graph *g, tern_tensor *x) {
    return tern_mean(g, x, TERN_AXES_ALL, false);
}

static tern_tensor *mismatch(tern_graph *g, const char *name, const tern_tensor *a,
                             const tern_tensor *b) {
    char ta[96], tb[96];
    return tn_graph_fail(g, TERN_ERR_SHAPE, "%s: %s and %s do not fit", name,
                         tn_shape_text(a, ta, sizeof ta), tn_shape_text(b, tb, sizeof tb));
}

/* ---- classes ---- */

/* Weights 1/n over the n targets that count, 0 over the others; the others point at class 0. */
static bool weigh(tern_graph *g, const tern_tensor *target, tern_dtype dtype, tern_tensor **weight,
                  tern_tensor **class) {
    const int32_t *t = target->data;
    size_t n = tn_size(target), n_counted = 0;
    *weight = tn_result(g, dtype, 1, &n);
    *class = tn_result(g, TERN_I32, 1, &n);
    if (!*weight || !*class) return false;
    for (size_t i = 0; i < n; i++) n_counted += t[i] != TERN_IGNORE;
    double w = n_counted ? 1 / (double)n_counted : 0;
    for (size_t i = 0; i < n; i++) {
        bool counts = t[i] != TERN_IGNORE;
        ((int32_t *)(*class)->data)[i] = counts ? t[i] : 0;
        if (dtype == TERN_F64)
            ((double *)(*weight)->data)[i] = counts ? w : 0;
        else
            ((float *)(*weight)->data)[i] = counts ? (float)w : 0;
    }
    return true;
}

static bool targets_ok(tern_graph *g, const char *name, const tern_tensor *x,
                       const tern_tensor *target) {
    if (!tn_value_begin(g, name, target)) return false;
    if (target->dtype != TERN_I32 || !tn_is_contiguous(target))
        tn_graph_fail(g, TERN_ERR_ARG, "%s: targets must be contiguous I32", name);
    else if (x->rank != 2 || target->rank != 1 || target->dim[0] != x->dim[0])
        mismatch(g, name, x, target);
    return !g->error.status;
}

tern_tensor *tern_cross_entropy(tern_graph *g, tern_tensor *logits, tern_tensor *target) {
    tern_tensor *weight, *class;
    if (!tn_op_begin(g, "cross_entropy", &logits, 1) ||
        !targets_ok(g, "cross_entropy", logits, target) ||
        !weigh(g, target, logits->dtype, &weight, &class))
        return NULL;
    tern_tensor *logp = tern_pick(g, tern_log_softmax(g, logits), class);
    return tern_scale(g, tern_sum(g, tern_mul(g, logp, weight), TERN_AXES_ALL, false), -1);
}

tern_tensor *tern_linear_cross_entropy(tern_graph *g, tern_tensor *x, tern_tensor *w,
                                       tern_tensor *target) {
    tern_tensor *weight, *class;
    tern_tensor *nll = tern_linear_nll(g, x, w, target);
    if (!nll || !weigh(g, target, x->dtype, &weight, &class)) return NULL;
    return tern_sum(g, tern_mul(g, nll, weight), TERN_AXES_ALL, false);
}

/* ---- numbers ---- */

tern_tensor *tern_mse(tern_graph *g, tern_tensor *x, tern_tensor *target) {
    tern_tensor *in[] = {x, target};
    if (!tn_op_begin(g, "mse", in, 2)) return NULL;
    if (!tn_same_shape(x, target)) return mismatch(g, "mse", x, target);
    tern_tensor *d = tern_sub(g, x, target);
    return mean_all(g, tern_mul(g, d, d));
}

tern_tensor *tern_bce_with_logits(tern_graph *g, tern_tensor *x, tern_tensor *target) {
    tern_tensor *in[] = {x, target};
    if (!tn_op_begin(g, "bce_with_logits", in, 2)) return NULL;
    if (!tn_same_shape(x, target)) return mismatch(g, "bce_with_logits", x, target);
    return mean_all(g, tern_sub(g, tern_softplus(g, x), tern_mul(g, x, target)));
}

tern_tensor *tern_kl_div(tern_graph *g, tern_tensor *p_logits, tern_tensor *q_logits) {
    tern_tensor *in[] = {p_logits, q_logits};
    if (!tn_op_begin(g, "kl_div", in, 2)) return NULL;
    if (p_logits->rank != 2 || !tn_same_shape(p_logits, q_logits))
        return mismatch(g, "kl_div", p_logits, q_logits);
    tern_tensor *lp = tern_log_softmax(g, p_logits), *lq = tern_log_softmax(g, q_logits);
    tern_tensor *terms = tern_mul(g, tern_exp(g, lp), tern_sub(g, lp, lq));
    return mean_all(g, tern_sum(g, terms, TERN_AXIS(-1), false));
}

/* ---- contrast and ranking ---- */

tern_tensor *tern_info_nce(tern_graph *g, tern_tensor *a, tern_tensor *b, double temperature) {
    tern_tensor *in[] = {a, b};
    if (!tn_op_begin(g, "info_nce", in, 2)) return NULL;
    if (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[1] || b->dim[0] < a->dim[0])
        return mismatch(g, "info_nce", a, b);
    if (!(temperature > 0))
        return tn_graph_fail(g, TERN_ERR_ARG, "info_nce: a temperature of %g", temperature);
    tern_tensor *own = tn_result(g, TERN_I32, 1, a->dim);
    for (size_t i = 0; own && i < a->dim[0]; i++) ((int32_t *)own->data)[i] = (int32_t)i;
    tern_tensor *score = tern_matmul(g, a, tern_transpose(g, b, 0, 1));
    return tern_cross_entropy(g, tern_scale(g, score, 1 / temperature), own);
}

tern_tensor *tern_pairwise_logistic(tern_graph *g, tern_tensor *better, tern_tensor *worse) {
    return mean_all(g, tern_softplus(g, tern_sub(g, worse, better)));
}

tern_tensor *tern_pairwise_margin(tern_graph *g, tern_tensor *better, tern_tensor *worse,
                                  double margin) {
    tern_tensor *gap = tern_affine(g, tern_sub(g, worse, better), 1, margin);
    return mean_all(g, tern_relu(g, gap));
}

/* A document that is not there has relevance -inf; its score is put so low that its probability
 * is 0, yet finite, so that 0 times its logarithm is 0. */
tern_tensor *tern_listnet(tern_graph *g, tern_tensor *score, tern_tensor *relevance) {
    tern_tensor *in[] = {score, relevance};
    if (!tn_op_begin(g, "listnet", in, 2)) return NULL;
    if (score->rank != 2 || !tn_same_shape(score, relevance))
        return mismatch(g, "listnet", score, relevance);
    tern_tensor *absent = tn_result(g, TERN_I8, 2, score->dim);
    for (size_t i = 0; absent && i < tn_size(absent); i++)
        ((int8_t *)absent->data)[i] = tern_tensor_get(relevance, i) == -(double)INFINITY;
    tern_tensor *logp = tern_log_softmax(g, tern_masked_fill(g, score, absent, -1e30));
    tern_tensor *terms = tern_mul(g, tern_softmax(g, relevance), logp);
    return tern_scale(g, mean_all(g, tern_sum(g, terms, TERN_AXIS(-1), false)), -1);
}
