/* tiny_lm.h - a Llama-style language model small enough for tests: tied embedding, decoder layers,
 * final norm, cross-entropy that never holds the logits. */
#ifndef TN_TEST_TINY_LM_H
#define TN_TEST_TINY_LM_H
#include "tern/nn.h"

enum { LM_VOCAB = 61, LM_DIM = 32, LM_LAYERS = 2, LM_TOKENS = 40 };

typedef struct tiny_lm {
    tern_params *p;
    tern_nn_embedding embed;
    tern_nn_decoder_layer layers[LM_LAYERS];
    tern_nn_rms_norm norm;
    bool recompute;
    tern_nn_sequences seqs; /* of the step: what a recomputed layer reads */
} tiny_lm;

static inline tern_status tiny_lm_new(tiny_lm *m, tern_error *err) {
    tern_nn_attention_opts a = {.dim = LM_DIM, .n_heads = 4, .n_kv_heads = 2, .norm_eps = 1e-5};
    *m = (tiny_lm){0};
    tern_status st = tern_params_new(&(tern_params_opts){.seed = 5}, &m->p, err);
    if (st != TERN_OK) return st;
    tern_params_set_init(m->p, (tern_init){TERN_INIT_NORMAL, 0.1});
    m->embed = tern_nn_embedding_new(m->p, "model.embed_tokens", LM_VOCAB, LM_DIM);
    for (int i = 0; i < LM_LAYERS; i++) {
        char name[] = "model.layers.0";
        name[sizeof name - 2] = (char)('0' + i);
        m->layers[i] = tern_nn_decoder_layer_new(m->p, name, &a, 48, TERN_ACT_SILU);
    }
    m->norm = tern_nn_rms_norm_new(m->p, "model.norm", LM_DIM, 0, 1e-5);
    return tern_params_init(m->p, err);
}

typedef struct tiny_layer {
    tiny_lm *m;
    int i;
} tiny_layer;

static inline tern_tensor *tiny_layer_run(tern_graph *g, void *ud, tern_tensor *const *in) {
    tiny_layer *l = ud;
    return tern_nn_decoder_layer_forward(g, &l->m->layers[l->i], in[0], &l->m->seqs);
}

/* The loss of two packed sequences of made-up tokens; `step` picks them. NULL: the graph knows. */
static inline tern_tensor *tiny_lm_loss(tern_graph *g, tiny_lm *m, int step) {
    static const int32_t begin[3] = {0, 13, LM_TOKENS};
    static tiny_layer layers[LM_LAYERS];
    int32_t token[LM_TOKENS], target[LM_TOKENS], position[LM_TOKENS];
    for (int t = 0; t < LM_TOKENS; t++) {
        token[t] = (t * 7 + step * 3) % LM_VOCAB;
        position[t] = t < begin[1] ? t : t - begin[1];
        bool last = t + 1 == begin[1] || t + 1 == LM_TOKENS;
        target[t] = last ? TERN_IGNORE : ((t + 1) * 7 + step * 3) % LM_VOCAB;
    }
    tern_tensor *ids = tern_tensor_from(g, TERN_I32, TERN_SHAPE(LM_TOKENS), token);
    tern_tensor *want = tern_tensor_from(g, TERN_I32, TERN_SHAPE(LM_TOKENS), target);
    m->seqs = (tern_nn_sequences){.attention = {.causal = true}};
    m->seqs.attention.begin = tern_tensor_from(g, TERN_I32, TERN_SHAPE(3), begin);
    if (tern_rope_tables(g, TERN_F32, position, LM_TOKENS, LM_DIM / 4, 1e4, NULL, &m->seqs.cos,
                         &m->seqs.sin) != TERN_OK)
        return NULL;
    tern_tensor *x = tern_nn_embedding_forward(g, &m->embed, ids);
    for (int i = 0; i < LM_LAYERS; i++) {
        layers[i] = (tiny_layer){m, i};
        tern_tensor *y = m->recompute ? tern_recompute(g, tiny_layer_run, &layers[i], &x, 1)
                                      : tiny_layer_run(g, &layers[i], &x);
        tern_tensor_release(g, x);
        x = y;
    }
    tern_tensor *h = tern_nn_rms_norm_forward(g, &m->norm, x);
    tern_tensor_release(g, x);
    return tern_linear_cross_entropy(g, h, m->embed.weight, want);
}

/* Plain gradient descent, then forget the gradients. */
static inline void tiny_lm_descend(const tiny_lm *m, float lr) {
    float *w = tern_params_values(m->p);
    const float *dw = tern_params_grads(m->p);
    for (size_t i = 0; i < tern_params_slab_size(m->p); i++) w[i] -= lr * dw[i];
    tern_params_zero_grad(m->p);
}

#endif
