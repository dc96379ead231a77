/* op_softmax.c - probabilities and log-probabilities of rows.
 *   softmax:      y = e^x / sum e^x,        dx = y (dy - <dy, y>)
 *   log_softmax:  y = x - log sum e^x,      dx = dy - e^y sum dy */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

typedef struct job {
    size_t n; /* of a row */
    bool f64, log;
    const void *x, *y_in, *dy;
    void *y, *dx;
} job;

static void forward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        if (j->f64) {
            const double *x = (const double *)j->x + row * j->n;
            double *y = (double *)j->y + row * j->n;
            double lse = tn_kernels_f64_get()->softmax(y, x, j->n);
            for (size_t i = 0; j->log && i < j->n; i++) y[i] = x[i] - lse;
        } else {
            const float *x = (const float *)j->x + row * j->n;
            float *y = (float *)j->y + row * j->n;
            float lse = tn_kernels_get()->softmax(y, x, j->n);
            for (size_t i = 0; j->log && i < j->n; i++) y[i] = x[i] - lse;
        }
    }
}

static void backward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    (void)worker;
    for (size_t at = begin * j->n; at < end * j->n; at += j->n) {
        if (j->f64)
            tn_kernels_f64_get()->softmax_backward((double *)j->dx + at, (const double *)j->dy + at,
                                                   (const double *)j->y_in + at, j->n);
        else
            tn_kernels_get()->softmax_backward((float *)j->dx + at, (const float *)j->dy + at,
                                               (const float *)j->y_in + at, j->n);
    }
}

static tern_tensor *rows(tern_graph *g, const tn_op *op, tern_tensor *x, bool log) {
    if (!tn_op_begin(g, op->name, &x, 1)) return NULL;
    tern_tensor *in = tern_contiguous(g, x), *y = in ? tn_result_like(g, in) : NULL;
    if (!y) return NULL;
    job j = {.n = tn_last(y), .f64 = tn_is_f64(y), .log = log, .x = in->data, .y = y->data};
    if (tn_size(y)) tn_pool_for(g->pool, tn_rows(y), tn_grain_rows(j.n), forward, &j);
    y = tn_record(g, op, y, &in, 1, NULL, 0);
    if (in != x) tern_tensor_release(g, in);
    return y;
}

static void softmax_backward(tn_step *s) {
    const tern_tensor *y = s->node->out;
    job j = {.n = tn_last(y),
             .f64 = tn_is_f64(y),
             .y_in = y->data,
             .dy = s->dy->data,
             .dx = tn_grad_zeroed(s, 0)};
    if (j.dx && tn_size(y)) tn_pool_for(s->g->pool, tn_rows(y), tn_grain_rows(j.n), backward, &j);
}

static void softmax_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *y = s->node->out;
    tern_tensor *inner = tern_sum(g, tern_mul(g, s->dy, y), TERN_AXIS(-1), true);
    tn_grad_add(s, 0, tern_mul(g, y, tern_sub(g, s->dy, inner)));
}

static const tn_op op_softmax = {.name = "softmax",
                                 .needs = TN_NEED_OUT,
                                 .backward = softmax_backward,
                                 .backward_ops = softmax_backward_ops};

tern_tensor *tern_softmax(tern_graph *g, tern_tensor *x) {
    return rows(g, &op_softmax, x, false);
}

static void log_softmax_backward(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *total = tern_sum(g, s->dy, TERN_AXIS(-1), true);
    tern_tensor *part = tern_mul(g, tern_exp(g, s->node->out), total);
    tn_grad_add(s, 0, tern_sub(g, s->dy, part));
}

static const tn_op op_log_softmax = {
    .name = "log_softmax", .needs = TN_NEED_OUT, .backward_ops = log_softmax_backward};

tern_tensor *tern_log_softmax(tern_graph *g, tern_tensor *x) {
    return rows(g, &op_log_softmax, x, true);
}
