/* tape.c - the graph: what was done, walked backward.
 *
 * The tape is a list of nodes in the order they were made, so every consumer of a value stands
 * after its producer. A walk from the end therefore meets a node only when the gradient of its
 * output is complete, and when it has passed a node nothing that remains reads the node's output:
 * value, gradient and saved tensors are freed there and then.
 *
 * A gradient is moved to where the first one is wanted, shared where dy passes through unchanged,
 * and added to in place when nobody shares it. */
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"
#include <stdarg.h>
#include <stdio.h>

#include "core/base/mem.h"

/* ---- the graph ---- */

tern_status tn_graph_new_shared(tn_gemm *gemm, const tern_graph_opts *opts, tern_graph **out,
                                tern_error *err) {
    tern_graph *g = tn_calloc(1, sizeof *g);
    *out = g;
    if (!g) return tern_fail(err, TERN_ERR_NOMEM, 0, "no memory for a graph");
    if (opts) g->opts = *opts;
    g->gemm = gemm;
    g->pool = tn_gemm_pool(gemm);
    return TERN_OK;
}

tern_status tern_graph_new(const tern_graph_opts *opts, tern_graph **out, tern_error *err) {
    tn_pool *pool = NULL;
    tn_gemm *gemm = NULL;
    *out = NULL;
    tern_status st = tn_pool_new(opts ? opts->n_threads : 0, &pool, err);
    if (st == TERN_OK) st = tn_gemm_new(pool, &gemm, err);
    if (st == TERN_OK) st = tn_graph_new_shared(gemm, opts, out, err);
    if (st == TERN_OK) {
        (*out)->owns_gemm = true;
        return TERN_OK;
    }
    tn_gemm_free(gemm);
    tn_pool_free(pool);
    return st;
}

void tern_graph_free(tern_graph *g) {
    if (!g) return;
    if (g->owns_gemm) {
        tn_gemm_free(g->gemm);
        tn_pool_free(g->pool);
    }
    tn_blocks_deinit(&g->blocks);
    tn_arena_deinit(&g->arena);
    tn_free(g->tape);
    tn_free(g);
}

void tern_graph_reset(tern_graph *g) {
    size_t n_bytes = g->arena.n_bytes;
    tn_blocks_reset(&g->blocks);
    tn_arena_reset(&g->arena);
    /* One block that holds a step like the last one; if there is no memory for it now, the next
     * step will say so. */
    if (tn_arena_alloc(&g->arena, n_bytes)) tn_arena_reset(&g->arena);
    g->tensors = NULL;
    g->n_nodes = 0;
    g->saw_grad = false;
    g->error = (tern_error){0};
}

tern_status tern_graph_status(const tern_graph *g, tern_error *err) {
    if (g->error.status && err) *err = g->error;
    return g->error.status;
}

tern_graph_stats tern_graph_get_stats(const tern_graph *g) {
    return (tern_graph_stats){g->blocks.live_bytes, g->blocks.live_peak_bytes, g->blocks.held_bytes,
                              g->blocks.n_taken, g->n_nodes};
}

static bool swap(bool *where, bool on) {
    bool was = *where;
    *where = on;
    return was;
}

bool tern_graph_set_bf16(tern_graph *g, bool on) {
    return swap(&g->opts.bf16, on);
}

bool tern_graph_set_inference(tern_graph *g, bool on) {
    return swap(&g->opts.inference, on);
}

bool tern_graph_set_evaluation(tern_graph *g, bool on) {
    return swap(&g->opts.evaluation, on);
}

uint64_t tern_graph_rng_counter(const tern_graph *g) {
    return g->rng_counter;
}

void tern_graph_set_rng_counter(tern_graph *g, uint64_t counter) {
    g->rng_counter = counter;
}

tern_tensor *tn_graph_fail(tern_graph *g, tern_status status, const char *fmt, ...) {
    if (!g->error.status) {
        va_list ap;
        va_start(ap, fmt);
        g->error.status = status;
        vsnprintf(g->error.text, sizeof g->error.text, fmt, ap);
        va_end(ap);
    }
    return NULL;
}

