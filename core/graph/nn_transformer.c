/* nn_transformer.c - feed-forward blocks, attention with its projections, and the two layers that
 * most models are stacks of (nn.h).
 * A module releases its own temporaries as soon as it has used them: what backward reads is kept by
 * the tape, the rest is free for the next operation. Residual sums ride in the last product. */
#include "core/graph/nn_priv.h"
#include <stdio.h>

#include "core/base/mem.h"

tern_tensor *tern_activate(tern_graph *g, tern_activation act, tern_tensor *x) {
    switch (act) {
    case TERN_ACT_GELU:
        return tern_gelu(g, x);
    case TERN_ACT_GELU_TANH:
        return tern_gelu_tanh(g, x);
    case TERN_ACT_SILU:
        return tern_silu(g, x);
    case TERN_ACT_RELU:
        return tern_relu(g, x);
    case TERN_ACT_TANH:
        return tern_tanh(g, x);
    }
    return tn_graph_fail(g, TERN_ERR_ARG, "activation %d is none", (int)act);
}

/* y = linear(x) (+ residual); x was a temporary of the caller. */
static tern_tensor *last(tern_graph *g, const tern_nn_linear *m, tern_tensor *x,
                         tern_tensor *residual) {
    tern_tensor *y = tern_linear_residual(g, x, m->weight, m->bias, residual);
    tern_tensor_release(g, x);
    return y;
}

/* ---- feed-forward ---- */

tern_nn_mlp tern_nn_mlp_new(tern_params *p, const char *name, size_t dim, size_t hidden,
                            tern_activation act) {
    char full[TN_NAME_BYTES];
    tern_nn_mlp m = {.act = act};
    m.fc1 = tern_nn_linear_new(p, tn_nn_name(full, name, "fc1"), dim, hidden, true);
    m.fc2 = tern_nn_linear_new(p, tn_nn_name(full, name, "fc2"), hidden, dim, true);
    return m;
}

tern_tensor *tern_nn_mlp_forward(tern_graph *g, const tern_nn_mlp *m, tern_tensor *x,
                                 tern_tensor *residual) {
    tern_tensor *h = tern_nn_linear_forward(g, &m->fc1, x), *a = tern_activate(g, m->act, h);
    tern_tensor_release(g, h);
    return last(g, &m->fc2, a, residual);
}

tern_nn_gated_mlp tern_nn_gated_mlp_new(tern_params *p, const char *name, size_t dim, size_t hidden,
                                        tern_activation act) {
    char full[TN_NAME_BYTES];
    tern_nn_gated_mlp m = {.act = act};
    m.gate_proj = tern_nn_linear_new(p, tn_nn_name(full, name, "gate_proj"), dim, hidden, false);
    m.up_proj = tern_nn_linear_new(p, tn_nn_name(full, name, "up_proj"), dim, hidden, false);
    m.down_proj = tern_nn_linear_new(p, tn_nn_name(full, name, "down_proj"), hidden, dim, false);
    return m;
}

tern_tensor *tern_nn_gated_mlp_forward(tern_graph *g, const tern_nn_gated_mlp *m, tern_tensor *x,
                                       tern_tensor *residual) {
    tern_tensor *gate = tern_nn_linear_forward(g, &m->gate_proj, x);
    tern_tensor *up = tern_nn_linear_forward(g, &m->up_proj, x), *h;
    if (m->act == TERN_ACT_SILU)
        h = tern_swiglu(g, gate, up);
    else if (m->act == TERN_ACT_GELU_TANH)
        h = tern_geglu(g, gate, up);
    else
        return tn_graph_fail(g, TERN_ERR_ARG, "gated_mlp: act must be SILU or GELU_TANH");
    tern_tensor_release(g, gate);
    tern_tensor_release(g, up);
    return last(g, &m->down_proj, h, residual);
}

/* ---- attention ---- */

typedef struct projection_names {
    const char *q, *k, *v, *o;
} projection_names;

