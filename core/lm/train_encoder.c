/* train_encoder.c - the encoder on the tape; encoder.h has the equations. */
#include "core/lm/train_priv.h"

#include "core/base/mem.h"

static tern_tensor *norm(tern_graph *g, const tn_lm_tape *t, tern_tensor *x, tn_lm_slot weight,
                         tn_lm_slot bias, uint32_t layer) {
    return tern_layer_norm(g, x, tn_lm_w(t, weight, layer), tn_lm_w(t, bias, layer),
                           t->config.norm_eps);
}

static tern_tensor *project(tern_graph *g, const tn_lm_tape_layer *l, tern_tensor *x, tn_lm_slot w,
                            tn_lm_slot b) {
    const tn_lm_config *c = &l->tape->config;
    return tn_lm_heads(g, x, tn_lm_w(l->tape, w, l->number), tn_lm_w(l->tape, b, l->number),
                       c->n_heads, c->head_dim);
}

/* W y + b + x; a failed x must not pass for "no residual". */
static tern_tensor *add_block(tern_graph *g, const tn_lm_tape_layer *l, tern_tensor *x,
                              tern_tensor *y, tn_lm_slot w, tn_lm_slot b) {
    if (!x) return NULL;
    return tern_linear_residual(g, y, tn_lm_w(l->tape, w, l->number),
                                tn_lm_w(l->tape, b, l->number), x);
}

/* in: x [T, hidden], begin [S + 1] */
static tern_tensor *layer(tern_graph *g, void *ud, tern_tensor *const *in) {
    const tn_lm_tape_layer *l = ud;
    const tn_lm_tape *t = l->tape;
    const tn_lm_config *c = &t->config;
    uint32_t i = l->number;
    tern_tensor *x = in[0];
    tern_attention_opts opts = {.begin = in[1], .scale = c->attn_scale};
    tern_tensor *y = tern_attention(g, project(g, l, x, TN_LM_Q, TN_LM_Q_BIAS),
                                    project(g, l, x, TN_LM_K, TN_LM_K_BIAS),
                                    project(g, l, x, TN_LM_V, TN_LM_V_BIAS), &opts);
    y = tern_reshape(g, y, TERN_SHAPE(tern_tensor_dim(x, 0), c->hidden));
    x = norm(g, t, add_block(g, l, x, y, TN_LM_O, TN_LM_O_BIAS), TN_LM_ATTN_NORM,
             TN_LM_ATTN_NORM_BIAS, i);
    y = tern_linear(g, x, tn_lm_w(t, TN_LM_UP, i), tn_lm_w(t, TN_LM_UP_BIAS, i));
    y = add_block(g, l, x, tn_lm_act(g, c->act, y), TN_LM_DOWN, TN_LM_DOWN_BIAS);
    return norm(g, t, y, TN_LM_FFN_NORM, TN_LM_FFN_NORM_BIAS, i);
}

/* Rows of the position table: BERT counts every token, RoBERTa passes over padding ids. */
static tern_tensor *positions(tern_graph *g, const tn_lm_config *c, const tn_lm_batch *b) {
    if (b->positions) return tn_lm_indices(g, b->positions, b->n_tokens);
    tern_tensor *y = tern_tensor_new(g, TERN_I32, TERN_SHAPE(b->n_tokens));
    int32_t *p = tern_tensor_data(y);
    for (size_t s = 0; p && s < b->n_seqs; s++) {
        int32_t next = (int32_t)c->position_offset;
        for (int32_t i = b->seq_begin[s]; i < b->seq_begin[s + 1]; i++)
            p[i] = c->arch == TN_LM_ROBERTA && b->ids[i] == c->pad_id ? c->pad_id : next++;
    }
    return y;
}

static tern_tensor *types(tern_graph *g, const tn_lm_config *c, const tn_lm_batch *b) {
    return b->types && c->n_types > 1 ? tn_lm_indices(g, b->types, b->n_tokens)
                                      : tern_tensor_zeros(g, TERN_I32, TERN_SHAPE(b->n_tokens));
}

tern_tensor *tn_lm_encode_tape(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute) {
    const tn_lm_config *c = &t->config;
    tern_tensor *begin = tn_lm_indices(g, b->seq_begin, b->n_seqs + 1);
    tern_tensor *x =
        tern_index_rows(g, tn_lm_w(t, TN_LM_EMBED, 0), tn_lm_indices(g, b->ids, b->n_tokens));
    x = tern_add(g, x, tern_index_rows(g, tn_lm_w(t, TN_LM_TYPES, 0), types(g, c, b)));
    x = tern_add(g, x, tern_index_rows(g, tn_lm_w(t, TN_LM_POSITIONS, 0), positions(g, c, b)));
    x = norm(g, t, x, TN_LM_EMBED_NORM, TN_LM_EMBED_NORM_BIAS, 0);
    for (uint32_t i = 0; i < c->n_layers; i++)
        x = tn_lm_run_layer(g, layer, &t->layers[i], (tern_tensor *[]){x, begin}, 2, recompute);
    return x;
}
