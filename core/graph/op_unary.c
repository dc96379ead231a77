/* op_unary.c - y = f(x) for each element, one row of a table per function.
 * A row holds f in double, the kernel that computes it in f32 where there is one, and the slope as
 * operations on what has gradients itself; so every function here has all derivatives. */
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct unary {
    tn_op op;
    double (*f)(double x, double p, double q);
} unary;

typedef struct attr {
    double p, q;
} attr;

typedef struct job {
    const unary *u;
    attr a;
    void *y;
    const void *x;
} job;

static void run_f64(void *ud, const size_t *at, const size_t *step, size_t n) {
    const job *j = ud;
    double *y = (double *)j->y + at[0];
    const double *x = (const double *)j->x + at[1];
    for (size_t i = 0; i < n; i++) y[i] = j->u->f(x[i * step[1]], j->a.p, j->a.q);
}

static const unary u_affine, u_exp, u_log, u_sqrt, u_pow, u_tanh, u_sigmoid, u_softplus, u_relu,
    u_step;

static void run_f32(void *ud, const size_t *at, const size_t *step, size_t n) {
    const job *j = ud;
    const tn_kernels *k = tn_kernels_get();
    float *y = (float *)j->y + at[0];
    const float *x = (const float *)j->x + at[1];
    size_t sx = step[1];
    void (*kernel)(float *, const float *, size_t) = j->u == &u_exp       ? k->exp
                                                     : j->u == &u_tanh    ? k->tanh
                                                     : j->u == &u_sigmoid ? k->sigmoid
                                                                          : NULL;
    float p = (float)j->a.p, q = (float)j->a.q;
    if (kernel && sx == 1)
        kernel(y, x, n);
    else if (j->u == &u_affine)
        for (size_t i = 0; i < n; i++) y[i] = p * x[i * sx] + q;
    else if (j->u == &u_relu)
        for (size_t i = 0; i < n; i++) y[i] = x[i * sx] > 0 ? x[i * sx] : 0;
    else
        for (size_t i = 0; i < n; i++) y[i] = (float)j->u->f((double)x[i * sx], j->a.p, j->a.q);
}

static tern_tensor *apply(tern_graph *g, const unary *u, tern_tensor *x, attr a) {
    if (!tn_op_begin(g, u->op.name, &x, 1)) return NULL;
    tern_tensor *y = tn_result_like(g, x);
    if (!y) return NULL;
    job j = {u, a, y->data, x->data};
    tn_each(g, (tern_tensor *[]){y, x}, 2, tn_is_f64(y) ? run_f64 : run_f32, &j);
    return tn_record(g, &u->op, y, &x, 1, &a, sizeof a);
}

/* dx = dy slope */
static void chain(tn_step *s, tern_tensor *slope) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, slope));
}

/* ---- p x + q ---- */

static double affine(double x, double p, double q) {
    return p * x + q;
}
static void affine_backward(tn_step *s) {
    const attr *a = s->node->attr;
    tn_grad_add(s, 0, tern_scale(s->g, s->dy, a->p));
}
static const unary u_affine = {
    {.name = "affine", .any_stride = true, .backward_ops = affine_backward}, affine};

tern_tensor *tern_affine(tern_graph *g, tern_tensor *x, double scale, double shift) {
    return apply(g, &u_affine, x, (attr){scale, shift});
}

tern_tensor *tern_scale(tern_graph *g, tern_tensor *x, double factor) {
    return apply(g, &u_affine, x, (attr){factor, 0});
}

/* ---- exp: slope y ---- */

static double f_exp(double x, double p, double q) {
    return (void)p, (void)q, exp(x);
}
static void exp_backward(tn_step *s) {
    chain(s, s->node->out);
}
static const unary u_exp = {
    {.name = "exp", .needs = TN_NEED_OUT, .any_stride = true, .backward_ops = exp_backward}, f_exp};

tern_tensor *tern_exp(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_exp, x, (attr){0, 0});
}

/* ---- log: slope 1 / x ---- */

static double f_log(double x, double p, double q) {
    return (void)p, (void)q, log(x);
}
static void log_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_div(s->g, s->dy, tn_in(s, 0)));
}
static const unary u_log = {
    {.name = "log", .needs = TN_NEED_INS, .any_stride = true, .backward_ops = log_backward}, f_log};

