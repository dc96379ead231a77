/* op_attention.c - attention over packed sequences; the arithmetic is core/kernels/attention.h.
 * Forward keeps q, k, v, the result and one log-sum-exp per query and head: linear in length. */
#include "core/graph/graph_priv.h"
#include "core/kernels/attention.h"
#include <math.h>

#include "core/base/mem.h"

enum { Q, K, V, BEGIN, N_IN };

static void attention_backward(tn_step *s) {
    const tn_attention_shape *a = s->node->attr;
    const void *q = tn_in(s, Q)->data, *k = tn_in(s, K)->data, *v = tn_in(s, V)->data;
    const void *o = s->node->out->data, *lse = s->node->saved[0]->data, *dy = s->dy->data;
    tn_block *spare[3] = {NULL, NULL, NULL};
    void *out[3];
    bool ok = true;
    for (size_t i = 0; i < 3; i++) { /* the kernel makes all three */
        size_t n_bytes = tn_size(tn_in(s, i)) * tn_dtype_size((tn_dtype)tn_in(s, i)->dtype);
        if (!tn_wants(s, i)) spare[i] = tn_scratch(s->g, n_bytes, 1);
        out[i] = tn_wants(s, i) ? tn_grad_zeroed(s, i) : spare[i] ? spare[i]->data : NULL;
        if (spare[i]) memset(spare[i]->data, 0, n_bytes);
        ok = ok && out[i];
    }
    tern_error err;
    tern_status st = TERN_OK;
    if (ok && tn_is_f64(s->dy))
        st = tn_attention_backward_f64(s->g->pool, a, q, k, v, o, lse, dy, out[Q], out[K], out[V],
                                       &err);
    else if (ok)
        st =
            tn_attention_backward(s->g->pool, a, q, k, v, o, lse, dy, out[Q], out[K], out[V], &err);
    for (size_t i = 0; i < 3; i++) tn_block_drop(&s->g->blocks, spare[i]);
    if (st != TERN_OK) tn_graph_fail(s->g, st, "attention: %s", err.text);
}

static const tn_op op_attention = {.name = "attention",
                                   .needs = TN_NEED_IN(Q) | TN_NEED_IN(K) | TN_NEED_IN(V) |
                                            TN_NEED_IN(BEGIN) | TN_NEED_OUT,
                                   .backward = attention_backward};

/* begin must run from 0 to the number of tokens. NULL: one sequence of them all. */
static tern_tensor *sequences(tern_graph *g, tern_tensor *begin, size_t n_tokens) {
    if (!begin) {
        int32_t all[2] = {0, (int32_t)n_tokens};
        return tern_tensor_from(g, TERN_I32, TERN_SHAPE(2), all);
    }
    if (!tn_value_begin(g, "attention", begin) || !tn_segments_ok(g, "attention", begin, n_tokens))
        return NULL;
    return begin;
}

tern_tensor *tern_attention(tern_graph *g, tern_tensor *q, tern_tensor *k, tern_tensor *v,
                            const tern_attention_opts *opts) {
    tern_tensor *in[N_IN] = {q, k, v};
    static const tern_attention_opts none;
    if (!opts) opts = &none;
    if (!tn_op_begin(g, "attention", in, 3)) return NULL;
    char tq[96], tk[96];
    if (q->rank != 3 || k->rank != 3 || !tn_same_shape(k, v) || k->dim[0] != q->dim[0] ||
        k->dim[2] != q->dim[2] || !k->dim[1] || q->dim[1] % k->dim[1] || q->dim[0] > INT32_MAX)
        return tn_graph_fail(g, TERN_ERR_SHAPE,
                             "attention: q %s, k %s; want [T,H,D], [T,G,D], v as k, G dividing H",
                             tn_shape_text(q, tq, sizeof tq), tn_shape_text(k, tk, sizeof tk));
    for (size_t i = 0; i < 3; i++)
        if (!(in[i] = tern_contiguous(g, in[i]))) return NULL;
    in[BEGIN] = sequences(g, opts->begin, q->dim[0]);
    size_t lse_dim[2] = {q->dim[0], q->dim[1]};
    tern_tensor *y = in[BEGIN] ? tn_result_like(g, in[Q]) : NULL;
    tern_tensor *lse = y && tn_will_record(g, in, 3) ? tn_result(g, q->dtype, 2, lse_dim) : NULL;
    if (!y || g->error.status) return NULL;
    tn_attention_shape a = {
        .n_seqs = tn_size(in[BEGIN]) - 1,
        .seq_begin = in[BEGIN]->data,
        .n_heads = q->dim[1],
        .n_kv_heads = k->dim[1],
        .head_dim = q->dim[2],
        .q_stride = q->dim[1] * q->dim[2],
        .kv_stride = k->dim[1] * k->dim[2],
        .causal = opts->causal,
        .window = opts->window,
        .scale = (float)(opts->scale > 0 ? opts->scale : 1 / sqrt((double)q->dim[2])),
        .softcap = (float)opts->softcap};
    void *kept = lse ? lse->data : NULL;
    tern_error err;
    tern_status st = tn_is_f64(q) ? tn_attention_f64(g->pool, &a, in[Q]->data, in[K]->data,
                                                     in[V]->data, y->data, kept, &err)
                                  : tn_attention(g->pool, &a, in[Q]->data, in[K]->data, in[V]->data,
                                                 y->data, kept, &err);
    if (st != TERN_OK) return tn_graph_fail(g, st, "attention: %s", err.text);
    y = tn_record(g, &op_attention, y, in, N_IN, &a, sizeof a);
    tn_save(g, y, 0, lse);
    if (in[BEGIN] != opts->begin) tern_tensor_release(g, in[BEGIN]);
    for (size_t i = 0; i < 3; i++) /* copies made here live as long as backward needs them */
        if (in[i] != (tern_tensor *[]){q, k, v}[i]) tern_tensor_release(g, in[i]);
    return y;
}