/* ---- recording ---- */

bool tn_value_begin(tern_graph *g, const char *name, const tern_tensor *x) {
    if (g->error.status) return false;
    if (!x)
        tn_graph_fail(g, TERN_ERR_ARG, "%s: an input is NULL", name);
    else if (!x->data)
        tn_graph_fail(g, TERN_ERR_ARG, "%s: the value of an input was released; keep it longer",
                      name);
    return !g->error.status;
}

bool tn_op_begin(tern_graph *g, const char *name, tern_tensor *const *in, size_t n) {
    if (g->error.status) return false;
    for (size_t i = 0; i < n; i++) {
        if (!tn_value_begin(g, name, in[i])) return false;
        bool real = in[i]->dtype == TERN_F32 || in[i]->dtype == TERN_F64;
        if (!real || in[i]->dtype != in[0]->dtype) {
            tn_graph_fail(g, TERN_ERR_ARG, "%s: inputs must all be F32, or all F64; use tern_cast",
                          name);
            return false;
        }
    }
    return true;
}

static bool any_grad(tern_tensor *const *in, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (in[i] && in[i]->requires_grad) return true;
    return false;
}

bool tn_will_record(const tern_graph *g, tern_tensor *const *in, size_t n) {
    return !g->opts.inference && any_grad(in, n);
}

static bool needs_in(const tn_op *op, size_t i) {
    return i < 8 && op->needs >> i & 1;
}

tern_tensor *tn_record(tern_graph *g, const tn_op *op, tern_tensor *y, tern_tensor *const *in,
                       size_t n_in, const void *attr, size_t attr_bytes) {
    if (!y || g->error.status) return NULL;
    if (!any_grad(in, n_in)) return y;
    g->saw_grad = true;
    return g->opts.inference ? y : tn_record_always(g, op, y, in, n_in, attr, attr_bytes);
}

tern_tensor *tn_record_always(tern_graph *g, const tn_op *op, tern_tensor *y,
                              tern_tensor *const *in, size_t n_in, const void *attr,
                              size_t attr_bytes) {
    tn_node *node = tn_arena_alloc(&g->arena, sizeof *node);
    tern_tensor **inputs = tn_arena_alloc(&g->arena, n_in * sizeof(tern_tensor *));
    void *copy = attr_bytes ? tn_arena_alloc(&g->arena, attr_bytes) : NULL;
    if (!node || !inputs || (attr_bytes && !copy) ||
        TN_GROW(g->tape, g->cap_nodes, g->n_nodes + 1) != 0)
        return tn_graph_fail(g, TERN_ERR_NOMEM, "%s: no memory for the tape", op->name);
    memcpy(inputs, in, n_in * sizeof(tern_tensor *));
    if (copy) memcpy(copy, attr, attr_bytes);
    *node = (tn_node){.op = op, .out = y, .n_in = n_in, .in = inputs, .attr = copy};
    for (size_t i = 0; i < n_in; i++)
        if (in[i] && needs_in(op, i)) tn_hold(in[i]);
    if (op->needs & TN_NEED_OUT) tn_hold(y);
    y->requires_grad = true;
    y->node = node;
    g->tape[g->n_nodes++] = node;
    return y;
}

void tn_save(tern_graph *g, tern_tensor *y, int slot, tern_tensor *t) {
    if (!t) return;
    if (y && y->node) {
        y->node->saved[slot] = t;
        tn_hold(t);
    }
    tern_tensor_release(g, t);
}

void tn_scope_end(tern_graph *g, tern_tensor *mark, tern_tensor *result) {
    for (tern_tensor *t = g->tensors; t && t != mark; t = t->older)
        if (t != result) tern_tensor_release(g, t);
}

/* ---- where gradients go ---- */

/* The slot of input i: a leaf's lasting gradient, or the one of this walk. */
static tern_tensor **slot_of(const tn_step *s, size_t i) {
    tern_tensor *in = tn_in(s, i);
    return s->leaves && !in->node ? &in->grad : &in->adj;
}