static tern_nn_attention attention_new(tern_params *p, const char *name,
                                       const projection_names *names,
                                       const tern_nn_attention_opts *o) {
    char full[TN_NAME_BYTES];
    tern_nn_attention m = {.n_heads = o->n_heads,
                           .n_kv_heads = o->n_kv_heads ? o->n_kv_heads : o->n_heads,
                           .head_dim = o->head_dim  ? o->head_dim
                                       : o->n_heads ? o->dim / o->n_heads
                                                    : 0};
    size_t q = m.n_heads * m.head_dim, kv = m.n_kv_heads * m.head_dim;
    m.q_proj = tern_nn_linear_new(p, tn_nn_name(full, name, names->q), o->dim, q, o->qkv_bias);
    m.k_proj = tern_nn_linear_new(p, tn_nn_name(full, name, names->k), o->dim, kv, o->qkv_bias);
    m.v_proj = tern_nn_linear_new(p, tn_nn_name(full, name, names->v), o->dim, kv, o->qkv_bias);
    m.o_proj = tern_nn_linear_new(p, tn_nn_name(full, name, names->o), q, o->dim, o->out_bias);
    if (o->qk_norm) {
        m.q_norm = tern_nn_rms_norm_new(p, tn_nn_name(full, name, "q_norm"), m.head_dim,
                                        o->norm_offset, o->norm_eps);
        m.k_norm = tern_nn_rms_norm_new(p, tn_nn_name(full, name, "k_norm"), m.head_dim,
                                        o->norm_offset, o->norm_eps);
    }
    return m;
}

tern_nn_attention tern_nn_attention_new(tern_params *p, const char *name,
                                        const tern_nn_attention_opts *opts) {
    static const projection_names names = {"q_proj", "k_proj", "v_proj", "o_proj"};
    return attention_new(p, name, &names, opts);
}

/* x [T,dim] -> [T,n_heads,head_dim], normalised and turned where asked for. */
static tern_tensor *heads(tern_graph *g, const tern_nn_linear *proj, const tern_nn_rms_norm *norm,
                          tern_tensor *x, size_t n_heads, size_t head_dim,
                          const tern_nn_sequences *turn) {
    tern_tensor *flat = tern_nn_linear_forward(g, proj, x);
    if (!flat) return NULL;
    tern_tensor *y = tern_reshape(g, flat, TERN_SHAPE(flat->dim[0], n_heads, head_dim));
    tern_tensor_release(g, flat);
    if (norm && norm->weight) {
        tern_tensor *z = tern_nn_rms_norm_forward(g, norm, y);
        tern_tensor_release(g, y);
        y = z;
    }
    if (turn && turn->cos) {
        tern_tensor *z = tern_rope(g, y, turn->cos, turn->sin);
        tern_tensor_release(g, y);
        y = z;
    }
    return y;
}

tern_tensor *tern_nn_attention_forward(tern_graph *g, const tern_nn_attention *m, tern_tensor *x,
                                       tern_tensor *residual, const tern_nn_sequences *seqs) {
    if (!tn_op_begin(g, "attention", &x, 1)) return NULL;
    char text[96];
    if (x->rank != 2)
        return tn_graph_fail(g, TERN_ERR_SHAPE, "attention: x %s; want [T,dim]",
                             tn_shape_text(x, text, sizeof text));
    tern_tensor *q = heads(g, &m->q_proj, &m->q_norm, x, m->n_heads, m->head_dim, seqs);
    tern_tensor *k = heads(g, &m->k_proj, &m->k_norm, x, m->n_kv_heads, m->head_dim, seqs);
    tern_tensor *v = heads(g, &m->v_proj, NULL, x, m->n_kv_heads, m->head_dim, NULL);
    tern_tensor *y = tern_attention(g, q, k, v, &seqs->attention);
    tern_tensor_release(g, q);
    tern_tensor_release(g, k);
    tern_tensor_release(g, v);
    if (!y) return NULL;
    tern_tensor *flat = tern_reshape(g, y, TERN_SHAPE(y->dim[0], m->n_heads * m->head_dim));
    tern_tensor_release(g, y);
    return last(g, &m->o_proj, flat, residual);
}

/* ---- layers ---- */

