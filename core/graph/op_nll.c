/* op_nll.c - negative log-likelihood under a large output layer, row by row.
 *   y[i] = log sum_c e^z[i,c] - z[i, target[i]],  z = x w^T
 * core/kernels/xent.h makes the logits tile by tile in both directions; only their log-sum-exp is
 * kept. */
#include "core/graph/graph_priv.h"
#include "core/kernels/xent.h"

#include "core/base/mem.h"

_Static_assert((int)TERN_IGNORE == (int)TN_XENT_IGNORE, "the ignored target is the kernel's");

enum { X, W, TARGET, N_IN };

static tn_xent_args args_of(const tern_graph *g, tern_tensor *const *in) {
    return (tn_xent_args){.n_tokens = in[X]->dim[0],
                          .n_classes = in[W]->dim[0],
                          .dim = in[X]->dim[1],
                          .h = in[X]->data,
                          .w = in[W]->data,
                          .ld_h = in[X]->dim[1],
                          .ld_w = in[W]->dim[1],
                          .type = (tn_dtype)in[X]->dtype,
                          .target = in[TARGET]->data,
                          .bf16 = g->opts.bf16 && !tn_is_f64(in[X])};
}

static void nll_backward(tn_step *s) {
    tn_xent_args a = args_of(s->g, s->node->in);
    void *dx = tn_wants(s, X) ? tn_grad_zeroed(s, X) : NULL;
    void *dw = tn_wants(s, W) ? tn_grad_zeroed(s, W) : NULL;
    tern_error err;
    if (s->g->error.status) return;
    tern_status st =
        tn_xent_backward(s->g->gemm, &a, s->node->saved[0]->data, s->dy->data, dx, dw, &err);
    if (st != TERN_OK) tn_graph_fail(s->g, st, "linear_nll: %s", err.text);
}

static const tn_op op_linear_nll = {
    .name = "linear_nll", .needs = TN_NEED_INS, .backward = nll_backward};

tern_tensor *tern_linear_nll(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *target) {
    tern_tensor *in[N_IN] = {x, w, target};
    if (!tn_op_begin(g, "linear_nll", in, 2) || !tn_value_begin(g, "linear_nll", target))
        return NULL;
    char tx[96], tw[96];
    if (x->rank != 2 || w->rank != 2 || x->dim[1] != w->dim[1] || target->rank != 1 ||
        target->dim[0] != x->dim[0])
        return tn_graph_fail(g, TERN_ERR_SHAPE, "linear_nll: x %s, w %s; want [N,K], [C,K], [N]",
                             tn_shape_text(x, tx, sizeof tx), tn_shape_text(w, tw, sizeof tw));
    if (target->dtype != TERN_I32 || !tn_is_contiguous(target))
        return tn_graph_fail(g, TERN_ERR_ARG, "linear_nll: targets must be contiguous I32");
    in[X] = tern_contiguous(g, x);
    in[W] = tern_contiguous(g, w);
    tern_tensor *y = in[X] && in[W] ? tn_result(g, x->dtype, 1, x->dim) : NULL;
    tern_tensor *lse = y ? tn_result_like(g, y) : NULL;
    if (!lse) return NULL;
    tn_xent_args a = args_of(g, in);
    tern_error err;
    tern_status st = tn_xent(g->gemm, &a, y->data, lse->data, &err);
    if (st != TERN_OK) return tn_graph_fail(g, st, "linear_nll: %s", err.text);
    y = tn_record(g, &op_linear_nll, y, in, N_IN, NULL, 0);
    tn_save(g, y, 0, lse);
    return y;
}
