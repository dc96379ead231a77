/* train_priv.h - the inside of a tape, for its parts: train_params.c (weights), train_decoder.c and
 * train_encoder.c (layers), train.c (heads and losses). */
#ifndef TN_LM_TRAIN_PRIV_H
#define TN_LM_TRAIN_PRIV_H
#include "core/lm/train.h"

/* What a layer needs beside its input. */
typedef struct tn_lm_tape_layer {
    const tn_lm_tape *tape;
    uint32_t number;
} tn_lm_tape_layer;

struct tn_lm_tape {
    tn_lm_config config;
    tn_lm_param *table; /* [n] */
    size_t n;
    tern_params *weights;             /* in the order of the table */
    tern_tensor **at;                 /* [TN_LM_N_SLOTS * n_layers]; NULL: the model has none */
    tn_lm_tape_layer *layers;         /* [n_layers] */
    float *inv_freq, *inv_freq_local; /* [head_dim / 2] (decoder) */
};

static inline tern_tensor *tn_lm_w(const tn_lm_tape *t, tn_lm_slot slot, uint32_t layer) {
    return t->at[(size_t)slot * t->config.n_layers + layer];
}

/* The layers over the packed batch. */
tern_tensor *tn_lm_decode_tape(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute);
tern_tensor *tn_lm_encode_tape(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute);

/* act(x) */
tern_tensor *tn_lm_act(tern_graph *g, tn_act act, tern_tensor *x);
/* fn, or fn whose inner values are computed again in backward. */
tern_tensor *tn_lm_run_layer(tern_graph *g, tern_graph_fn *fn, void *ud, tern_tensor *const *in,
                             size_t n, bool recompute);
/* q, k and v [T, H D] of the layer, reshaped to heads; bias may be NULL. */
tern_tensor *tn_lm_heads(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *b,
                         size_t n_heads, size_t head_dim);
tern_tensor *tn_lm_indices(tern_graph *g, const int32_t *x, size_t n); /* borrowed I32 [n] */

#endif
