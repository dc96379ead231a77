/* op_log_cosh.c - y = log cosh x, a smooth |x|: the operation that docs/GRAPH.md adds.
 *   dx = dy tanh x
 * Written as |x| + log1p(e^(-2|x|)) - log 2, which no large x overflows. */
#include "docs/examples/op_log_cosh.h"
#include "core/graph/each.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    void *y;
    const void *x;
    bool f64;
} job;

static double log_cosh(double x) {
    return fabs(x) + log1p(exp(-2 * fabs(x))) - 0.6931471805599453;
}

/* One run of n elements: y from at[0], x from at[1], each with its own step. */
static void run(void *ud, const size_t *at, const size_t *step, size_t n) {
    const job *j = ud;
    for (size_t i = 0; i < n; i++) {
        size_t to = at[0] + i * step[0], from = at[1] + i * step[1];
        if (j->f64)
            ((double *)j->y)[to] = log_cosh(((const double *)j->x)[from]);
        else
            ((float *)j->y)[to] = (float)log_cosh((double)((const float *)j->x)[from]);
    }
}

static void backward(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, tern_tanh(s->g, tn_in(s, 0))));
}

static const tn_op op_log_cosh = {
    .name = "log_cosh", .needs = TN_NEED_INS, .any_stride = true, .backward_ops = backward};

tern_tensor *tern_log_cosh(tern_graph *g, tern_tensor *x) {
    if (!tn_op_begin(g, "log_cosh", &x, 1)) return NULL;
    tern_tensor *y = tn_result_like(g, x);
    if (!y) return NULL;
    job j = {y->data, x->data, tn_is_f64(y)};
    tn_each(g, (tern_tensor *[]){y, x}, 2, run, &j);
    return tn_record(g, &op_log_cosh, y, &x, 1, NULL, 0);
}
