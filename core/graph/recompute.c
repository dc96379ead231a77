/* recompute.c - activation checkpointing (tern_recompute in graph.h).
 * Forward runs the function without recording and keeps its inputs and result alone. Backward runs
 * it again, recorded, on stand-ins of the inputs, walks the piece of tape that this leaves, and
 * hands on what the stand-ins got. Dropout draws the same numbers both times. */
#include "core/graph/graph_priv.h"

#include "core/base/mem.h"

enum { INPUTS_MAX = 8 };

typedef struct attr {
    tern_graph_fn *fn;
    void *ud;
    uint64_t rng_counter;
} attr;

static void recompute_backward(tn_step *s) {
    tern_graph *g = s->g;
    const attr *a = s->node->attr;
    tern_tensor *in[INPUTS_MAX];
    size_t n = s->node->n_in, begin = g->n_nodes;
    if (!s->leaves) {
        tn_graph_fail(g, TERN_ERR_UNSUPPORTED, "tern_recompute works with tern_backward alone");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        in[i] = tn_view(g, tn_in(s, i));
        if (in[i]) in[i]->requires_grad = tn_wants(s, i);
    }
    uint64_t counter = g->rng_counter;
    bool was = tern_graph_set_inference(g, false);
    g->rng_counter = a->rng_counter;
    tern_tensor *y = g->error.status ? NULL : a->fn(g, a->ud, in);
    g->rng_counter = counter;
    if (y && y->node && !g->error.status) {
        tn_hold(s->dy);
        y->adj = s->dy;
        tn_tape_consume(g, begin);
        for (size_t i = 0; i < n; i++)
            if (in[i]->grad_set) tn_grad_add(s, i, in[i]->grad);
        for (size_t i = 0; i < n; i++)
            if (in[i]->grad_set) tn_drop(g, in[i]->grad);
    }
    for (size_t i = 0; y && i < n; i++)
        if (y == in[i]) tn_grad_add(s, i, s->dy); /* fn handed an input through */
    tern_graph_set_inference(g, was);
}

static const tn_op op_recompute = {
    .name = "recompute", .needs = TN_NEED_INS, .backward = recompute_backward};

tern_tensor *tern_recompute(tern_graph *g, tern_graph_fn *fn, void *ud, tern_tensor *const *in,
                            size_t n) {
    if (n > INPUTS_MAX)
        return tn_graph_fail(g, TERN_ERR_ARG, "recompute: %zu inputs, at most %d", n, INPUTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!tn_value_begin(g, "recompute", in[i])) return NULL;
    if (g->opts.inference) return fn(g, ud, in);
    attr a = {fn, ud, g->rng_counter};
    tern_tensor *mark = g->tensors;
    bool saw = g->saw_grad;
    g->saw_grad = false;
    tern_graph_set_inference(g, true);
    tern_tensor *inner = fn(g, ud, in);
    tern_graph_set_inference(g, false);
    bool wanted = g->saw_grad; /* by an input, or by parameters that fn uses */
    g->saw_grad = saw || wanted;
    tern_tensor *y = inner && !g->error.status ? tn_view(g, inner) : NULL;
    tn_scope_end(g, mark, y);
    if (!y || !wanted) return y;
    return tn_record_always(g, &op_recompute, y, in, n, &a, sizeof a);
}