/* Does the slot hold something to add to? A parameter's gradient has memory before it has that. */
static bool slot_full(const tn_step *s, size_t i) {
    tern_tensor *in = tn_in(s, i), **slot = slot_of(s, i);
    return slot == &in->grad ? in->grad_set : *slot != NULL;
}

static void slot_mark(const tn_step *s, size_t i) {
    tern_tensor *in = tn_in(s, i);
    if (slot_of(s, i) == &in->grad) in->grad_set = true;
}

/* A tensor that lives outside the scope of one step: gradients in slots. */
static tern_tensor *out_of_scope(tern_graph *g, tern_tensor *t) {
    if (t && g->tensors == t) g->tensors = t->older;
    return t;
}

void *tn_grad_out(tn_step *s, size_t i, bool *add) {
    tern_tensor *in = tn_in(s, i), **slot = slot_of(s, i);
    tern_graph *g = s->g;
    *add = slot_full(s, i);
    bool slab = in->name && slot == &in->grad;
    bool ours = slab || !*slot ||
                ((*slot)->block && (*slot)->block->n_refs == 1 && tn_is_contiguous(*slot));
    if (!ours) {
        tern_tensor *alone = out_of_scope(g, tn_result(g, (*slot)->dtype, in->rank, in->dim));
        if (!alone) return NULL;
        tn_copy(g, alone, *slot, false);
        tn_drop(g, *slot);
        *slot = alone;
    }
    if (!*slot) *slot = out_of_scope(g, tn_result_like(g, in));
    if (!*slot) return NULL;
    slot_mark(s, i);
    return (*slot)->data;
}

void *tn_grad_zeroed(tn_step *s, size_t i) {
    bool add;
    void *p = tn_grad_out(s, i, &add);
    if (p && !add) {
        tern_tensor *in = tn_in(s, i);
        memset(p, 0, tn_size(in) * tn_dtype_size((tn_dtype)in->dtype));
    }
    return p;
}

void tn_grad_add(tn_step *s, size_t i, tern_tensor *dx) {
    tern_graph *g = s->g;
    if (!dx || !tn_wants(s, i)) return;
    tern_tensor *in = tn_in(s, i), **slot = slot_of(s, i);
    dx = tn_sum_to(g, dx, in);
    if (!dx) return;
    if (s->recorded) {
        *slot = *slot ? tern_add(g, *slot, dx) : dx;
        return;
    }
    /* The first gradient is moved here; one that the caller will read must be row-major too. */
    if (!*slot && (slot == &in->adj || tn_is_contiguous(dx))) {
        *slot = out_of_scope(g, tn_view(g, dx));
        if (*slot) slot_mark(s, i);
        return;
    }
    bool add;
    if (tn_grad_out(s, i, &add)) tn_copy(g, *slot, dx, add);
}

/* ---- walking ---- */

static void visit(tern_graph *g, tn_node *node, bool recorded, bool leaves) {
    tern_tensor *mark = g->tensors;
    bool was = tern_graph_set_inference(g, !recorded);
    tn_step s = {
        .g = g, .node = node, .dy = node->out->adj, .recorded = recorded, .leaves = leaves};
    bool fast = node->op->backward && !recorded;
    if (!fast && !node->op->backward_ops)
        tn_graph_fail(g, TERN_ERR_UNSUPPORTED, "%s has no second derivative", node->op->name);
    if (!node->op->any_stride) s.dy = tern_contiguous(g, s.dy);
    if (s.dy) (fast ? node->op->backward : node->op->backward_ops)(&s);
    tern_graph_set_inference(g, was);
    if (!recorded) tn_scope_end(g, mark, NULL);
}

static void drop_adj(tern_graph *g, tern_tensor *t) {
    if (t) tn_drop(g, t->adj), t->adj = NULL;
}

