/* train_decoder.c - the decoder on the tape; decoder.h has the equations. */
#include "core/lm/train_priv.h"
#include <math.h>

#include "core/base/mem.h"

/* cos and sin [n_tokens, head_dim / 2]. Angles as the engine and transformers have them: the
 * product of position and frequency in f32. */
static void angles(tern_graph *g, const tn_lm_tape *t, const tn_lm_batch *b, const float *inv_freq,
                   tern_tensor **cos_out, tern_tensor **sin_out) {
    size_t half = t->config.head_dim / 2;
    *cos_out = tern_tensor_new(g, TERN_F32, TERN_SHAPE(b->n_tokens, half));
    *sin_out = tern_tensor_new(g, TERN_F32, TERN_SHAPE(b->n_tokens, half));
    float *c = tern_tensor_data(*cos_out), *s = tern_tensor_data(*sin_out);
    if (!c || !s) return;
    for (size_t q = 0; q < b->n_seqs; q++)
        for (int32_t i = b->seq_begin[q]; i < b->seq_begin[q + 1]; i++)
            for (size_t k = 0; k < half; k++) {
                float a = (float)(i - b->seq_begin[q]) * inv_freq[k];
                c[(size_t)i * half + k] = cosf(a);
                s[(size_t)i * half + k] = sinf(a);
            }
}

static tern_tensor *norm(tern_graph *g, const tn_lm_tape *t, tern_tensor *x, tn_lm_slot slot,
                         uint32_t layer) {
    return tern_rms_norm(g, x, tn_lm_w(t, slot, layer), t->config.norm_offset, t->config.norm_eps);
}

static tern_tensor *attention(tern_graph *g, const tn_lm_tape_layer *l, tern_tensor *h,
                              tern_tensor *cos, tern_tensor *sin, tern_tensor *begin) {
    const tn_lm_tape *t = l->tape;
    const tn_lm_config *c = &t->config;
    uint32_t i = l->number;
    tern_tensor *q = tn_lm_heads(g, h, tn_lm_w(t, TN_LM_Q, i), tn_lm_w(t, TN_LM_Q_BIAS, i),
                                 c->n_heads, c->head_dim);
    tern_tensor *k = tn_lm_heads(g, h, tn_lm_w(t, TN_LM_K, i), tn_lm_w(t, TN_LM_K_BIAS, i),
                                 c->n_kv_heads, c->head_dim);
    tern_tensor *v = tn_lm_heads(g, h, tn_lm_w(t, TN_LM_V, i), tn_lm_w(t, TN_LM_V_BIAS, i),
                                 c->n_kv_heads, c->head_dim);
    if (c->qk_norm) {
        q = norm(g, t, q, TN_LM_Q_NORM, i);
        k = norm(g, t, k, TN_LM_K_NORM, i);
    }
    tern_attention_opts opts = {.begin = begin,
                                .causal = true,
                                .window = c->sliding[i] ? c->window : 0,
                                .scale = c->attn_scale};
    tern_tensor *y =
        tern_attention(g, tern_rope(g, q, cos, sin), tern_rope(g, k, cos, sin), v, &opts);
    return tern_reshape(g, y, TERN_SHAPE(tern_tensor_dim(h, 0), tn_lm_q_dim(c)));
}

static tern_tensor *gated(tern_graph *g, const tn_lm_tape_layer *l, tern_tensor *h) {
    const tn_lm_tape *t = l->tape;
    uint32_t i = l->number;
    tern_tensor *gate =
        tern_linear(g, h, tn_lm_w(t, TN_LM_GATE, i), tn_lm_w(t, TN_LM_GATE_BIAS, i));
    tern_tensor *up = tern_linear(g, h, tn_lm_w(t, TN_LM_UP, i), tn_lm_w(t, TN_LM_UP_BIAS, i));
    if (t->config.act == TN_ACT_SILU) return tern_swiglu(g, gate, up);
    if (t->config.act == TN_ACT_GELU_TANH) return tern_geglu(g, gate, up);
    return tern_mul(g, tn_lm_act(g, t->config.act, gate), up);
}

/* x + W y, or x + norm(W y) */
static tern_tensor *add_block(tern_graph *g, const tn_lm_tape_layer *l, tern_tensor *x,
                              tern_tensor *y, tn_lm_slot w, tn_lm_slot b, tn_lm_slot post_norm) {
    const tn_lm_tape *t = l->tape;
    tern_tensor *weight = tn_lm_w(t, w, l->number), *bias = tn_lm_w(t, b, l->number);
    if (!t->config.post_norms) return x ? tern_linear_residual(g, y, weight, bias, x) : NULL;
    return tern_add(g, x, norm(g, t, tern_linear(g, y, weight, bias), post_norm, l->number));
}

/* in: x [T, hidden], cos, sin [T, head_dim / 2], begin [S + 1] */
static tern_tensor *layer(tern_graph *g, void *ud, tern_tensor *const *in) {
    const tn_lm_tape_layer *l = ud;
    tern_tensor *x = in[0], *h = norm(g, l->tape, x, TN_LM_ATTN_NORM, l->number);
    tern_tensor *y = attention(g, l, h, in[1], in[2], in[3]);
    x = add_block(g, l, x, y, TN_LM_O, TN_LM_O_BIAS, TN_LM_POST_ATTN_NORM);
    y = gated(g, l, norm(g, l->tape, x, TN_LM_FFN_NORM, l->number));
    return add_block(g, l, x, y, TN_LM_DOWN, TN_LM_DOWN_BIAS, TN_LM_POST_FFN_NORM);
}

tern_tensor *tn_lm_decode_tape(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute) {
    const tn_lm_config *c = &t->config;
    tern_tensor *begin = tn_lm_indices(g, b->seq_begin, b->n_seqs + 1);
    tern_tensor *cos, *sin, *cos_local, *sin_local;
    angles(g, t, b, t->inv_freq, &cos, &sin);
    cos_local = cos;
    sin_local = sin;
    if (c->arch == TN_LM_GEMMA3) angles(g, t, b, t->inv_freq_local, &cos_local, &sin_local);
    tern_tensor *x =
        tern_index_rows(g, tn_lm_w(t, TN_LM_EMBED, 0), tn_lm_indices(g, b->ids, b->n_tokens));
    if (c->embed_scale != 1) x = tern_scale(g, x, c->embed_scale);
    for (uint32_t i = 0; i < c->n_layers; i++) {
        tern_tensor *in[] = {x, c->sliding[i] ? cos_local : cos, c->sliding[i] ? sin_local : sin,
                             begin};
        x = tn_lm_run_layer(g, layer, &t->layers[i], in, 4, recompute);
    }
    return norm(g, t, x, TN_LM_FINAL_NORM, 0);
}
