/* op_linear.c - the layer that most time is spent in.
 *   y[R,N] = x[R,K] w[N,K]^T + b[N] + residual[R,N]      R: all leading axes of x
 *   dx (+)= dy w, dw (+)= dy^T x, db += sum of rows of dy, dresidual: dy itself
 * Bias and residual ride in the product's epilogue. */
#include "core/graph/each.h"
#include "core/graph/op_matmul.h"

#include "core/base/mem.h"

enum { X, W, B, RESIDUAL, N_IN };

/* A header over t as a matrix of rows. */
static tern_tensor rows_of(const tern_tensor *t) {
    tern_tensor m = *t;
    tn_set_shape(&m, 2, (size_t[]){tn_rows(t), tn_last(t)});
    return m;
}

static void product_grad(tn_step *s, size_t i, tern_tensor *a, tern_tensor *b) {
    bool add;
    if (!tn_wants(s, i)) return;
    tern_tensor grad = rows_of(tn_in(s, i));
    grad.data = tn_grad_out(s, i, &add);
    if (grad.data) (void)tn_product(s->g, &grad, a, b, add, NULL); /* an error is sticky */
}

static tern_tensor *sum_rows(tern_graph *g, tern_tensor *dy) {
    return tern_sum(g, tern_reshape(g, dy, TERN_SHAPE(tn_rows(dy), tn_last(dy))), TERN_AXIS(0),
                    false);
}

static void linear_backward(tn_step *s) {
    tern_tensor dy = rows_of(s->dy), x = rows_of(tn_in(s, X)), dy_t = tn_transposed(&dy);
    product_grad(s, X, &dy, tn_in(s, W));
    product_grad(s, W, &dy_t, &x);
    if (tn_wants(s, B)) tn_grad_add(s, B, sum_rows(s->g, s->dy));
    tn_grad_add(s, RESIDUAL, s->dy);
}

static void linear_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *x = tn_in(s, X);
    tern_tensor *dy = tern_reshape(g, s->dy, TERN_SHAPE(tn_rows(s->dy), tn_last(s->dy)));
    if (tn_wants(s, X)) {
        tern_tensor *dx = tern_matmul(g, dy, tn_in(s, W));
        if (dx) tn_grad_add(s, X, tern_reshape(g, dx, x->rank, x->dim));
    }
    if (tn_wants(s, W)) {
        tern_tensor *rows = tern_reshape(g, x, TERN_SHAPE(tn_rows(x), tn_last(x)));
        if (dy) tn_grad_add(s, W, tern_matmul(g, tern_transpose(g, dy, 0, 1), rows));
    }
    if (tn_wants(s, B)) tn_grad_add(s, B, sum_rows(g, s->dy));
    tn_grad_add(s, RESIDUAL, s->dy);
}

static const tn_op op_linear = {.name = "linear",
                                .needs = TN_NEED_IN(X) | TN_NEED_IN(W),
                                .backward = linear_backward,
                                .backward_ops = linear_backward_ops};

static bool fits(const tern_tensor *x, const tern_tensor *w, const tern_tensor *b,
                 const tern_tensor *residual) {
    if (x->rank < 1 || w->rank != 2 || tn_last(x) != w->dim[1]) return false;
    if (b && (b->rank != 1 || b->dim[0] != w->dim[0])) return false;
    if (!residual) return true;
    return residual->rank == x->rank && tn_last(residual) == w->dim[0] &&
           memcmp(residual->dim, x->dim, (x->rank - 1) * sizeof *x->dim) == 0;
}

tern_tensor *tern_linear_residual(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *b,
                                  tern_tensor *residual) {
    tern_tensor *in[N_IN] = {x, w, b, residual}, *there[N_IN] = {x, w};
    size_t n = 2;
    if (b) there[n++] = b;
    if (residual) there[n++] = residual;
    if (!tn_op_begin(g, "linear", there, n)) return NULL;
    char tx[96], tw[96];
    if (!fits(x, w, b, residual))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "linear: x %s, w %s%s do not fit",
                             tn_shape_text(x, tx, sizeof tx), tn_shape_text(w, tw, sizeof tw),
                             b || residual ? " and bias or residual" : "");
    in[X] = tern_contiguous(g, x);
    if (in[X] && residual) in[RESIDUAL] = tern_contiguous(g, residual);
    if (in[X] && b) in[B] = tern_contiguous(g, b);
    size_t dim[TERN_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = w->dim[0];
    tern_tensor *y = tn_result(g, x->dtype, x->rank, dim);
    if (!y) return NULL;
    tern_tensor xr = rows_of(in[X]), yr = rows_of(y), w_t = tn_transposed(w);
    if (tn_is_f64(y)) {
        if (!tn_product(g, &yr, &xr, &w_t, false, NULL)) return NULL;
        if (b) tn_copy(g, y, in[B], true);
        if (residual) tn_copy(g, y, in[RESIDUAL], true);
    } else {
        tn_epilogue e = {.bias = b ? in[B]->data : NULL,
                         .residual = residual ? in[RESIDUAL]->data : NULL,
                         .ld_residual = w->dim[0]};
        if (!tn_product(g, &yr, &xr, &w_t, false, b || residual ? &e : NULL)) return NULL;
    }
    y = tn_record(g, &op_linear, y, in, N_IN, NULL, 0);
    if (in[X] != x) tern_tensor_release(g, in[X]);
    if (residual && in[RESIDUAL] != residual) tern_tensor_release(g, in[RESIDUAL]);
    return y;
}

tern_tensor *tern_linear(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *b) {
    return tern_linear_residual(g, x, w, b, NULL);
}