static void forget(tern_graph *g, tn_node *node) {
    tern_tensor *y = node->out;
    drop_adj(g, y);
    for (size_t i = 0; i < node->n_in; i++)
        if (node->in[i] && needs_in(node->op, i)) tn_drop(g, node->in[i]);
    if (node->op->needs & TN_NEED_OUT) tn_drop(g, y);
    tn_drop(g, node->saved[0]);
    tn_drop(g, node->saved[1]);
    tern_tensor_release(g, y);
    y->node = NULL;
    y->requires_grad = false;
}

void tn_tape_consume(tern_graph *g, size_t begin) {
    while (g->n_nodes > begin) {
        tn_node *node = g->tape[--g->n_nodes];
        if (node->out->adj && !g->error.status) visit(g, node, false, true);
        forget(g, node);
    }
}

/* The walk starts at y with dy = 1 for every element. */
static tern_status seed(tern_graph *g, tern_tensor *y, const char *who, tern_tensor **ones) {
    if (g->error.status) return g->error.status;
    if (!y || !y->requires_grad || !y->node || !y->data || g->opts.inference) {
        tn_graph_fail(g, TERN_ERR_ARG, "%s: %s", who,
                      !y                  ? "given NULL"
                      : g->opts.inference ? "the graph is set to inference and recorded nothing"
                      : !y->data          ? "the value was released by an earlier backward"
                                          : "the value depends on nothing that wants a gradient");
        return g->error.status;
    }
    tern_tensor *one = tn_constant(g, y->dtype, 1);
    *ones = one ? tern_broadcast_to(g, one, y->rank, y->dim) : NULL;
    return g->error.status;
}

tern_status tern_backward(tern_graph *g, tern_tensor *loss, tern_error *err) {
    tern_tensor *ones = NULL;
    if (!g->error.status && loss && tn_size(loss) != 1)
        tn_graph_fail(g, TERN_ERR_ARG, "tern_backward: the loss has %zu elements, not one",
                      tn_size(loss));
    if (seed(g, loss, "tern_backward", &ones) == TERN_OK) {
        loss->kept = true;
        tn_hold(ones); /* as the adjoint of loss */
        loss->adj = ones;
        tn_tape_consume(g, 0);
    }
    return tern_graph_status(g, err);
}

/* What the walk left for x, row-major. */
static tern_tensor *gradient_of(tern_graph *g, tern_tensor *x, bool differentiable) {
    if (!x->adj) return tn_result_zeros(g, x->dtype, x->rank, x->dim);
    if (differentiable) return tern_contiguous(g, x->adj);
    tern_tensor *view = tn_view(g, x->adj);
    return view ? tern_contiguous(g, view) : NULL;
}

tern_status tern_grad(tern_graph *g, tern_tensor *y, tern_tensor *const *xs, size_t n,
                      bool differentiable, tern_tensor **dxs, tern_error *err) {
    tern_tensor *ones = NULL;
    size_t n_nodes = g->n_nodes;
    memset(dxs, 0, n * sizeof *dxs);
    for (size_t i = 0; i < n && !g->error.status; i++)
        if (!xs[i] || !xs[i]->requires_grad)
            tn_graph_fail(g, TERN_ERR_ARG, "tern_grad: xs[%zu] wants no gradient", i);
    if (seed(g, y, "tern_grad", &ones) != TERN_OK) return tern_graph_status(g, err);
    tn_hold(ones);
    y->adj = ones;
    for (size_t i = n_nodes; i-- > 0 && !g->error.status;)
        if (g->tape[i]->out->adj) visit(g, g->tape[i], differentiable, false);
    for (size_t i = 0; i < n && !g->error.status; i++)
        dxs[i] = gradient_of(g, xs[i], differentiable);
    for (size_t i = 0; i < n_nodes; i++) { /* leave no trace of this walk */
        tn_node *node = g->tape[i];
        for (size_t k = 0; k <= node->n_in; k++) {
            tern_tensor *t = k < node->n_in ? node->in[k] : node->out;
            if (!t) continue;
            if (!differentiable) tn_drop(g, t->adj);
            t->adj = NULL;
        }
    }
    y->adj = NULL;
    return tern_graph_status(g, err);
}