tern_nn_decoder_layer tern_nn_decoder_layer_new(tern_params *p, const char *name,
                                                const tern_nn_attention_opts *attention,
                                                size_t hidden, tern_activation act) {
    char full[TN_NAME_BYTES];
    const tern_nn_attention_opts *a = attention;
    tern_nn_decoder_layer m;
    m.input_layernorm = tern_nn_rms_norm_new(p, tn_nn_name(full, name, "input_layernorm"), a->dim,
                                             a->norm_offset, a->norm_eps);
    m.self_attn = tern_nn_attention_new(p, tn_nn_name(full, name, "self_attn"), a);
    m.post_attention_layernorm = tern_nn_rms_norm_new(
        p, tn_nn_name(full, name, "post_attention_layernorm"), a->dim, a->norm_offset, a->norm_eps);
    m.mlp = tern_nn_gated_mlp_new(p, tn_nn_name(full, name, "mlp"), a->dim, hidden, act);
    return m;
}

tern_tensor *tern_nn_decoder_layer_forward(tern_graph *g, const tern_nn_decoder_layer *m,
                                           tern_tensor *x, const tern_nn_sequences *seqs) {
    tern_tensor *n1 = tern_nn_rms_norm_forward(g, &m->input_layernorm, x);
    tern_tensor *h = tern_nn_attention_forward(g, &m->self_attn, n1, x, seqs);
    tern_tensor_release(g, n1);
    tern_tensor *n2 = tern_nn_rms_norm_forward(g, &m->post_attention_layernorm, h);
    tern_tensor *y = tern_nn_gated_mlp_forward(g, &m->mlp, n2, h);
    tern_tensor_release(g, n2);
    tern_tensor_release(g, h);
    return y;
}

tern_nn_encoder_layer tern_nn_encoder_layer_new(tern_params *p, const char *name, size_t dim,
                                                size_t n_heads, size_t hidden, tern_activation act,
                                                double norm_eps, double dropout) {
    static const projection_names names = {"attention.self.query", "attention.self.key",
                                           "attention.self.value", "attention.output.dense"};
    const tern_nn_attention_opts o = {
        .dim = dim, .n_heads = n_heads, .qkv_bias = true, .out_bias = true};
    char full[TN_NAME_BYTES];
    tern_nn_encoder_layer m = {.act = act, .dropout = dropout};
    m.attention = attention_new(p, name, &names, &o);
    m.attention_norm = tern_nn_layer_norm_new(
        p, tn_nn_name(full, name, "attention.output.LayerNorm"), dim, norm_eps);
    m.intermediate =
        tern_nn_linear_new(p, tn_nn_name(full, name, "intermediate.dense"), dim, hidden, true);
    m.output = tern_nn_linear_new(p, tn_nn_name(full, name, "output.dense"), hidden, dim, true);
    m.output_norm =
        tern_nn_layer_norm_new(p, tn_nn_name(full, name, "output.LayerNorm"), dim, norm_eps);
    return m;
}

/* norm(y + x), where y = dropout(f(x)); without dropout f has added x already. */
static tern_tensor *close_block(tern_graph *g, const tern_nn_layer_norm *norm, tern_tensor *y,
                                tern_tensor *x, double dropout) {
    tern_tensor *sum = y;
    if (dropout > 0) {
        tern_tensor *d = tern_dropout(g, y, dropout);
        sum = tern_add(g, d, x);
        tern_tensor_release(g, y);
        if (d != y) tern_tensor_release(g, d);
    }
    tern_tensor *out = tern_nn_layer_norm_forward(g, norm, sum);
    tern_tensor_release(g, sum);
    return out;
}

tern_tensor *tern_nn_encoder_layer_forward(tern_graph *g, const tern_nn_encoder_layer *m,
                                           tern_tensor *x, const tern_nn_sequences *seqs) {
    bool fused = m->dropout <= 0;
    tern_tensor *a = tern_nn_attention_forward(g, &m->attention, x, fused ? x : NULL, seqs);
    tern_tensor *h = close_block(g, &m->attention_norm, a, x, m->dropout);
    tern_tensor *i = tern_nn_linear_forward(g, &m->intermediate, h);
    tern_tensor *act = tern_activate(g, m->act, i);
    tern_tensor_release(g, i);
    tern_tensor *o = last(g, &m->output, act, fused ? h : NULL);
    tern_tensor *y = close_block(g, &m->output_norm, o, h, m->dropout);
    tern_tensor_release(g, h);
    return y;
}