tern_tensor *tern_log(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_log, x, (attr){0, 0});
}

/* ---- sqrt: slope 1 / (2 y) ---- */

static double f_sqrt(double x, double p, double q) {
    return (void)p, (void)q, sqrt(x);
}
static void sqrt_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_div(s->g, tern_scale(s->g, s->dy, 0.5), s->node->out));
}
static const unary u_sqrt = {
    {.name = "sqrt", .needs = TN_NEED_OUT, .any_stride = true, .backward_ops = sqrt_backward},
    f_sqrt};

tern_tensor *tern_sqrt(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_sqrt, x, (attr){0, 0});
}

/* ---- x^p: slope p x^(p-1) ---- */

static double f_pow(double x, double p, double q) {
    return (void)q, p == 2 ? x * x : p == 1 ? x : p == 0 ? 1 : pow(x, p);
}
static void pow_backward(tn_step *s) {
    const attr *a = s->node->attr;
    if (a->p == 0) return; /* a constant */
    chain(s, tern_scale(s->g, tern_pow(s->g, tn_in(s, 0), a->p - 1), a->p));
}
static const unary u_pow = {
    {.name = "pow", .needs = TN_NEED_INS, .any_stride = true, .backward_ops = pow_backward}, f_pow};

tern_tensor *tern_pow(tern_graph *g, tern_tensor *x, double exponent) {
    return apply(g, &u_pow, x, (attr){exponent, 0});
}

/* ---- tanh: slope 1 - y^2 ---- */

static double f_tanh(double x, double p, double q) {
    return (void)p, (void)q, tanh(x);
}
static void tanh_backward(tn_step *s) {
    tern_tensor *y = s->node->out;
    chain(s, tern_affine(s->g, tern_mul(s->g, y, y), -1, 1));
}
static const unary u_tanh = {
    {.name = "tanh", .needs = TN_NEED_OUT, .any_stride = true, .backward_ops = tanh_backward},
    f_tanh};

tern_tensor *tern_tanh(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_tanh, x, (attr){0, 0});
}

/* ---- sigmoid: slope y (1 - y) ---- */

static double f_sigmoid(double x, double p, double q) {
    double e = exp(-fabs(x)); /* never overflows */
    return (void)p, (void)q, x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
static void sigmoid_backward(tn_step *s) {
    tern_tensor *y = s->node->out;
    chain(s, tern_mul(s->g, y, tern_affine(s->g, y, -1, 1)));
}
static const unary u_sigmoid = {
    {.name = "sigmoid", .needs = TN_NEED_OUT, .any_stride = true, .backward_ops = sigmoid_backward},
    f_sigmoid};

tern_tensor *tern_sigmoid(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_sigmoid, x, (attr){0, 0});
}

/* ---- softplus: slope sigmoid(x) ---- */

static double f_softplus(double x, double p, double q) {
    return (void)p, (void)q, (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}
static void softplus_backward(tn_step *s) {
    chain(s, tern_sigmoid(s->g, tn_in(s, 0)));
}
static const unary u_softplus = {{.name = "softplus",
                                  .needs = TN_NEED_INS,
                                  .any_stride = true,
                                  .backward_ops = softplus_backward},
                                 f_softplus};

tern_tensor *tern_softplus(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_softplus, x, (attr){0, 0});
}

/* ---- relu: slope 1 where x > 0, itself flat ---- */

static double f_relu(double x, double p, double q) {
    return (void)p, (void)q, x > 0 ? x : 0;
}
static double f_step(double x, double p, double q) {
    return (void)p, (void)q, x > 0;
}
static void step_backward(tn_step *s) {
    (void)s; /* flat */
}
static const unary u_step = {{.name = "step", .backward_ops = step_backward}, f_step};

static void relu_backward(tn_step *s) {
    chain(s, apply(s->g, &u_step, s->node->out, (attr){0, 0}));
}
static const unary u_relu = {
    {.name = "relu", .needs = TN_NEED_OUT, .any_stride = true, .backward_ops = relu_backward},
    f_relu};

tern_tensor *tern_relu(tern_graph *g, tern_tensor *x) {
    return apply(g, &u_relu, x, (attr){0, 0});
}
